"""Prediction: prepared or raw cases and a run in, masks and probabilities on the scanner's own grid out."""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import mstl
from mstl.data.cohort import Cohort
from mstl.data.grid import check_same_grid
from mstl.data.labels import to_labels
from mstl.data.preparation import Preparation
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCase, PreparedCohort, to_native
from mstl.data.volume import read_volume
from mstl.errors import InputError
from mstl.evaluation.decision import Decision
from mstl.evaluation.maps import ENTROPY, MUTUAL_INFORMATION
from mstl.evaluation.posterior import INTERVAL_RULE, PosteriorPredictor, volume_interval
from mstl.evaluation.prediction_files import on_native_grid, write_prediction
from mstl.evaluation.predictor import Predictor
from mstl.evaluation.uncertainty import RunningUncertainty
from mstl.files import new_folder, sha256, whole_folder
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
    weights: str = "best",
    samples: int = 0,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    **view,
) -> Path:
    """Write `<case>_prediction.nii.gz`, `<case>_probability.nii.gz` and `<case>.json` of every case to `out`.

    A mask is uint8 and holds 1 for lesion, or the labels of several classes. Probabilities are float32 `(i, j, k)` of
    the lesion, or `(i, j, k, K)` of several classes with the background first. Pictures: see `write_prediction`.

    cases: prepared as the run's training data were, or raw: then they are prepared so on the way.
    threshold: probability from which a voxel is lesion; None takes the run's, with the clean-up that was chosen with
    it (see `mstl threshold`). Of several classes the most probable one is taken, with the run's clean-up.
    weights: "best" or "last".
    samples: how many networks are drawn by `seed` from the posterior of a Bayesian run (`PosteriorPredictor`), 0 for
    the mean weights. Then the probability is the mean of theirs and the mask is made of it;
    `<case>_entropy.nii.gz` and `<case>_mutual_information.nii.gz` (see `Uncertainty`) are float32 in nats; the .json
    has the volume that each network gives and their 95 % interval (`volume_interval`). Every network's probabilities
    are brought to the scan's grid first, so that entropies are those of the probabilities in the files; outside of the
    brain all is 0. Time grows with the samples, memory does not.
    progress: called with a case's name when it is done, and with samples after each of them.
    view: `flip` averages with the prediction of the left-right mirrored images; `overlap` is that of neighbouring
    windows, in [0, 1); None takes the run's.
    Returns the folder, which appears when all are done. Raises `InputError` where cases were prepared otherwise, the
    threshold is not in (0, 1) or given for several classes, an overlap for a model of whole slices, samples for
    pictures or a run without Bayesian layers, or just one of them, memory does not suffice, or `out` is not empty.
    """
    run = run if isinstance(run, Run) else Run(run)
    if isinstance(cases, PreparedCohort):
        check_preparation(cases, run)
    predictor = Predictor.of_run(run, weights=weights, **view)
    decision = Decision.of_run(run, classes=predictor.classes, threshold=threshold)
    posterior = PosteriorPredictor.of(predictor, samples=samples, seed=seed) if samples else None
    step = progress or _silent
    out = new_folder(out)
    facts = {
        **decision.to_record(),
        "flip_average": predictor.flip,
        "run": str(run.folder.resolve()),
        "weights": run.weights(weights).name,
        "weights_sha256": sha256(run.weights(weights)),
        "mstl": mstl.__version__,
    }
    with whole_folder(out) as temporary:
        for case, reference in _prepared(cases, run):
            if posterior is None:
                probability, maps, found = on_native_grid(predictor(case), case), {}, {}
                step(case.name)
            else:
                probability, maps, found = _sampled(posterior, case, decision, step)
            said = {"facts": facts | _windows(predictor, case) | found, "maps": maps}
            write_prediction(temporary, case, probability, decision, reference=reference, **said)
    return out


def _silent(name: str) -> None:
    """Progress that nobody asked for."""


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


def _prepared(cases: PreparedCohort | Cohort, run: Run) -> Iterator[tuple[PreparedCase, np.ndarray | None]]:
    """Yield each case prepared, and of a picture its mask; raw cases are prepared one at a time and dropped after."""
    if isinstance(cases, PreparedCohort):
        for case in cases:
            yield case, _drawn_mask(case) if case.is_picture and case.has_mask else None
        return
    settings = asdict(Preparation.of_record(run.preparation, source=run.folder))
    cases.require(settings["modalities"])
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            prepared = prepare(Cohort([replace(case, mask=None)]), Path(folder) / "prepared", **settings)[0]
            yield prepared, _given_mask(case.mask, prepared) if prepared.is_picture and case.mask else None


def _drawn_mask(case: PreparedCase) -> np.ndarray:
    """The values of a prepared case's mask, on its scan's grid."""
    return to_labels(to_native(case.mask, case, nearest=True).data, case.labels)


def _given_mask(path: Path, case: PreparedCase) -> np.ndarray:
    """The values of a mask as they are in its file: it is shown beside the prediction, nothing is learned from it."""
    mask = read_volume(path, allow_constant=True)
    check_same_grid(mask.grid, case.native_grid, names=(f"Mask {path}", f"the image of case {case.name}"))
    return mask.data


def _sampled(
    posterior: PosteriorPredictor, case: PreparedCase, decision: Decision, step: Callable[[str], None]
) -> tuple[np.ndarray, dict[str, np.ndarray], dict]:
    """Mean probability and maps of a case on its scan's grid, and what its .json says of the samples."""
    if case.is_picture:
        raise InputError(f"Case {case.name} is a picture, which has no maps of uncertainty. Leave --samples out.")
    running, volumes, grid = RunningUncertainty(), [], case.native_grid
    for probability in posterior(case):
        native = on_native_grid(probability, case)
        running.add(native)
        volumes.append(grid.volume_ml(decision(native, voxel_ml=grid.voxel_ml)))
        step(case.name)
    found = running.result()
    record = {
        "samples": posterior.samples,
        "seed": posterior.seed,
        "lesion_ml_interval": volume_interval(volumes),
        "interval": INTERVAL_RULE,
        "lesion_ml_samples": volumes,
    }
    return found.mean, {ENTROPY: found.entropy, MUTUAL_INFORMATION: found.mutual_information}, record


def _windows(predictor: Predictor, case: PreparedCase) -> dict:
    """By which windows a model saw the case; nothing where it saw whole slices."""
    window = predictor.window_of(case.shape)
    if window is None:
        return {"window": WHOLE} if predictor.is_3d else {}
    return {"window": window, "overlap": predictor.overlap}
