"""Prediction: prepared or raw cases and a run in, masks and probabilities on the scanner's own grid out."""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import mstl
from mstl.data.cohort import Cohort
from mstl.data.preparation import Preparation
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCase, PreparedCohort, to_native
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.decision import Decision
from mstl.evaluation.predictor import LESION, Predictor
from mstl.evaluation.references import MOTIONS, motions
from mstl.files import new_folder, sha256, whole_folder, write_json
from mstl.training.run import Run

SAME_PREPARATION = (  # what images are made by; of masks, and so of labels, nothing is read
    "modalities", "spacing", "shape", "steps", "brain", "normalise", "landmarks",
)  # fmt: skip
WHOLE = "whole volume"  # in a prediction's .json where a 3D model saw all in one pass


def predict(
    run: Run | str | Path,
    cases: PreparedCohort | Cohort,
    *,
    out: str | Path,
    threshold: float | None = None,
    flip: bool = False,
    overlap: float | None = None,
    weights: str = "best",
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write `<case>_prediction.nii.gz`, `<case>_probability.nii.gz` and `<case>.json` of every case to `out`.

    A mask is uint8 and holds 1 for lesion, or the labels of several classes. Probabilities are float32 `(i, j, k)` of
    the lesion, or `(i, j, k, K)` of several classes with the background first.

    cases: prepared as the run's training data were, or raw: then they are prepared so on the way.
    threshold: probability from which a voxel is lesion; None takes the run's, with the clean-up that was chosen with
    it (see `mstl threshold`). Of several classes the most probable one is taken, with the run's clean-up.
    flip: average with the prediction of the left-right mirrored images. overlap: of neighbouring windows of a 3D
    model, in [0, 1); None takes the run's. weights: "best" or "last".
    progress: called with a case's name when it is done. Returns the folder, which appears when all are done.
    Raises `InputError` where cases were prepared otherwise, the threshold is not in (0, 1) or given for several
    classes, an overlap for a 2D model, memory does not suffice, or `out` is not empty.
    """
    run = run if isinstance(run, Run) else Run(run)
    if isinstance(cases, PreparedCohort):
        check_preparation(cases, run)
    predictor = Predictor.of_run(run, weights=weights, flip=flip, overlap=overlap)
    if overlap is not None and not predictor.is_3d:
        raise InputError(f"overlap is {overlap}, but run {run.folder} sees slices, not windows. Leave it out.")
    decision = Decision.of_run(run, classes=predictor.classes, threshold=threshold)
    out = new_folder(out)
    facts = {
        **decision.to_record(),
        "flip_average": flip,
        "run": str(run.folder.resolve()),
        "weights": run.weights(weights).name,
        "weights_sha256": sha256(run.weights(weights)),
        "mstl": mstl.__version__,
    }
    with whole_folder(out) as temporary:
        for case, probability in _probabilities(predictor, cases, run):
            _write_prediction(temporary, case, probability, decision, {**facts, **_windows(predictor, case)})
            if progress is not None:
                progress(case.name)
    return out


def check_preparation(cases: PreparedCohort, run: Run) -> None:
    """Raise `InputError` unless `cases` were prepared with the parameters of the run's training data."""
    prepared = Preparation.of_record(cases.preparation, source=cases.folder)
    trained = Preparation.of_record(run.preparation, source=run.folder)
    for name in SAME_PREPARATION:
        given, expected = getattr(prepared, name), getattr(trained, name)
        if given != expected:
            raise InputError(
                f"{cases.folder} was prepared with {name} {given}, the run {run.folder} was trained with {expected}. "
                "Give 'mstl predict' the raw cohort.csv: it prepares the scans as the run needs them."
            )


def _probabilities(predictor: Predictor, cases: PreparedCohort | Cohort, run: Run):
    """Yield each prepared case with its probabilities; raw cases are prepared one at a time and dropped after."""
    if isinstance(cases, PreparedCohort):
        yield from ((case, predictor(case)) for case in cases)
        return
    settings = asdict(Preparation.of_record(run.preparation, source=run.folder))
    cases.require(settings["modalities"])
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            prepared = prepare(Cohort([replace(case, mask=None)]), Path(folder) / "prepared", **settings)
            yield prepared[0], predictor(prepared[0])


def _windows(predictor: Predictor, case: PreparedCase) -> dict:
    """How a 3D model saw the case."""
    if not predictor.is_3d:
        return {}
    window = predictor.window_of(case.shape)
    return {"window": WHOLE} if window is None else {"window": window, "overlap": predictor.overlap}


def _write_prediction(
    out: Path, case: PreparedCase, probability: np.ndarray, decision: Decision, facts: dict
) -> None:
    grid, native = case.native_grid, _on_native_grid(probability, case)
    prediction = decision(native, voxel_ml=grid.voxel_ml)
    reference, labels = case.record["sources"][case.modalities[0]], decision.labels
    shown = native[..., 0] if native.shape[-1] == 1 else native
    write_volume(out / f"{case.name}_probability.nii.gz", shown, grid.affine)
    write_volume(out / f"{case.name}_prediction.nii.gz", prediction, grid.affine)
    sidecar = {
        "case": case.name,
        "space": "grid of the reference scan",
        "reference": reference,
        MOTIONS: motions(case),
        "brain": next((step["method"] for step in case.record["steps"] if step["name"] == "brain"), None),
        "lesion_ml": grid.volume_ml(prediction),
        **({"label_ml": {label: grid.volume_ml(prediction == label) for label in labels}} if labels else {}),
        **facts,
    }
    write_json(out / f"{case.name}.json", sidecar)


def _on_native_grid(probability: np.ndarray, case: PreparedCase) -> np.ndarray:
    """The lesion's probability `(i, j, k, 1)`, or several classes' `(i, j, k, K)`, each interpolated linearly."""
    if probability.shape[-1] <= 2:
        return to_native(probability[..., LESION], case).data[..., None]
    native = np.empty((*case.native_grid.shape, probability.shape[-1]), np.float32)
    for number in range(1, native.shape[-1]):
        native[..., number] = to_native(probability[..., number], case).data
    native[..., 0] = np.clip(1 - native[..., 1:].sum(axis=-1), 0, 1)  # outside of the prepared volume is background
    return native
