"""Planning a study: how long it will take and how much memory, before it starts, and a smaller one that fits."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mstl.compare.folder import StudyFolder
from mstl.compare.jobs import SOURCE, Job
from mstl.compare.measure import Measured
from mstl.compare.study import ALL, COMMAND, COMMANDS, KERNEL_PRIOR, TRAIN, Study, source_settings
from mstl.data.prepared import PreparedCohort

HOUR = 3600.0
STEPS_UNKNOWN = 100  # of an epoch that shows every slice once


@dataclass(frozen=True)
class Plan:
    """What a study is expected to take: seconds of its jobs one after the other, and the most memory of one, bytes.

    `seconds` are by strategy or source. `at_once` is how many jobs at a time are best, `speedup` how much sooner the
    study ends with so many than one by one.
    """

    seconds: Mapping[str, float]
    jobs: int
    memory: int
    at_once: int = 1
    speedup: float = 1.0

    @property
    def hours(self) -> float:
        """Expected hours."""
        return sum(self.seconds.values()) / HOUR / self.speedup


def plan_study(study: StudyFolder, measured: Mapping[str, Measured]) -> Plan:
    """The plan of what is not done yet, one job at a time, from what each strategy was measured to take.

    A source counts as the slowest strategy's step does; one that learns a prior of kernels is not counted.
    """
    left = [job for job in study.jobs if not study.done(job)]
    seconds: dict[str, float] = {}
    for job in left:
        seconds[job.name] = seconds.get(job.name, 0.0) + _seconds(job, study, measured)
    return Plan(seconds, len(left), max(one.memory for one in measured.values()))


def _seconds(job: Job, study: StudyFolder, measured: Mapping[str, Measured]) -> float:
    if job.kind == SOURCE:
        return _seconds_of_source(job, study.study, max(measured.values(), key=lambda one: one.step))
    experiment, one = study.study.experiment_of(job.name), measured[job.name]
    sides = study.division(job)
    cases = sum(case.subject in {*sides.validation, *sides.test} for case in study.prepared)
    steps = experiment.steps_per_epoch or _slices(study.prepared, sides.train) // experiment.batch_size
    return one.start + experiment.epochs * (steps * one.step + one.epoch) + cases * one.case


def _seconds_of_source(job: Job, study: Study, one: Measured) -> float:
    entry = study.sources[job.name]
    command = entry.get(COMMAND, TRAIN)
    if command == KERNEL_PRIOR:
        return 0.0
    settings = COMMANDS[command].from_dict(source_settings(entry))
    return one.start + settings.epochs * ((settings.steps_per_epoch or STEPS_UNKNOWN) * one.step + one.epoch)


def _slices(prepared: PreparedCohort, subjects: tuple[str, ...]) -> int:
    return max(1, sum(case.shape[0] for case in prepared.select(subjects)))


def smaller_studies(study: Study) -> Iterator[tuple[str, Study]]:
    """Smaller and smaller studies that answer the same question, and what each one gave up."""
    while True:
        if len(study.seeds) > 2:
            study = replace(study, seeds=study.seeds[:-1])
        elif len(study.sizes) > 2:
            study = replace(study, sizes=_without_middle(study.sizes))
        elif (study.repeats or 0) > 2:
            study = replace(study, repeats=study.repeats - 1)
        elif len(study.seeds) > 1:
            study = replace(study, seeds=study.seeds[:-1])
        elif len(study.sizes) > 1:
            study = replace(study, sizes=study.sizes[-1:])
        elif (study.folds or 0) > 2:
            study = replace(study, folds=study.folds - 1)
        else:
            return
        yield _described(study), study


def fitting(study: Study, hours: float, cost: Callable[[Study], float]) -> tuple[str, Study] | None:
    """The first smaller study that `cost` says takes at most so many hours, and how to ask for it; None: none does."""
    return next(((words, one) for words, one in smaller_studies(study) if cost(one) <= hours), None)


def _without_middle(sizes: tuple) -> tuple:
    ordered = sorted(sizes, key=lambda size: float("inf") if size == ALL else size)
    del ordered[len(ordered) // 2]
    return tuple(ordered)


def _described(study: Study) -> str:
    """The options of 'mstl compare' that make this study of the given one."""
    parts = {"seeds": list(study.seeds), "sizes": list(study.sizes)}
    parts |= {"repeats": study.repeats} if study.repeats else {"folds": study.folds}
    words = (f"--set {key}={str(value).replace(chr(39), '').replace(' ', '')}" for key, value in parts.items())
    return " ".join(words)
