"""Errors that a user can mend: one line that says what was given, what was expected, what to do."""
from __future__ import annotations

from collections.abc import Mapping


class InputError(ValueError):
    """The input is wrong. The command line prints its message as one line and exits with code 1."""


class TrainingError(InputError):
    """A training stopped because going on would be useless, as with a loss that is not finite."""


class TransferError(InputError):
    """Weights cannot be read from a file, or do not fit the model they are meant for."""


class PreparationError(InputError):
    """Some cases could not be prepared; `failures` has the reason of each by its name. The others are ready."""

    def __init__(self, message: str, failures: Mapping[str, str]) -> None:
        super().__init__(message)
        self.failures = dict(failures)
