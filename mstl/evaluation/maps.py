"""The maps of a prediction: how their files are called, and the probability of any lesion read from them."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mstl.data.formats.pictures import is_picture
from mstl.data.volume import Volume, read_volume
from mstl.errors import InputError

PREDICTION = "_prediction.nii.gz"  # after the name of the case, as those below; of pictures they end in .png
PROBABILITY = "_probability.nii.gz"
ENTROPY = "_entropy.nii.gz"
MUTUAL_INFORMATION = "_mutual_information.nii.gz"
OVERLAY = "_overlay.png"
CERTAIN = 65535  # a probability of 1 in the 16 bits of a picture


def map_path(folder: str | Path, name: str, ending: str) -> Path:
    """The file of case `name` that ends so, as `PREDICTION`, in a folder of predictions.

    It ends in .png where the folder holds the case's prediction as a picture and none as a volume.
    """
    folder = Path(folder)
    prediction = folder / f"{name}{PREDICTION}"
    picture = not prediction.exists() and of_picture(prediction).exists()
    return of_picture(folder / f"{name}{ending}") if picture else folder / f"{name}{ending}"


def of_picture(path: Path) -> Path:
    """The path of the same map of a picture."""
    return path.with_name(path.name.replace(".nii.gz", ".png"))


def predicted_names(folder: str | Path) -> list[str]:
    """Names of the cases that a predictions folder holds; raises `InputError` where there is none."""
    folder = Path(folder)
    endings = (PREDICTION, of_picture(Path(PREDICTION)).name)
    names = {path.name[: -len(ending)] for ending in endings for path in folder.glob(f"*{ending}")}
    if not names:
        raise InputError(f"{folder} holds no file *{PREDICTION}. Give the folder that 'mstl predict' wrote.")
    return sorted(names)


def probability_files(path: Path, *, labels: Sequence[int] = ()) -> list[Path]:
    """The files that the probabilities of `map_path` stand in: of a picture with several labels one a label."""
    if not is_picture(path) or len(labels) < 2:
        return [path]
    return [path.with_name(f"{path.stem}_{label}{path.suffix}") for label in labels]


def read_lesion_probability(path: str | Path, *, labels: Sequence[int] = ()) -> Volume:
    """The probability of any lesion, float32 `(i, j, k)`, of a case's file of probabilities (`map_path`).

    Of several classes, which more than one of `labels` tells of, it is what the background, the first volume of a 4D
    file, is not; of a picture the sum of the labels' files. Raises `InputError` as `read_volume` does.
    """
    path = Path(path)
    if is_picture(path):
        parts = [read_volume(one, allow_constant=True) for one in probability_files(path, labels=labels)]
        total = sum(np.asarray(part.data, np.float32) for part in parts) / np.float32(CERTAIN)
        return Volume(np.minimum(total, 1), parts[0].affine, path)
    if len(labels) < 2:
        return read_volume(path, allow_constant=True)
    background = read_volume(f"{path}#0", allow_constant=True)
    return Volume(1 - np.asarray(background.data, np.float32), background.affine)
