"""One job of a study, in this process: train, choose the threshold, predict the tested once, score them."""
from __future__ import annotations

import fcntl  # this and the next are not on Windows, where a study runs in its Linux (WSL)
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mstl.compare.folder import StudyFolder
from mstl.compare.jobs import PREDICTIONS, RUN, SCORES, STRATEGY, Job, is_done, needed_jobs
from mstl.compare.study import BEGINNINGS, COMMAND, GAN, KERNEL_PRIOR, SOURCES, TRAIN, source_settings
from mstl.config import Experiment
from mstl.config_gan import GanExperiment
from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.errors import InputError
from mstl.files import sha256, write_json
from mstl.reporting.study_files import FAILURE, RECORD

if TYPE_CHECKING:
    from mstl.training.run import Run

LOCK = "lock"
PATIENCE = 30  # seconds that a job waits for one of a killed study to notice that it is alone
NO_MORE = ("run/state", "run/tensorboard", "run/last.h5")  # of a finished job, which nobody resumes
BEST = "run/best.h5"
PROBABILITIES = "*_probability*"  # large, and nothing of a study reads them


def run_job(job: Job, study: StudyFolder) -> None:
    """Do a job, or what of it a stopped one left to do; nothing where it is done.

    A job's folder gets `run`, and that of a strategy `predictions` and `scores.csv` of the tested subjects; at last
    `job.json` with what it cost and the SHA-256 of what it made. What cannot be resumed is done again. Raises
    `InputError` where another process is at it, and as the training does.
    """
    place = study.folder / job.label
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place / LOCK):
        if is_done(job, study.folder):
            return
        for needed in needed_jobs(job, study.study):
            if not is_done(needed, study.folder):
                raise InputError(f"{job.label} begins with {needed.label}, which is not done. Do that first.")
        (place / RECORD).unlink(missing_ok=True)
        began = time.monotonic()
        files, facts = _trained(job, study, place)
        for name in NO_MORE:
            path = place / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        costs = {"seconds": round(time.monotonic() - began, 1), "memory_mb": round(peak_memory() / 2**20)}
        digests = {name: sha256(place / name) for name in files}
        (place / FAILURE).unlink(missing_ok=True)
        write_json(place / RECORD, {"files": digests, **costs, **facts})


def _trained(job: Job, study: StudyFolder, place: Path) -> tuple[list[str], dict]:
    """Train a job; names of the files that it is for, and facts on the training."""
    if job.kind == STRATEGY:
        run = _train(_experiment(job, study), place / RUN)
        _score(run, study, place)
        return [BEST, SCORES], _facts(run)
    settings = _begun(source_settings(study.study.sources[job.name]), job, study)
    command = study.study.sources[job.name].get(COMMAND, TRAIN)
    if command == KERNEL_PRIOR:
        return _learn_prior(job, study, settings, place)
    sides = study.sides_of_source(job)
    settings = {"prepared": study.study.prepared, **settings, **sides, "seed": job.seed}
    if command == GAN:
        _pretrain_gan(GanExperiment.from_dict(settings), place / RUN)
        return [BEST], {}
    return [BEST], _facts(_train(Experiment.from_dict(settings), place / RUN))


def _experiment(job: Job, study: StudyFolder) -> Experiment:
    """The experiment of a strategy's job: its subjects, its seed, and the folder of what it begins with."""
    values = _begun(study.study.experiment_of(job.name).to_dict(), job, study)
    return Experiment.from_dict({**values, **study.division(job).sides(), "seed": job.seed})


def _begun(settings: dict, job: Job, study: StudyFolder) -> dict:
    """The settings, the names of sources in them replaced by the folders of their runs."""
    folders = {one.name: str(study.run_of(one)) for one in needed_jobs(job, study.study)}
    return settings | {key: folders[settings[key]] for key in BEGINNINGS if settings.get(key) in folders}


def _train(experiment: Experiment, out: Path) -> Run:
    """Train, going on where a stopped training can be resumed."""
    from mstl.training.experiment import train_experiment

    return _resumed(out, lambda resume: train_experiment(experiment, out=out, resume=resume))


def _pretrain_gan(experiment: GanExperiment, out: Path) -> None:
    from mstl.data.prepared import PreparedCohort
    from mstl.training.experiment import split_sides
    from mstl.training.pretrain_gan import pretrain_gan

    train, validation, test = split_sides(PreparedCohort.open(experiment.prepared), experiment)
    known = {"test": test, "init": experiment.init, **experiment.training()}
    _resumed(out, lambda resume: pretrain_gan(train, validation, out=out, resume=resume, **known))


def _learn_prior(job: Job, study: StudyFolder, settings: dict, place: Path) -> tuple[list[str], dict]:
    from mstl.training.pretrain_kernel_prior import pretrain_kernel_prior

    given = [word for word in settings.get(SOURCES, ()) if word not in study.study.sources]
    networks = [str(study.run_of(one)) for one in needed_jobs(job, study.study)]
    experiment = KernelPriorExperiment.from_dict({**settings, SOURCES: [*given, *networks], "seed": job.seed})
    shutil.rmtree(place / RUN, ignore_errors=True)  # it is written when all is learned
    about = {"model": experiment.model, "model_options": experiment.model_options}
    pretrain_kernel_prior(experiment.sources, out=place / RUN, **about, **experiment.training())
    return ["run/prior.h5"], {}


def _resumed(out: Path, train: Callable[[bool], Run | None]) -> Run | None:
    """Call `train(resume)`: go on in the folder `out`; where that cannot be, begin again."""
    if out.exists():
        try:
            return train(True)
        except (InputError, OSError, KeyError, ValueError):
            shutil.rmtree(out)
    return train(False)


def _score(run: Run, study: StudyFolder, place: Path) -> None:
    """Threshold by validation, then the tested subjects, once."""
    from mstl.evaluation.evaluate import evaluate
    from mstl.evaluation.lesion_sizes import kept_lesion_table
    from mstl.evaluation.predict import predict
    from mstl.evaluation.threshold import set_threshold

    set_threshold(run)
    out = place / PREDICTIONS
    shutil.rmtree(out, ignore_errors=True)
    cases = run.prepared("test")
    predict(run, cases, out=out)
    kept = {key: bool(cases.preparation.get(key)) for key in ("binarise_masks", "resample_masks")}
    cases_of_scans = study.cohort.select(cases.subjects)
    evaluate(out, cases_of_scans, out=place / SCORES, **kept)
    kept_lesion_table(place / SCORES, out, list(cases_of_scans), **kept)
    for path in out.glob(PROBABILITIES):
        path.unlink()


def _facts(run: Run) -> dict:
    """What a training was: parameters, those that trained, steps, the seconds of its epochs."""
    model, history = run.model(), run.history
    return {
        "parameters": int(model.count_params()),
        "trained_parameters": sum(int(weight.shape.num_elements()) for weight in model.trainable_weights),
        "epochs": len(history),
        "training_seconds": round(float(history["seconds"].sum()), 1),
    }


def peak_memory() -> int:
    """Most bytes that this process held at a time."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def is_at_work(job: Job, folder: Path) -> bool:
    """Whether a process of this machine is at a job of the study in `folder`."""
    path = folder / job.label / LOCK
    if not path.exists():
        return False
    with path.open("r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a job, which ends with the process; raises `InputError` where another one keeps it."""
    with path.open("w") as stream:
        for attempt in range(PATIENCE + 1):
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == PATIENCE:
                    raise InputError(f"Another process works at {path.parent}. Wait for it, or end it.") from None
                time.sleep(1)
        yield
