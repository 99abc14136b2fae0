"""How many cases are worked on at a time."""
from __future__ import annotations

from mstl.errors import InputError


def check_jobs(jobs: int) -> None:
    """Raise `InputError` for a number of jobs that joblib cannot take."""
    if jobs == 0:
        raise InputError("jobs is 0; at least 1 is expected, or -1 for one a core.")
