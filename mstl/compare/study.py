"""A study: which strategies are compared, on how many subjects, folds and seeds, and what they learn from before."""
from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mstl.config import NOTHING, RANDOM, Experiment
from mstl.config_gan import GanExperiment
from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.errors import InputError
from mstl.settings import SIDES, Settings, check_counts, check_seed, read_yaml
from mstl.strategies import STRATEGIES, named_strategies

ALL = "all"  # of `sizes`: every subject that is neither tested nor kept for validation
SOURCES = "sources"
COMMAND, SEEDS = "command", "seeds"  # keys of a source beside the settings of its command
TRAIN, GAN, KERNEL_PRIOR = "train", "pretrain gan", "pretrain kernel-prior"
COMMANDS: dict[str, type[Settings]] = {TRAIN: Experiment, GAN: GanExperiment, KERNEL_PRIOR: KernelPriorExperiment}
OWN = (*SIDES, "ratios", "seed", "twin")  # what the study sets in every training
BUDGET = ("epochs", "steps_per_epoch", "batch_size")
BEGINNINGS = ("init", "prior")  # keys that may name a source


@dataclass(frozen=True)
class Study(Settings):
    """Settings of `mstl compare`.

    `prepared` is a folder of `mstl prepare`, `cohort` the cohort.csv of the same scans, on whose grids masks are
    scored. `sizes` are numbers of labelled subjects to train on, "all" among them for as many as there are; the
    smaller sets are parts of the larger. Either `folds`, so that every subject is tested once; or so many `repeats`,
    each with another `test` subjects drawn. `validation` subjects are kept beside, for thresholds. `seeds` are those
    of the trainings.

    `experiment` has the settings of `mstl train` that all strategies share, `strategies` by name what is different in
    each. `sources` are by name what strategies may begin with: settings of the command that `command` names ("train",
    "pretrain gan", "pretrain kernel-prior"), once for each of its `seeds`; `init` or `prior` of a strategy is the name
    of one. A source that learns from the target's own scans is trained once a fold, without the subjects tested.

    Each strategy is compared with its twin: the strategy that is the same but for random weights and nothing frozen,
    else what `twins` says, else `baseline`.

    Raises `InputError` where these do not fit together.
    """

    NAMES: ClassVar[tuple[str, ...]] = ()

    prepared: str = "prepared"
    cohort: str = "cohort.csv"
    sizes: tuple[str, ...] = (ALL,)
    folds: int | None = None
    repeats: int | None = None
    test: int | None = None
    validation: int = 1
    seeds: tuple[int, ...] = (0,)
    baseline: str = ""
    twins: dict = field(default_factory=dict)
    experiment: dict = field(default_factory=dict)
    sources: dict = field(default_factory=dict)
    strategies: dict = field(default_factory=dict)

    @classmethod
    def command(cls) -> str:
        """The command that such settings are for."""
        return "mstl compare"

    @classmethod
    def load(cls, path: str | Path, *, changes: Iterable[str] = ()) -> Study:
        """Read STUDY.yaml and apply `changes` of the form "key=value"; raises `InputError` for what is wrong in it."""
        values = read_yaml(Path(path))
        return cls.from_dict(values | cls.changes(changes), source=str(path))

    def __post_init__(self) -> None:
        self._set_sizes()
        counts = [name for name in ("folds", "repeats", "test", "validation") if getattr(self, name) is not None]
        check_counts(self, names=counts)
        if (self.folds is None) == (self.repeats is None) or (self.repeats is None) != (self.test is None):
            raise InputError(
                f"folds is {self.folds}, repeats {self.repeats}, test {self.test}; either 'folds: 5', or 'repeats: 3' "
                "with 'test: 10', is expected. Mend the study."
            )
        if self.folds == 1:
            raise InputError("folds is 1; at least 2 are expected, or repeats and test. Mend the study.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds is {list(self.seeds)}; different numbers are expected, as [0, 1, 2]. Mend it.")
        for seed in self.seeds:
            check_seed(seed)
        self._check_sources()
        self._check_strategies()
        self._set_twins()

    def _set_sizes(self) -> None:
        given = self.sizes if isinstance(self.sizes, (list, tuple)) else [self.sizes]
        sizes = tuple(ALL if size == ALL else _count(size) for size in given)
        if not sizes or len(set(sizes)) < len(sizes):
            raise InputError(f"sizes is {list(given)}; different numbers, or 'all', are expected. Mend the study.")
        object.__setattr__(self, "sizes", sizes)

    def _check_sources(self) -> None:
        for name, settings in named_strategies({STRATEGIES: self.sources}, source=f"the study's {SOURCES}").items():
            _check_name(name, "Source")
            if name in (RANDOM, "imagenet", NOTHING, "gaussian"):
                raise InputError(f"A source is called '{name}', which means something else already. Name it otherwise.")
            command = settings.get(COMMAND, TRAIN)
            if command not in COMMANDS:
                raise InputError(f"Source '{name}' has command '{command}'; {_nearest(command, COMMANDS)}")
            COMMANDS[command].from_dict(source_settings(settings), source=f"source '{name}' of the study")

    def _check_strategies(self) -> None:
        strategies = named_strategies({STRATEGIES: self.strategies}, source="the study")
        if len(strategies) < 2:
            raise InputError(f"The study has {len(strategies)} strategies; at least 2 are expected. Add some.")
        object.__setattr__(self, "strategies", strategies)
        for name in strategies:
            _check_name(name, "Strategy")
            self.experiment_of(name)

    def _set_twins(self) -> None:
        baseline = self.baseline or self._first_from_scratch()
        for name in (baseline, *self.twins, *self.twins.values()):
            if name not in self.strategies:
                near = _nearest(name, self.strategies)
                raise InputError(f"Strategy '{name}' of baseline or twins is unknown; {near}")
        object.__setattr__(self, "baseline", baseline)

    def _first_from_scratch(self) -> str:
        for name in self.strategies:
            if _is_from_scratch(self.experiment_of(name)):
                return name
        raise InputError(
            "No strategy begins at random with nothing frozen, so that there is nothing to compare with. Add one, as "
            "'scratch: {}', or name a baseline."
        )

    def experiment_of(self, strategy: str) -> Experiment:
        """The experiment of a strategy, without subjects and seed; raises `InputError` for settings amiss."""
        where = f"strategy '{strategy}' of the study"
        settings = {**self.experiment, **self.strategies[strategy]}
        if taken := [key for key in settings if key in OWN]:
            raise InputError(f"{taken[0]} stands in {where}, but the study sets it for all strategies. Leave it out.")
        return Experiment.from_dict({"prepared": self.prepared, **settings}, source=where)

    def twin_of(self, strategy: str) -> str | None:
        """The strategy that `strategy` is compared with; None for one that is nobody's child: from scratch itself."""
        if strategy in self.twins:
            return self.twins[strategy]
        experiment = self.experiment_of(strategy)
        if _is_from_scratch(experiment):
            return None
        others = (name for name in self.strategies if name != strategy)
        twins = (name for name in others if _is_twin(self.experiment_of(name), experiment))
        return next(twins, None if strategy == self.baseline else self.baseline)

    def source_of(self, strategy: str) -> str | None:
        """The name of the study's source that a strategy begins with, None where it has none."""
        experiment = self.experiment_of(strategy)
        return next((getattr(experiment, key) for key in BEGINNINGS if getattr(experiment, key) in self.sources), None)

    def budgets(self) -> dict[str, tuple]:
        """Epochs, steps of each and batch size of every strategy: equal in a fair study."""
        experiments = {name: self.experiment_of(name) for name in self.strategies}
        return {name: tuple(getattr(one, key) for key in BUDGET) for name, one in experiments.items()}


def source_settings(settings: Mapping) -> dict:
    """What of a source's entry are settings of its command."""
    return {key: value for key, value in settings.items() if key not in (COMMAND, SEEDS)}


def _is_from_scratch(experiment: Experiment) -> bool:
    return experiment.init == RANDOM and set(experiment.freeze) <= {NOTHING} and not experiment.has_learned_prior


def _is_twin(one: Experiment, other: Experiment) -> bool:
    return _is_from_scratch(one) and one.from_scratch() == other.from_scratch()


def _count(size: object) -> int:
    try:
        count = int(str(size))
    except ValueError:
        count = 0
    if count < 1:
        raise InputError(f"sizes has {size!r}; numbers of at least 1, or 'all', are expected. Mend the study.")
    return count


def _check_name(name: str, kind: str) -> None:
    """A name is that of a folder too."""
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
        raise InputError(f"{kind} '{name}' has a name with more than letters, digits, '-', '_' and '.'. Rename it.")


def _nearest(name: object, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(known)}. Mend the study."
