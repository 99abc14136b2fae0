"""Tables of uncertainty beside `scores.csv`: a row a case, and the bins of its reliability diagram."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mstl.data.volume import read_volume
from mstl.errors import InputError
from mstl.evaluation.calibration import (
    BIN_COLUMNS,
    brier_score,
    calibration_error,
    error_detection,
    pooled,
    reliability,
)
from mstl.evaluation.maps import (
    ENTROPY,
    MUTUAL_INFORMATION,
    PREDICTION,
    PROBABILITY,
    map_path,
    read_lesion_probability,
)
from mstl.evaluation.pairs import Pair, labels_beside
from mstl.evaluation.scores import KEYS, beside, read_table
from mstl.files import read_json, write_text

RULES = (
    "Voxels: those of the brain, where the networks were asked, which is where the mean probability or the entropy is "
    "above 0. Both are 0 outside of it, and so are voxels that all networks are sure of beyond float32.",
    "Calibration: ece is the mean difference of the probability of any lesion from the part of voxels that are "
    "lesion, in 10 bins (scores_calibration.csv); brier is the mean square of probability less 0 or 1.",
    "Errors: voxels whose predicted class is not that of the reference. auroc is the chance that a wrong voxel is more "
    "uncertain than a right one, correlation is Spearman's with being wrong; nan without a wrong voxel.",
    "Interval: low_ml to high_ml hold 95 % of the lesion volumes that the sampled networks give, of fewer than 39 all "
    "(see the .json beside a prediction); reference_inside is 1 where the reference's volume is in it, within half a "
    "voxel.",
)
MEASURES = (
    "samples",
    "brain_voxels",
    "ece",
    "brier",
    "entropy_auroc",
    "entropy_correlation",
    "information_auroc",
    "information_correlation",
    "reference_ml",
    "prediction_ml",
    "low_ml",
    "high_ml",
    "reference_inside",
)
UNCERTAINTY_COLUMNS = (*KEYS, *MEASURES)
CALIBRATION_COLUMNS = (*KEYS, *BIN_COLUMNS)


class UncertaintyTables:
    """Collects what a folder of predictions says of its uncertainty, case by case, for two tables."""

    def __init__(self, predictions: str | Path) -> None:
        self._folder = Path(predictions)
        self._rows: list[dict] = []
        self._bins: list[pd.DataFrame] = []

    def add(self, pair: Pair) -> None:
        """Measure a case by `score_uncertainty`; one without maps of uncertainty is left out."""
        case = pair.case
        if map_path(self._folder, case.name, ENTROPY).exists():
            who = {"case": case.name, "subject": case.subject, "session": case.session}
            row, bins = score_uncertainty(pair, self._folder)
            self._rows.append(who | row)
            self._bins.append(bins.assign(**who))

    def write(self, scores: str | Path) -> None:
        """Write both tables beside `scores`; without a case, remove those that an earlier evaluation left there."""
        if self._rows:
            _write(uncertainty_path(scores), pd.DataFrame(self._rows), UNCERTAINTY_COLUMNS)
            _write(calibration_path(scores), pd.concat(self._bins), CALIBRATION_COLUMNS)
        else:
            for path in (uncertainty_path(scores), calibration_path(scores)):
                path.unlink(missing_ok=True)


def score_uncertainty(pair: Pair, predictions: str | Path) -> tuple[dict[str, float | int], pd.DataFrame]:
    """The `MEASURES` of a case by `RULES`, and its table of `reliability`.

    The folder `predictions` holds the case's maps and the .json of `mstl predict --samples`; without a .json there is
    no interval, which is nan then. Raises `InputError` where a map has another shape than the pair's masks, or cannot
    be read.
    """
    folder, name = Path(predictions), pair.case.name
    labels = labels_beside(pair.case, map_path(folder, name, PREDICTION)) or ()
    probability = read_lesion_probability(map_path(folder, name, PROBABILITY), labels=labels).data
    paths = (map_path(folder, name, ending) for ending in (ENTROPY, MUTUAL_INFORMATION))
    maps = (read_volume(path, allow_constant=True).data for path in paths)
    probability, entropy, information = (_checked(one, pair) for one in (probability, *maps))
    brain = (probability > 0) | (entropy > 0)
    said, lesion = np.clip(probability[brain], 0, 1), pair.reference[brain] > 0
    wrong, bins = (pair.prediction != pair.reference)[brain], reliability(said, lesion)
    by_entropy, by_information = (error_detection(one[brain], wrong) for one in (entropy, information))
    row = {
        "brain_voxels": said.size,
        "ece": calibration_error(bins),
        "brier": brier_score(said, lesion),
        **dict(zip(("entropy_auroc", "entropy_correlation"), by_entropy, strict=True)),
        **dict(zip(("information_auroc", "information_correlation"), by_information, strict=True)),
    }
    return row | _volumes(pair, folder / f"{name}.json"), bins


def _checked(values: np.ndarray, pair: Pair) -> np.ndarray:
    if values.shape != pair.prediction.shape:
        raise InputError(
            f"A map of case {pair.case.name} has shape {values.shape}, its mask {pair.prediction.shape}. Both must be "
            "of one prediction: run 'mstl predict' on the case again."
        )
    return values


def _volumes(pair: Pair, path: Path) -> dict[str, float | int]:
    """Volumes of both masks, and the interval where the .json beside the prediction has one."""
    record = read_json(path) if path.is_file() else {}
    voxel_ml = float(np.prod(pair.spacing)) / 1000
    reference, prediction = (np.count_nonzero(mask) * voxel_ml for mask in (pair.reference, pair.prediction))
    low, high = record.get("lesion_ml_interval", (np.nan, np.nan))
    inside = low - voxel_ml / 2 <= reference <= high + voxel_ml / 2
    return {
        "samples": record.get("samples", np.nan),
        "reference_ml": reference,
        "prediction_ml": prediction,
        "low_ml": low,
        "high_ml": high,
        "reference_inside": np.nan if np.isnan(low) else int(inside),
    }


def uncertainty_path(scores: str | Path) -> Path:
    """Where the uncertainty of the cases of a `scores.csv` stands: `scores_uncertainty.csv`, beside it."""
    return beside(scores, "uncertainty")


def calibration_path(scores: str | Path) -> Path:
    """Where the bins of the cases of a `scores.csv` stand: `scores_calibration.csv`, beside it."""
    return beside(scores, "calibration")


def read_uncertainty(scores: str | Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Both tables that stand beside `scores`; None where there are none.

    Raises `InputError` where one of them is missing or is not such a table.
    """
    if not uncertainty_path(scores).exists():
        return None
    rows = read_table(uncertainty_path(scores), columns=UNCERTAINTY_COLUMNS, text=KEYS)
    return rows, read_table(calibration_path(scores), columns=CALIBRATION_COLUMNS, text=KEYS)


def uncertainty_summary(rows: pd.DataFrame, bins: pd.DataFrame) -> dict[str, float | int]:
    """What the tables say in all.

    `cases`; `ece` of all voxels together; the means of `brier`, `entropy_auroc` and `information_auroc` over the cases
    that have one; in how many of `intervals` the reference's volume lies `inside`.
    """
    means = {name: float(rows[name].mean()) for name in ("brier", "entropy_auroc", "information_auroc")}
    inside = rows["reference_inside"].dropna()
    return {
        "cases": len(rows),
        "ece": calibration_error(pooled(bins)),
        **means,
        "inside": int(inside.sum()),
        "intervals": len(inside),
    }


def _write(path: Path, rows: pd.DataFrame, columns: tuple[str, ...]) -> None:
    header = "".join(f"# {line}\n" for line in RULES)
    write_text(path, header + rows[list(columns)].to_csv(index=False, na_rep="nan", lineterminator="\n"))
