"""Errors that a user can mend: one line that says what was given, what was expected, what to do."""


class InputError(ValueError):
    """The input is wrong. The command line prints its message as one line and exits with code 1."""


class TrainingError(InputError):
    """A training stopped because going on would be useless, as with a loss that is not finite."""


class TransferError(InputError):
    """Weights cannot be read from a file, or do not fit the model they are meant for."""
