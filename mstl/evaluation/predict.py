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
from mstl.evaluation.predictor import LESION, Predictor
from mstl.evaluation.references import MOTIONS, motions
from mstl.evaluation.threshold import apply_threshold
from mstl.files import new_folder, sha256, whole_folder, write_json
from mstl.training.run import Run

SAME_PREPARATION = ("modalities", "spacing", "shape", "steps", "brain", "normalise", "landmarks")


def predict(
    run: Run | str | Path,
    cases: PreparedCohort | Cohort,
    *,
    out: str | Path,
    threshold: float | None = None,
    flip: bool = False,
    weights: str = "best",
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write `<case>_prediction.nii.gz`, `<case>_probability.nii.gz` and `<case>.json` of every case to `out`.

    cases: prepared as the run's training data were, or raw: then they are prepared so on the way.
    threshold: probability from which a voxel is lesion; None takes the run's (see `mstl threshold`).
    flip: average with the prediction of the left-right mirrored slices. weights: "best" or "last".
    progress: called with a case's name when it is done. Returns the folder, which appears when all are done.
    Raises `InputError` where cases were prepared otherwise, the threshold is not in (0, 1), or `out` is not
    empty.
    """
    run = run if isinstance(run, Run) else Run(run)
    threshold = run.threshold if threshold is None else threshold
    if not 0 < threshold < 1:
        raise InputError(f"Threshold is {threshold}; a probability between 0 and 1 is expected.")
    if isinstance(cases, PreparedCohort):
        check_preparation(cases, run)
    predictor = Predictor.of_run(run, weights=weights, flip=flip)
    out = new_folder(out)
    facts = {
        "threshold": threshold,
        "flip_average": flip,
        "run": str(run.folder.resolve()),
        "weights": run.weights(weights).name,
        "weights_sha256": sha256(run.weights(weights)),
        "mstl": mstl.__version__,
    }
    with whole_folder(out) as temporary:
        for case, probability in _probabilities(predictor, cases, run):
            _write_prediction(temporary, case, probability, facts)
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


def _write_prediction(out: Path, case: PreparedCase, probability: np.ndarray, facts: dict) -> None:
    native = to_native(probability[..., LESION], case)
    prediction = apply_threshold(native.data, facts["threshold"])
    reference = case.record["sources"][case.modalities[0]]
    write_volume(out / f"{case.name}_probability.nii.gz", native.data, native.affine)
    write_volume(out / f"{case.name}_prediction.nii.gz", prediction, native.affine)
    sidecar = {
        "case": case.name,
        "space": "grid of the reference scan",
        "reference": reference,
        MOTIONS: motions(case),
        "brain": next((step["method"] for step in case.record["steps"] if step["name"] == "brain"), None),
        "lesion_ml": float(prediction.sum() * np.prod(native.spacing) / 1000),
        **facts,
    }
    write_json(out / f"{case.name}.json", sidecar)
