"""Does a pre-trained generator restore what is hidden better than simple fillings do, and by how much?"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mstl.reporting.gan_figure import BASELINES, best_restoration

SCORED = ("mae", "ssim", *(f"{method}_{score}" for method in BASELINES for score in ("mae", "ssim")))


def restoration_answer(history: pd.DataFrame, baselines: Mapping, subjects: pd.DataFrame | None) -> dict | None:
    """Scores of the generator and of each simple filling on what was held out; None where nothing was.

    subjects: rows of restoration.csv, those of the side that answers first, or None; then the best epoch of `history`
    stands beside `baselines`, as baselines.json has them. Errors are in units of images in [0, 1].
    """
    best = best_restoration(history)
    if subjects is not None:
        subjects = subjects[subjects["side"] == subjects["side"].iloc[0]]
        means = subjects[list(SCORED)].mean()
        where = f"{len(subjects)} held-out {subjects['side'].iloc[0]} subject{'s' if len(subjects) > 1 else ''}"
    elif best is not None:
        means = _means_of_validation(history[history["epoch"] == best[0]].iloc[0], baselines)
        where = "the validation slices"
    else:
        return None
    fillings = [_compare(name, means, subjects) for name in BASELINES]
    answer = {"where": where, "best": best, "mae": float(means["mae"]), "ssim": float(means["ssim"])}
    count = None if subjects is None else len(subjects)
    answer |= {"subjects": count, "fillings": fillings, "verdict": _verdict(fillings)}
    return answer | {"squares": _squares(subjects)}


def _squares(subjects: pd.DataFrame | None) -> dict | None:
    """The generator's error in whole hidden squares, air included, and the fillings' as multiples; None: not scored."""
    if subjects is None or "squares_mae" not in subjects:
        return None
    error = float(subjects["squares_mae"].mean())
    times = {BASELINES[name]: float(subjects[f"squares_{name}_mae"].mean()) / max(error, 1e-9) for name in BASELINES}
    return {"mae": error, "times": times}


def _means_of_validation(row: pd.Series, baselines: Mapping) -> dict[str, float]:
    """The numbers of a best epoch and of the baselines, named as in restoration.csv."""
    means = {score: row.get(f"val_hidden_{score}", math.nan) for score in ("mae", "ssim")}
    for name in BASELINES:
        known = baselines.get(name, {})
        means |= {f"{name}_{score}": known.get(f"hidden_{score}", math.nan) for score in ("mae", "ssim")}
    return means


def _compare(name: str, means: Mapping, subjects: pd.DataFrame | None) -> dict:
    """A filling beside the generator: `times` is its error as a multiple of the generator's, `wins` counts subjects."""
    mae, ssim = float(means[f"{name}_mae"]), float(means[f"{name}_ssim"])
    errors = np.array([mae, means["mae"]], dtype=float)
    similarities = np.array([ssim, means["ssim"]], dtype=float)
    known = np.isfinite(errors).all() and errors[1] > 0
    return {
        "name": BASELINES[name],
        "mae": mae,
        "ssim": ssim,
        "times": float(errors[0] / errors[1]) if known else None,
        "beaten_by_ssim": bool(similarities[0] < similarities[1]) if np.isfinite(similarities).all() else None,
        "wins": None if subjects is None else int((subjects["mae"] < subjects[f"{name}_mae"]).sum()),
    }


def _verdict(fillings: Sequence[Mapping]) -> str:
    """Whether the generator beats the fillings, in a plain sentence."""
    known = [one for one in fillings if one["times"] is not None]
    if not known:
        return "How simple fillings would do is not known: the folder has no baselines.json."
    beaten = [one["name"] for one in known if one["times"] > 1]
    others = [one["name"] for one in known if one["times"] <= 1]
    if not others:
        sentence = f"It beats {' and '.join(beaten)}."
    elif beaten:
        sentence = f"It beats {' and '.join(beaten)}, but not {' and '.join(others)}."
    else:
        sentence = f"It does not beat {' or '.join(others)}: it has learned little so far."
    differ = [one["name"] for one in known if one["beaten_by_ssim"] not in (None, one["times"] > 1)]
    return sentence + (f" By SSIM it is the other way round for {' and '.join(differ)}." if differ else "")
