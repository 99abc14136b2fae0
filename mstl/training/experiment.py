"""From an experiment to its run: open the data, split it, build the model, train."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mstl.config import TWIN, Experiment
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.training.cluster import is_chief

if TYPE_CHECKING:
    from mstl._keras import keras
    from mstl.training.run import Run


def train_experiment(
    experiment: Experiment,
    *,
    out: str | Path,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    profile: int | None = None,
) -> Run:
    """Train what `experiment` describes into `out`; see `mstl.fit` for `resume` and what is raised.

    With `experiment.twin` the same from scratch follows into `out/twin`. `resume` takes up whichever of the two was
    stopped, or adds the twin to a run that has none. `callbacks` serve both, one after the other; a
    `TrainingProgress` among them says which it is. The strategy is picked by `mstl.training.distribute.pick_strategy`.
    profile: how many steps of each to profile into its folder `profile`, see `mstl.training.profile.Profiler`. Returns
    the first.
    """
    options = {"resume": resume, "profile": profile}
    if not experiment.twin:
        return _train(experiment, out, callbacks, **options)
    from mstl._keras import keras
    from mstl.training.progress import TrainingProgress

    note = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: _note_twin(Path(out)))
    run = _train(experiment, out, [*callbacks, note], **options)
    _note_twin(run.folder)  # one that was finished before never began to train
    for bar in (callback for callback in callbacks if isinstance(callback, TrainingProgress)):
        bar.title = "twin from scratch,"
    _train(experiment.from_scratch(), run.folder / TWIN, callbacks, **options)
    return run


def _train(
    experiment: Experiment,
    out: str | Path,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    resume: bool,
    profile: int | None,
) -> Run:
    prepared = PreparedCohort.open(experiment.prepared)
    train, validation, test = split_sides(prepared, experiment)

    from mstl.training.build import build_for  # after what can go wrong at once: TensorFlow takes seconds to start
    from mstl.training.distribute import pick_strategy
    from mstl.training.fit import fit
    from mstl.training.precision import precision
    from mstl.training.profile import PROFILE, Profiler

    if profile is not None and is_chief():
        callbacks = [*callbacks, Profiler(Path(out) / PROFILE, steps=profile)]
    with pick_strategy().scope(), precision(experiment.precision):
        model = build_for(experiment, prepared.preparation, seed=experiment.seed)
        known = {"preparation": prepared.preparation, "held_out": [*_subjects(validation), *_subjects(test)]}
        _set_weights(model, experiment, Path(out), resume=resume, **known)
    settings = experiment.training()
    return fit(model, train, validation, test=test, out=out, resume=resume, callbacks=callbacks, **settings)


def _note_twin(out: Path) -> None:
    """Write into the run's experiment that it has a twin, which its training by itself knows nothing of."""
    if not is_chief():
        return
    from mstl.training.run import EXPERIMENT

    replace(Experiment.load(out / EXPERIMENT), twin=True).save(out / EXPERIMENT)


def _subjects(cases: PreparedCohort | None) -> tuple[str, ...]:
    return () if cases is None else cases.subjects


def _set_weights(model: keras.Model, experiment: Experiment, out: Path, *, resume: bool, **known) -> None:
    """Put the initial weights into `model`, unless a run is resumed, whose state holds all."""
    from mstl.training.run_folder import holds_weights
    from mstl.transfer.initial import initialise

    if holds_weights(out, experiment, resume=resume):
        return
    about = {"model_name": experiment.model, "allow_partial": experiment.init_partial}
    initialise(model, experiment.init, **about, **known, **experiment.init_options())


def split_sides(prepared: PreparedCohort, experiment: Experiment) -> tuple[PreparedCohort | None, ...]:
    """Training, validation and test cases; None for a side that is wanted empty.

    Raises `InputError` where a subject is unknown or there are fewer subjects than sides.
    """
    if experiment.train_subjects:
        sides = (experiment.train_subjects, experiment.validation_subjects, experiment.test_subjects)
        return tuple(prepared.select(side) if side else None for side in sides)
    if len(experiment.ratios) != 3:
        count = len(experiment.ratios)
        raise InputError(f"ratios has {count} numbers; 3 are expected: training, validation, test.")
    sides = prepared.split(ratios=experiment.ratios, seed=experiment.seed)
    return tuple(side if len(side) else None for side in sides)
