"""The folder of a training before it begins: made anew, or taken up where it holds the same experiment."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mstl.config import Experiment
from mstl.config_gan import GanExperiment
from mstl.data.prepared import PREPARATION, PreparedCohort
from mstl.errors import InputError
from mstl.files import new_folder, read_json, remove_leftovers, write_json
from mstl.settings import Settings
from mstl.training.run import ENVIRONMENT, EXPERIMENT, STATE

Sides = Mapping[str, PreparedCohort | None]


def open_run_folder(
    out: str | Path, experiment: Settings, *, preparation: dict, environment: dict, resume: bool
) -> Path:
    """Make the new folder `out` and write what the training begins with; on `resume` take up the old one, if any.

    Raises `InputError` where `out` is not empty, or `resume` finds another experiment, other cases, the same prepared
    in another way, or another prior in the file of the same name.
    """
    out = Path(out)
    if resume and (out / ENVIRONMENT).exists():
        _check_cases(out, preparation, environment)
    if resume and (out / EXPERIMENT).exists():
        _check_experiment(out, experiment)
        remove_leftovers(out)
    else:
        new_folder(out)
        experiment.save(out / EXPERIMENT)
    write_json(out / PREPARATION, preparation)
    write_json(out / ENVIRONMENT, environment)
    return out


def holds_weights(out: str | Path, experiment: Experiment | GanExperiment, *, resume: bool) -> bool:
    """Whether `out` is resumed from a state, which holds all weights: those that `init` means are not wanted then.

    Raises `InputError` where the training in `out` began with another `init`.
    """
    out = Path(out)
    if not (resume and (out / STATE).exists()):
        return False
    begun = type(experiment).load(out / EXPERIMENT)
    if begun.init != experiment.init:
        raise InputError(
            f"Run {out} began with init '{begun.init}', not '{experiment.init}'. Resume with the old settings, or "
            "train into a new folder."
        )
    return True


def check_apart(sides: Sides) -> None:
    """Raise `InputError` where a subject is on two sides."""
    owner: dict[str, str] = {}
    for side, cohort in sides.items():
        for case in cohort or ():
            if owner.setdefault(case.subject, side) != side:
                raise InputError(
                    f"Subject {case.subject} is in both {owner[case.subject]} and {side}. Split by subject."
                )


def subjects_of(sides: Sides) -> dict[str, tuple[str, ...]]:
    """The keys of an experiment that name the subjects of each side."""
    return {f"{side}_subjects": () if cohort is None else cohort.subjects for side, cohort in sides.items()}


def _check_cases(out: Path, preparation: dict, environment: dict) -> None:
    begun = read_json(out / ENVIRONMENT)
    priors = [facts["prior"]["sha256"] for facts in (begun, environment) if "prior" in facts]
    if len(set(priors)) > 1:
        raise InputError(
            f"The prior is another than that which run {out} began with. Resume with that file, or train into a new "
            "folder."
        )
    same_files = begun["inputs"] == environment["inputs"]
    if not (same_files and read_json(out / PREPARATION) == preparation):
        raise InputError(
            f"The cases were prepared anew, or from other files, since run {out} began. Prepare them as they were, "
            "or train into a new folder."
        )


def _check_experiment(out: Path, experiment: Settings) -> None:
    old, new = type(experiment).load(out / EXPERIMENT).to_dict(), experiment.to_dict()
    free = {"twin"}  # a training beside this one
    if (out / STATE).exists():  # it holds all weights, wherever they came from
        free |= {key for key in old if key.startswith("init")}
    changed = [f"{key} {old[key]!r} -> {new[key]!r}" for key in new if key not in free and old[key] != new[key]]
    if changed:
        raise InputError(
            f"Run {out} was begun with other settings: {'; '.join(changed)}. "
            "Resume with the old settings, or train into a new folder."
        )
