"""Rows about tensors, shown in one way: counted, as a frame, as text, as JSON."""
from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

import pandas as pd

LOADED = ("load", "renamed", "adapted")
MISSING = ("shape mismatch", "no source")
KEPT = "kept"
STATUSES = (*LOADED, KEPT, *MISSING, "unused")


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
        return [{one.name: getattr(row, one.name) for one in fields(row) if one.repr} for row in self.rows]

    def by_layer(self) -> list[tuple[str, str, str, str, str]]:
        """A row a layer and status: status, layer of the model, layer of the file, its tensors, the reason.

        Layers of the file that are unused for one reason make one row together.
        """
        lines = []
        for (status, target, source, reason), rows in itertools.groupby(self.rows, key=_layer_and_status):
            tensors = ", ".join(f"{_last(row)} {shape_text(_shape(row))}" for row in rows)
            lines.append((status, target, source, tensors, reason))
        groups = itertools.groupby(lines, key=_unused_reason)
        return [line for reason, group in groups for line in _merged(reason, group)]

    def __str__(self) -> str:
        lines = self.by_layer()
        widths = [max((len(line[column]) for line in lines), default=0) for column in range(4)]
        texts = ["  ".join([*map(str.ljust, line, widths), line[4]]).rstrip() for line in lines]
        return "\n".join([*texts, self.summary, *self.notes])

    def _repr_html_(self) -> str:
        table = self.to_frame().astype(object)
        html = table.where(table.notna(), "").to_html(index=False)
        return html + "".join(f"<p>{line}</p>" for line in (self.summary, *self.notes))


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as people write it, "3x3x8x16"; "1" for a single number."""
    return "x".join(map(str, shape)) or "1"


def _layer_and_status(row) -> tuple[str, str, str, str]:
    layers = [(path or "").rpartition("/")[0] for path in (row.target, row.source)]
    return row.status, *layers, row.reason


def _shape(row) -> tuple[int, ...]:
    return row.source_shape if row.target_shape is None else row.target_shape


def _last(row) -> str:
    return (row.target or row.source).rpartition("/")[2]


def _unused_reason(line: tuple[str, ...]) -> str:
    return line[4] if line[0] == "unused" else ""


def _merged(reason: str, group: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Lines as they are, or those of unused layers as one."""
    lines = list(group)
    if not reason or len(lines) == 1:
        return lines
    count = sum(line[3].count(", ") + 1 for line in lines)
    return [("unused", "", f"{lines[0][2]} ... {lines[-1][2]}", f"{count} tensors of {len(lines)} layers", reason)]
