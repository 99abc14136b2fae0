"""Predictions and references of cases, read as class numbers on one grid, so that a score compares like with like."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl.data.cohort import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.grid import check_same_grid
from mstl.data.labels import shown
from mstl.data.volume import read_mask
from mstl.errors import InputError
from mstl.evaluation.maps import PREDICTION, map_path, of_picture
from mstl.evaluation.references import on_prediction
from mstl.files import read_json


@dataclass(frozen=True, eq=False)
class Pair:
    """Prediction and reference of a case, uint8 `(i, j, k)` of class numbers; `labels` stand for classes 1, 2, ..."""

    case: Case
    prediction: np.ndarray
    reference: np.ndarray
    labels: tuple[int, ...]
    spacing: tuple[float, float, float]


def read_pairs(
    predictions: str | Path,
    cases: Sequence[Case],
    *,
    labels: Sequence[int] = (),
    binarise_masks: bool = False,
    resample_masks: bool = False,
) -> Iterator[Pair]:
    """Yield `<case>_prediction.nii.gz` (of pictures .png) of `predictions` with the reference mask of each case.

    labels: values of the masks in the order of their classes; () takes those that the .json beside a prediction names,
    else 0 and 1 are expected. binarise_masks: one class of all, cut at 0.5. A reference lies on the prediction's grid,
    or is brought there (`references`); resample_masks: also from a grid that no scan of the case has.
    Raises `InputError` where cases have no mask or no prediction (all are listed), grids differ, a mask holds values
    that are not expected, or a prediction is of other labels than those given.
    """
    paths = {case.name: _path_of(case, predictions) for case in cases}
    _check_complete(cases, paths)
    for case in cases:
        path = paths[case.name]
        own = labels_beside(case, path)
        known = () if binarise_masks else tuple(labels) or own or ()
        _check_declared(path, own, known)
        whatever = own == () or is_picture(path)  # a network of one class says 1, or white, whatever its label was
        one_class = whatever and len(known) == 1
        prediction = read_mask(path, labels=() if one_class else known, binarise=binarise_masks)
        reference = read_mask(case.mask, labels=known, binarise=binarise_masks)
        reference = on_prediction(reference, case, prediction, anywhere=resample_masks)
        check_same_grid(prediction.grid, reference.grid, names=(f"Prediction {path}", f"reference {case.mask}"))
        yield Pair(case, prediction.data, reference.data, known, reference.spacing)


def _path_of(case: Case, predictions: str | Path) -> Path:
    """The file of a case's prediction, or where it is expected."""
    path = map_path(predictions, case.name, PREDICTION)
    return path if path.exists() or not is_picture(next(iter(case.images.values()))) else of_picture(path)


def labels_beside(case: Case, prediction: Path) -> tuple[int, ...] | None:
    """The labels that a prediction's .json names, () where it is of one class; None where there is no .json."""
    record = prediction.with_name(f"{case.name}.json")
    return tuple(read_json(record).get("labels") or ()) if record.is_file() else None


def _check_declared(path: Path, own: tuple[int, ...] | None, known: tuple[int, ...]) -> None:
    """Raise unless the labels that a prediction was made for are among the `known` ones."""
    if own is None or not known:
        return
    if not own and len(known) > 1:
        raise InputError(
            f"Prediction {path} tells lesion from no lesion, so labels {shown(known)} cannot be scored. Leave --labels "
            "out and pass --binarise-masks, which makes one class of the reference's labels."
        )
    if not set(own) <= set(known):
        raise InputError(
            f"Prediction {path} is of labels {shown(own)}, but {shown(known)} are declared. Declare all that the "
            f"prediction and the reference hold: --labels {shown(sorted({*own, *known}))}."
        )


def _check_complete(cases: Sequence[Case], paths: dict[str, Path]) -> None:
    if not cases:
        raise InputError("The cohort holds no case; nothing can be scored. Check the cohort's CSV.")
    unlabelled = [case.name for case in cases if case.mask is None]
    if unlabelled:
        raise InputError(
            f"Cases without a mask: {', '.join(unlabelled)}. Scores need one a case: fill the mask column, "
            "or leave these cases out."
        )
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        folder = next(iter(paths.values())).parent
        there = {case.subject: None for case in cases if paths[case.name].is_file()}
        only = f", or score the others alone: --subjects {','.join(there)}" if there else ""
        raise InputError(f"{folder} lacks {', '.join(missing)}. Run 'mstl predict' on these cases first{only}.")
