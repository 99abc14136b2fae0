"""The report of a run: one HTML file that holds everything it shows and asks nothing of the network."""
from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from mstl.data.cohort import Cohort
from mstl.data.formats.pictures import is_picture
from mstl.errors import InputError
from mstl.evaluation.maps import predicted_names
from mstl.evaluation.scores import PICTURE_RULE, in_pixels
from mstl.files import read_json, write_text
from mstl.reporting import pictures
from mstl.reporting.cases import ShownCase, read_case
from mstl.reporting.class_figures import class_curves, class_sheet
from mstl.reporting.curves import best_epoch, learning_curves, minima_of
from mstl.reporting.domain_section import domain_section
from mstl.reporting.figures import (
    overlay_sheet,
    to_png_uri,
    to_svg,
    volume_agreement,
)
from mstl.reporting.folder import (
    as_rows,
    chosen_cut,
    environment_groups,
    experiment_groups,
    flatten,
    read_csv,
    read_experiment,
    read_history,
)
from mstl.reporting.gan_page import write_gan_report
from mstl.reporting.regions import regions_section
from mstl.reporting.slices import slice_heights
from mstl.reporting.template import render
from mstl.reporting.twin import twin_section
from mstl.reporting.uncertainty import uncertainty_section
from mstl.reporting.viewer import probability_viewer
from mstl.reporting.weights import weights_section
from mstl.settings import PRETRAINING, command_of

COLUMNS = {  # column of scores.csv: (heading, explanation, digits)
    "dice": ("Dice", "Overlap: twice the common volume over the sum of both; 1 is perfect", 3),
    "iou": ("IoU", "Common volume over united volume", 3),
    "hausdorff95_mm": ("HD95 mm", "95th percentile of the distances between both surfaces", 1),
    "lesion_f1": ("Lesion F1", "Agreement counted in lesions instead of voxels", 3),
    "reference_ml": ("Reference ml", "Lesion volume of the reference mask", 2),
    "prediction_ml": ("Prediction ml", "Lesion volume of the prediction", 2),
    "sensitivity": ("Sensitivity", "Part of the lesion volume that was found", 3),
    "precision": ("Precision", "Part of the predicted volume that is lesion", 3),
}
NEEDED = ("case", "dice", "reference_ml", "prediction_ml")


def write_report(
    run: str | Path,
    *,
    predictions: str | Path | None = None,
    cohort: Cohort | None = None,
    scores: str | Path | pd.DataFrame | None = None,
    twin_scores: str | Path | pd.DataFrame | None = None,
    domain_shift: str | Path | None = None,
    out: str | Path | None = None,
    sheets: int = 20,
) -> Path:
    """Write the report of a run folder as one self-contained HTML file; returns its path.

    `predictions` is a folder of `mstl predict`, `cohort` has the scans and masks of its cases, `scores` is
    what `mstl evaluate` wrote (or a frame with its columns); a section whose data are absent says how to add
    it. `twin_scores` are those of the run's twin (see `Experiment.from_scratch`). `domain_shift` is a folder of
    `mstl domain-shift`, by default the run's own where it holds one. `out` is `run/report.html` by default; `sheets`
    is how many overlay sheets are drawn at most, lowest Dice first. A folder of `mstl pretrain gan` gets the page of
    `write_gan_report`, one of `mstl pretrain kernel-prior` that of `write_kernel_report`. Raises `InputError` where the
    run has no history.csv or experiment.yaml, or something given is wrong.
    """
    run = Path(run)
    experiment = read_experiment(run)
    if kind := experiment.get(PRETRAINING):
        given = {"predictions": predictions, "cohort": cohort, "scores": scores, "twin_scores": twin_scores}
        _refuse_for_pretraining(run, kind, **given, domain_shift=domain_shift)
        return _write_pretraining_report(run, kind, out=out)
    history = read_history(run, needed=("epoch", "loss", "dice"))
    table, conventions = _read_scores(scores)
    shown, left_out = _select_cases(predictions, cohort, table, sheets)
    flat = PICTURE_RULE in conventions or any(is_picture(path) for case in shown for path in case.images.values())
    context = {
        "run": run.resolve().name,
        "folder": str(run),
        "hints": _hints(run, predictions, scores),
        "answer": _answer(table, history, _threshold(run, predictions)),
        "experiment": experiment_groups(run, experiment),
        "weights": weights_section(run),
        "twin": twin_section(
            run, experiment, history, scores=table, twin_scores=_read_scores(twin_scores)[0],
            given={"predictions": predictions, "scores": scores if isinstance(scores, (str, Path)) else None},
        ),
        "domain": domain_section(run, experiment, given=domain_shift),
        "curves": Markup(to_svg(learning_curves(history, minima=minima_of(experiment, history)))),
        "class_curves": _svg(class_curves(history)),
        "scores": _scores_section(table, conventions, [case.name for case in shown]),
        "volumes": _svg(None if table is None else volume_agreement(table, pictures=PICTURE_RULE in conventions)),
        "flat": flat,
        "pooled": pictures.pooled_sentence(scores) if flat else "",
        "regions": regions_section(scores),
        "uncertainty": uncertainty_section(run, experiment, shown, predictions=predictions, scores=scores),
        "left_out": left_out,
        "environment": _environment_section(run, predictions),
        **_pictures(shown, predictions, table),
    }
    out = run / "report.html" if out is None else Path(out)
    write_text(out, render("report.html.j2", context))
    return out


def _svg(figure: Figure | None) -> Markup | None:
    return None if figure is None else Markup(to_svg(figure))


def _refuse_for_pretraining(run: Path, kind: str, **given: object) -> None:
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise InputError(
            f"{run} is of '{command_of(kind)}', which segments nothing: its report takes no {', '.join(names)}. "
            "Leave them out, or give the folder of the segmenter."
        )


def _write_pretraining_report(run: Path, kind: str, *, out: str | Path | None) -> Path:
    if kind == "gan":
        return write_gan_report(run, out=out)
    from mstl.reporting.kernel_page import write_kernel_report  # starts TensorFlow, which no other page needs

    return write_kernel_report(run, out=out)


def _read_scores(scores: str | Path | pd.DataFrame | None) -> tuple[pd.DataFrame | None, str]:
    """Scores, lowest Dice first, cases with an empty reference last, pictures' in pixels; the header's conventions."""
    if scores is None:
        return None, ""
    conventions, name = "", "Scores"
    if not isinstance(scores, pd.DataFrame):
        name = str(scores)
        scores, conventions = read_csv(Path(scores), "Write it with 'mstl evaluate'.")
    missing = [column for column in NEEDED if column not in scores]
    if missing or scores.empty:
        lack = f"no column {', '.join(missing)}" if missing else "no case"
        raise InputError(f"{name} has {lack}. Write it with 'mstl evaluate'.")
    empty = scores["empty_reference"] if "empty_reference" in scores else scores["reference_ml"] == 0
    scores = in_pixels(scores) if PICTURE_RULE in conventions else scores
    scores = scores.assign(case=scores["case"].astype(str), empty_reference=empty.astype(bool))
    return scores.sort_values(["empty_reference", "dice"], ignore_index=True), conventions


def _select_cases(predictions, cohort: Cohort | None, table: pd.DataFrame | None, sheets: int):
    """Cases of the cohort to show, lowest Dice first, and a sentence on those that are not shown."""
    if predictions is None or cohort is None:
        return [], ""
    names, known = predicted_names(predictions), {case.name: case for case in cohort}
    found = [name for name in names if name in known]
    if not found:
        raise InputError(
            f"{predictions} holds predictions of {names[0]} (and {len(names) - 1} more), none of which is in "
            "the cohort. Give the cohort that was predicted."
        )
    rank = {} if table is None else {name: index for index, name in enumerate(table["case"])}
    found.sort(key=lambda name: (rank.get(name, len(rank)), name))
    sentences = []
    if len(found) > sheets:
        sentences.append(f"Drawn: {sheets} of {len(found)} cases, lowest Dice first.")
    if len(found) < len(names):
        sentences.append("Not in the cohort: " + ", ".join(name for name in names if name not in known) + ".")
    return [known[name] for name in found[:sheets]], " ".join(sentences)


def _pictures(cases: Sequence, predictions: str | Path | None, table: pd.DataFrame | None) -> dict:
    """Overlay sheet of every case, one in memory at a time; viewer of the first that has a probability."""
    dice = {} if table is None else dict(zip(table["case"], table["dice"], strict=True))
    overlays, viewer = [], None
    for number, case in enumerate(cases, start=1):
        shown = read_case(case, predictions)
        value = dice.get(shown.name, np.nan)
        overlays.append({"id": f"case-{number}", "name": shown.name, "modality": shown.modality, "labels": shown.labels,
                         "picture": _sheet_uri(shown, value), "alt": _describe(shown, value)})
        if viewer is None and shown.probability is not None and not shown.is_picture:
            viewer = {"name": shown.name, "modality": shown.modality,
                      "page": probability_viewer(shown.image, shown.probability, grid=shown.grid)}
    return {"overlays": overlays, "viewer": viewer}


def _sheet_uri(shown: ShownCase, dice: float) -> str:
    title = f"{shown.name}   Dice {dice:.3f}" if np.isfinite(dice) else shown.name
    if shown.is_picture:
        arrays = shown.image, shown.reference, shown.prediction
        return to_png_uri(pictures.picture_sheet(*arrays, title=title, labels=shown.labels))
    draw = partial(class_sheet, labels=shown.labels) if shown.labels else overlay_sheet
    return to_png_uri(draw(
        shown.image, shown.reference, shown.prediction,
        spacing=shown.grid.spacing, title=title, positions=slice_heights(shown.grid),
    ))


def _describe(shown: ShownCase, dice: float) -> str:
    score = f", Dice {dice:.3f}" if np.isfinite(dice) else ""
    what = "labels" if shown.labels else "outlines"
    image = f"{shown.modality} image" if shown.is_picture else f"Axial {shown.modality} slices"
    return f"{image} of {shown.name} with {what} of reference and prediction{score}"


def _threshold(run: Path, predictions: str | Path | None) -> dict | None:
    """The threshold and clean-up that the predictions were made with, else those of the run."""
    for path in [*_sidecars(predictions)[:1], run / "threshold.json"]:
        record = read_json(path) if path.exists() else {}
        if "threshold" in record:
            value, clean_up = chosen_cut(record)
            return {"value": value, "clean_up": clean_up, "chosen": (run / "threshold.json").exists()}
    return None


def _sidecars(predictions: str | Path | None) -> list[Path]:
    if predictions is None:
        return []
    paths = [Path(predictions) / f"{name}.json" for name in predicted_names(predictions)]
    return [path for path in paths if path.exists()]


def _answer(table: pd.DataFrame | None, history: pd.DataFrame, threshold: dict | None) -> dict:
    """What the head of the page says: scores of the cases with lesions, validation, threshold."""
    answer = {"threshold": threshold, "best": best_epoch(history), "epochs": int(history["epoch"].max())}
    if table is None:
        return answer
    full = table[~table["empty_reference"]]
    answer |= {"cases": len(full), "empty": len(table) - len(full), "dots": as_rows(full)}
    if full["dice"].notna().any():
        low, median, high = (float(value) for value in full["dice"].quantile([0, 0.5, 1]))
        answer |= {"median": median, "low": low, "high": high}
    for column in ("hausdorff95_mm", "lesion_f1"):
        if column in full and full[column].notna().any():
            answer[column] = float(full[column].median())
    return answer


def _scores_section(table: pd.DataFrame | None, conventions: str, shown: Sequence[str]) -> dict | None:
    if table is None:
        return None
    about = COLUMNS | (pictures.COLUMNS if PICTURE_RULE in conventions else {})
    columns = {name: words for name, words in about.items() if name in table}
    medians = table.loc[~table["empty_reference"], list(columns)].median()
    links = {name: f"case-{number}" for number, name in enumerate(shown, start=1)}
    return {"columns": columns, "rows": as_rows(table), "links": links, "conventions": conventions,
            "medians": medians.to_dict(), "empty": int(table["empty_reference"].sum())}


def _environment_section(run: Path, predictions: str | Path | None) -> list[dict]:
    groups = environment_groups(run)
    for path in _sidecars(predictions)[:1]:
        groups.append({"title": f"Prediction ({path.stem})", "items": flatten(read_json(path))})
    return groups


def _hints(run: Path, predictions: str | Path | None, scores: object) -> dict[str, str]:
    """For each section that may lack its data, the commands that add it."""
    name, folder = shlex.quote(str(run)), shlex.quote(str(predictions or "predictions"))
    table = shlex.quote(str(scores)) if isinstance(scores, (str, Path)) else "scores.csv"
    predict = "" if predictions else f"mstl predict {name} cohort.csv --out {folder} && "
    report = f"mstl report {name} --predictions {folder} --cohort cohort.csv"
    return {
        "scores": f"{predict}mstl evaluate {folder} cohort.csv --out {table} && {report} --scores {table}",
        "overlays": f"{predict}{report}" + (f" --scores {table}" if scores is not None else ""),
    }
