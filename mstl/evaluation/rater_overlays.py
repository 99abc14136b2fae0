"""Pictures of cases with the outlines of several raters and of a prediction: where experts differ, and the network."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mstl.data.case import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.indexing import Index
from mstl.data.volume import read_mask, read_volume
from mstl.errors import InputError
from mstl.evaluation.maps import PREDICTION, map_path
from mstl.evaluation.overlay import draw_raters
from mstl.files import new_folder, whole_folder
from mstl.training.panels import write_png

RATERS = "_raters.png"  # after the name of the case


def write_rater_overlays(
    index: Index,
    out: str | Path,
    *,
    raters: Sequence[str],
    predictions: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write `<case>_raters.png` into the new folder `out` for every picture that all of `raters` have a mask of.

    predictions: a folder of `mstl predict`, whose masks are drawn too. progress: called with a case's name when it is
    done. Returns the folder. Raises `InputError` where no picture has masks by all, and where a prediction is missing.
    """
    cases = [case for case in index.cases if set(raters) <= set(index.raters[case.name])]
    cases = [case for case in cases if is_picture(_image(case))]
    if not cases:
        raise InputError(f"No picture has masks by raters {', '.join(raters)}. Leave the pictures out, or name others.")
    out = new_folder(out)
    with whole_folder(out) as temporary:
        for case in cases:
            masks = {name: read_mask(index.raters[case.name][name]).data[..., 0] for name in raters}
            predicted = None if predictions is None else _prediction(Path(predictions), case)
            picture = draw_raters(read_volume(_image(case)).data[..., 0], masks, prediction=predicted)
            write_png(temporary / f"{case.name}{RATERS}", picture)
            if progress is not None:
                progress(case.name)
    return out


def _image(case: Case) -> Path:
    return next(iter(case.images.values()))


def _prediction(folder: Path, case: Case) -> np.ndarray:
    path = map_path(folder, case.name, PREDICTION)
    if not path.is_file():
        raise InputError(f"{folder} lacks {path.name}. Run 'mstl predict' on this case, or leave predictions out.")
    return read_mask(path, binarise=True).data[..., 0]
