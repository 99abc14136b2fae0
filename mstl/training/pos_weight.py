"""How much a lesion's voxel must count for lesions and background to weigh the same, and what that does to a cut."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mstl.data.prepared import PreparedCase
from mstl.errors import InputError

LEAST, MOST = 1.0, 100.0  # beyond it a few lesion voxels undo in one step what all others have taught


def pos_weight_of(cases: Iterable[PreparedCase], *, keep: str = "all") -> float:
    """Background voxels for each lesion voxel in the slices that a pass draws from `cases`; at least 1, at most 100.

    keep: which slices these are, as of `SliceSampler`; for volumes "all". Whole slices are counted, where crops around
    lesions and patches hold more lesion. Nothing but the cases' records is read. Raises `InputError` where no case has
    a lesion voxel.
    """
    rows = [
        (case.shape[1] * case.shape[2], lesion, bool(brain))
        for case in cases
        for lesion, brain in zip(case.lesion_voxels, case.brain_voxels, strict=True)
    ]
    area, lesion, brain = (np.array(column) for column in zip(*rows, strict=True))
    if not lesion.any():
        raise InputError(
            "No training case has a lesion voxel, so pos_weight cannot be computed. Give it, as pos_weight=25."
        )
    voxels = area @ _drawn(lesion > 0, brain, keep=keep)
    return float(np.clip(voxels / lesion.sum() - 1, LEAST, MOST))


def even_cut(pos_weight: float | None) -> float:
    """The probability that a voxel as likely lesion as not is given, where lesion counts w = `pos_weight` times.

    That is w / (w + 1), and 0.5 where the loss weighs nothing (None).
    """
    return 0.5 if pos_weight is None else pos_weight / (pos_weight + 1)


def _drawn(lesion: np.ndarray, brain: np.ndarray, *, keep: str) -> np.ndarray:
    """How often a pass draws each slice, by whether it shows lesion and brain."""
    if keep == "balanced":
        free = brain & ~lesion
        return lesion + free * min(1.0, lesion.sum() / max(free.sum(), 1))
    return {"lesion": lesion, "brain": brain}.get(keep, np.ones(len(lesion)))
