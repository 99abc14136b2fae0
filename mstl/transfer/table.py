"""Rows about tensors, shown in one way: counted, as a frame, as text, as JSON."""
from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pandas as pd

LOADED = ("load", "renamed", "adapted")
MISSING = ("shape mismatch", "no source")
STATUSES = (*LOADED, *MISSING, "unused")


class StatusTable:
    """What plan and report share: `rows` with a status each, and `notes`, sentences on what matters beside them."""

    rows: tuple
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each status."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUSES}

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return ", ".join(f"{count} {status}" for status, count in self.counts.items() if count)

    def to_frame(self) -> pd.DataFrame:
        """A row a tensor."""
        return pd.DataFrame(self._values())

    def to_dict(self) -> dict:
        """Counts, notes and rows as plain values for JSON."""
        return {"counts": self.counts, "notes": list(self.notes), "tensors": self._values()}

    def _values(self) -> list[dict]:
        return [
            {one.name: getattr(row, one.name) for one in fields(row) if one.repr} for row in self.rows
        ]

    def __str__(self) -> str:
        table = self.to_frame().astype(object)
        text = table.where(table.notna(), "").to_string(index=False)
        return "\n".join([text, self.summary, *self.notes])

    def _repr_html_(self) -> str:
        table = self.to_frame().astype(object)
        html = table.where(table.notna(), "").to_html(index=False)
        return html + "".join(f"<p>{line}</p>" for line in (self.summary, *self.notes))
