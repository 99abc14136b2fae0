"""The uncertainty of a report: maps of some cases, intervals of lesion volumes, calibration."""
from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from mstl.data.cohort import Case
from mstl.evaluation.maps import ENTROPY, MUTUAL_INFORMATION, map_path, predicted_names
from mstl.evaluation.uncertainty_scores import read_uncertainty, uncertainty_path, uncertainty_summary
from mstl.files import read_json
from mstl.reporting.cases import read_case, read_map
from mstl.reporting.figures import to_png_uri, to_svg
from mstl.reporting.folder import as_rows, read_csv
from mstl.reporting.slices import slice_heights
from mstl.reporting.uncertainty_figures import reliability_diagram, uncertainty_sheet, volume_intervals

SHEETS, DPI = 6, 90  # cases whose maps are drawn, and how finely: maps are smooth
BAYESIAN = "unet3d-bayesian"  # the model whose runs can be sampled
COLUMNS = {  # column: (heading, explanation, digits)
    "ece": ("ECE", "Expected calibration error: how far probabilities are from the part that is lesion", 4),
    "brier": ("Brier", "Mean square of probability less 0 or 1", 4),
    "entropy_auroc": ("Entropy AUROC", "Chance that a wrong voxel has more entropy than a right one; 0.5 is none", 3),
    "entropy_correlation": ("Correlation", "Spearman's of entropy with being wrong", 3),
    "information_auroc": ("Information AUROC", "The same of mutual information", 3),
    "information_correlation": ("Correlation", "Spearman's of mutual information with being wrong", 3),
    "reference_ml": ("Reference ml", "Lesion volume of the reference mask", 2),
}


def uncertainty_section(
    run: Path,
    experiment: Mapping,
    cases: Sequence[Case],
    *,
    predictions: str | Path | None,
    scores: object,
) -> dict | None:
    """What the page says of uncertainty; None where the run and the predictions know of none.

    `cases` are those that the page shows, lowest Dice first; `predictions` is the folder of 'mstl predict'; `scores` a
    path beside which 'mstl evaluate' wrote its tables. A Bayesian run without maps gets a `hint` how to add them.
    Raises `InputError` where a table cannot be read.
    """
    names = [] if predictions is None else predicted_names(predictions)
    mapped = [name for name in names if map_path(predictions, name, ENTROPY).exists()]
    if not mapped:
        return {"hint": _hint(run)} if experiment.get("model") == BAYESIAN else None
    tables = read_uncertainty(scores) if isinstance(scores, (str, Path)) else None
    shown = [case for case in cases if case.name in mapped][:SHEETS]
    volumes = _volumes(Path(predictions), mapped, tables)
    return {
        "sheets": [_sheet(case, predictions) for case in shown],
        "mapped": len(mapped),
        "volumes": None if volumes.empty else Markup(to_svg(volume_intervals(volumes))),
        **({} if tables is None else _scored(*tables, scores)),
    }


def _scored(rows: pd.DataFrame, bins: pd.DataFrame, scores: str | Path) -> dict:
    _, rules = read_csv(uncertainty_path(scores), "Write it with 'mstl evaluate'.")
    return {
        "summary": uncertainty_summary(rows, bins),
        "reliability": Markup(to_svg(reliability_diagram(bins))),
        "columns": COLUMNS,
        "rows": as_rows(rows),
        "rules": rules,
    }


def _sheet(case: Case, predictions: str | Path) -> dict:
    """The maps of a case, as the page shows them."""
    shown = read_case(case, predictions)
    entropy, information = (
        read_map(predictions, f"{case.name}{ending}", grid=shown.grid) for ending in (ENTROPY, MUTUAL_INFORMATION)
    )
    maps = {
        "mean probability": (shown.probability, 1.0),
        "entropy": (entropy, float(np.log(max(2, len(shown.labels) + 1)))),
        "mutual information": (information, None),
    }
    figure = uncertainty_sheet(
        shown.image, maps, {"reference": shown.reference, "prediction": shown.prediction},
        spacing=shown.grid.spacing, title=shown.name, positions=slice_heights(shown.grid),
    )  # fmt: skip
    return {"name": case.name, "picture": to_png_uri(figure, dpi=DPI)}


def _volumes(folder: Path, names: Sequence[str], tables: tuple | None) -> pd.DataFrame:
    """Volume and interval of each predicted case that has one, and the reference's volume where it was scored."""
    truth = {} if tables is None else dict(zip(tables[0]["case"], tables[0]["reference_ml"], strict=True))
    rows = []
    for name in names:
        path = folder / f"{name}.json"
        record = read_json(path) if path.exists() else {}
        if "lesion_ml_interval" in record:
            low, high = record["lesion_ml_interval"]
            rows.append((name, record["lesion_ml"], low, high, truth.get(name, np.nan)))
    return pd.DataFrame(rows, columns=["case", "prediction_ml", "low_ml", "high_ml", "reference_ml"])


def _hint(run: Path) -> str:
    name = shlex.quote(str(run))
    predict, out = f"mstl predict {name} cohort.csv --samples 20 --out samples", "--predictions samples"
    evaluate = "mstl evaluate samples cohort.csv --out scores.csv"
    return f"{predict} && {evaluate} && mstl report {name} {out} --cohort cohort.csv --scores scores.csv"
