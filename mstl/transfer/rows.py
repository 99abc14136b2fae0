"""Rows of a transfer's plan and of its report: one for every tensor of the model and of the file."""
from __future__ import annotations

from dataclasses import dataclass, field

from mstl.models.tree import ModelTensor
from mstl.transfer.adapt import Change, find_change
from mstl.transfer.checkpoint import Checkpoint, Tensor
from mstl.transfer.pairing import Matches

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Row:
    """One weight of the model, or one tensor of the file that is "unused" (`target` None)."""

    status: str
    target: str | None
    source: str | None
    target_shape: Shape | None
    source_shape: Shape | None
    reason: str


@dataclass(frozen=True)
class PlanRow(_Row):
    """What happens to one weight of the model, or to one tensor of the file that is "unused" (`target` None)."""

    change: Change | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ReportRow(_Row):
    """A row of the plan, and the norm of the weight before and after, and the SHA-256 of its bytes after."""

    norm_before: float | None = None
    norm_after: float | None = None
    sha256: str | None = None


def plan_row(
    target: ModelTensor, matches: Matches, checkpoint: Checkpoint, rules: tuple[str, ...], axis: int | None
) -> PlanRow:
    """What becomes of one weight of the model; `rules` and `axis` as of `mstl.transfer.adapt.find_change`."""
    match = matches.get(target.path)
    if match is None and target.own:
        return PlanRow("kept", target.path, None, target.shape, None, "the model's own")
    if match is None:
        reason = matches.doubts.get(target.path, "no tensor of the file belongs to it")
        return PlanRow("no source", target.path, None, target.shape, None, reason)
    source = checkpoint.tensors[match.source]
    shapes = {"target_shape": target.shape, "source_shape": source.shape}
    if source.shape == target.shape:
        status = "load" if source.path == target.path else "renamed"
        return PlanRow(status, target.path, source.path, **shapes, reason=_with_cast(match.reason, source, target))
    found = find_change(source.shape, target.shape, rules, axis=axis, variances=target.own)
    if found is None:
        reason = f"{source.shape} in the file, {target.shape} in the model"
        return PlanRow("shape mismatch", target.path, source.path, **shapes, reason=reason)
    change, how = found
    reason = _with_cast(f"{match.reason}; {how}", source, target)
    return PlanRow("adapted", target.path, source.path, **shapes, reason=reason, change=change)


def _with_cast(reason: str, source: Tensor, target: ModelTensor) -> str:
    wanted = target.value.dtype.name
    return reason if source.dtype.name == wanted else f"{reason}; {source.dtype.name} to {wanted}"


def unused_row(tensor: Tensor, reason: str) -> PlanRow:
    """What becomes of a tensor of the file that goes nowhere."""
    return PlanRow("unused", None, tensor.path, None, tensor.shape, reason)


def facts_of(row: PlanRow) -> tuple:
    """The values that plan and report have in common."""
    return row.status, row.target, row.source, row.target_shape, row.source_shape, row.reason
