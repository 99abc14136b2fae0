"""The maps of a prediction: how their files are called, and the probability of any lesion read from one."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mstl.data.volume import Volume, read_volume

PROBABILITY = "_probability.nii.gz"  # after the name of the case, as those below
ENTROPY = "_entropy.nii.gz"
MUTUAL_INFORMATION = "_mutual_information.nii.gz"


def read_lesion_probability(path: str | Path, *, labels: Sequence[int] = ()) -> Volume:
    """The probability of any lesion, float32 `(i, j, k)`, of a case's file of probabilities.

    Of several classes, which more than one of `labels` tells of, it is what the background, the first volume of a 4D
    file, is not. Raises `InputError` as `read_volume` does.
    """
    if len(labels) < 2:
        return read_volume(path, allow_constant=True)
    background = read_volume(f"{path}#0", allow_constant=True)
    return Volume(1 - np.asarray(background.data, np.float32), background.affine)
