"""What was done to a case, in order: a record a step with its parameters and the seconds that it took."""
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StepLog:
    """The steps of one case, for its `case.json`."""

    def __init__(self) -> None:
        self.steps: list[dict] = []

    @contextmanager
    def step(self, name: str, **parameters) -> Iterator[dict]:
        """Time a step; what the block puts into the yielded record is kept with it.

        A step that comes again, for another scan, adds to the seconds of its record.
        """
        known = next((record for record in self.steps if record["name"] == name), None)
        record = known or {"name": name, **parameters, "seconds": 0.0}
        start = time.perf_counter()
        yield record
        record["seconds"] = round(record["seconds"] + time.perf_counter() - start, 3)
        if known is None:
            self.steps.append(record)
