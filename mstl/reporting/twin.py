"""The report's section on a run's twin: the same training from scratch, side by side with the run."""
from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from mstl.config import AUTO, TWIN
from mstl.errors import InputError
from mstl.files import read_json
from mstl.reporting.class_figures import curve_labels
from mstl.reporting.curves import best_epoch
from mstl.reporting.figures import to_svg
from mstl.reporting.folder import chosen_cut, read_experiment, read_history
from mstl.reporting.twin_figures import dice_curves, paired_dice
from mstl.training.pos_weight import even_cut

FEW = 20  # patients; below it a mean difference is said to be a tendency at most
NAMES = ("this run", "twin from scratch")
MEANT_TO_DIFFER = (  # beginnings of an experiment's keys
    "init", "freeze", "unfreeze", "prior", "kl_", "variance_rate", TWIN,
)  # fmt: skip
SAME_VOLUME = 1e-3  # ml; of one reference mask in two tables


def twin_section(
    run: Path,
    experiment: Mapping,
    history: pd.DataFrame,
    *,
    scores: pd.DataFrame | None,
    twin_scores: pd.DataFrame | None,
    given: Mapping[str, str | Path | None],
) -> dict | None:
    """What the report of the run folder `run` says about its twin; None where it has none.

    `experiment` and `history` are the run's own. `scores` and `twin_scores` have the columns case, dice,
    reference_ml, empty_reference and, at best, subject. `given` are the paths of predictions and scores that the
    report was asked for with, for the commands that add what is absent. Raises `InputError` where scores of a twin
    are given and there is no twin or no scores of the run, or where the tables do not fit together.
    """
    folder = run / TWIN
    if twin_scores is not None and scores is None:
        raise InputError("Scores of the twin are given, but none of the run. Give both: --scores and --twin-scores.")
    if not (folder / "history.csv").exists():
        if twin_scores is not None:
            raise InputError(f"Run {run} has no trained twin. Train it with 'twin: true', or leave --twin-scores out.")
        return {"unfinished": _resume(run)} if experiment.get(TWIN) else None
    other, theirs = read_experiment(folder), read_history(folder, needed=("epoch", "loss", "dice"))
    rows = [_row(run, experiment, history), _row(folder, other, theirs)]
    curves = dice_curves(history, theirs)
    section = {
        "rows": [{"name": name, **row} for name, row in zip(NAMES, rows, strict=True)],
        "sentences": [_same(experiment, other), *_validation(rows)],
        "curves": None if curves is None else Markup(to_svg(curves)),
        "notes": _notes((run, folder), rows, scored=twin_scores is not None),
    }
    if twin_scores is None:
        return {**section, "commands": _commands(run, experiment, scores, given)}
    patients, unit, left_out = _patients(scores, twin_scores)
    sentence = _patients_sentence(patients["difference"], patients[["run", "twin"]].mean(), unit)
    section["sentences"] += [sentence, *([left_out] if left_out else [])]
    for row, column in zip(section["rows"], ("run", "twin"), strict=True):
        row["dice"] = float(patients[column].mean())
    return {**section, "unit": unit, "patients": Markup(to_svg(paired_dice(patients)))}


def _row(folder: Path, experiment: Mapping, history: pd.DataFrame) -> dict:
    init, include = experiment.get("init", "random"), experiment.get("init_include") or ()
    frozen = [policy for policy in experiment.get("freeze") or () if policy != "none"]
    return {
        "init": "random weights" if init == "random" else f"{init} ({', '.join(include)})" if include else init,
        "frozen": ", ".join(frozen) or "nothing",
        "best": best_epoch(history),
        "epochs": int(history["epoch"].max()),
        **_cut(folder / "threshold.json", several=len(curve_labels(history)) > 1),
    }


def _cut(path: Path, *, several: bool) -> dict:
    """How probabilities of a run, of `several` labels or of one class, become masks, and whether that was chosen."""
    if not path.exists():
        environment = path.with_name("environment.json")
        even = even_cut(read_json(environment).get("pos_weight") if environment.exists() else None)
        return {"cut": "most probable class" if several else f"{even:.3g}, not chosen", "chosen": False}
    threshold, clean_up = chosen_cut(read_json(path))
    cut = "most probable class" if threshold is None else f"{threshold:.3g}"
    return {"cut": cut + (f", {clean_up}" if clean_up else ""), "chosen": True}


def _same(ours: Mapping, theirs: Mapping) -> str:
    keys = [key for key in ours if not key.startswith(MEANT_TO_DIFFER) and ours[key] != theirs.get(key)]
    if ours.get("loss") == AUTO and ours.get("prior") != theirs.get("prior"):
        keys.append("loss ('auto' is a likelihood with a prior)")
    if keys:
        return f"The twin began at random with nothing frozen; but it differs in {', '.join(keys)} too."
    return (
        "The twin began at random with nothing frozen; model, seed, split, settings and budget are the same. What the "
        "initial weights have cost to train is not counted."
    )


def _validation(rows: Sequence[dict]) -> list[str]:
    if any(row["best"] is None for row in rows):
        return ["There is no validation Dice to compare: both were trained without validation cases."]
    (epoch, dice), (other_epoch, other) = (row["best"] for row in rows)
    return [
        f"In validation the best Dice of this run is {dice:.3f} (epoch {epoch}), that of its twin {other:.3f} "
        f"(epoch {other_epoch})."
    ]


def _patients(scores: pd.DataFrame, twin_scores: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """Mean Dice of each patient by both, largest gain first; what a row is; and a sentence on cases left out."""
    unit = "patient" if "subject" in scores and "subject" in twin_scores else "case"
    for one in (scores, twin_scores):
        if one["case"].duplicated().any():
            name = one.loc[one["case"].duplicated(), "case"].iloc[0]
            raise InputError(f"Case {name} stands twice in the scores. Write them again with 'mstl evaluate'.")
    columns = ["case", "dice", "reference_ml", "empty_reference"]
    pairs = scores.merge(twin_scores[columns], on="case", suffixes=("", "_twin"))
    apart = pairs[~np.isclose(pairs["reference_ml"], pairs["reference_ml_twin"], rtol=0, atol=SAME_VOLUME)]
    if len(apart):
        raise InputError(
            f"Case {apart['case'].iloc[0]} was scored against other masks for the run than for its twin. Score both "
            "with one cohort by 'mstl evaluate'."
        )
    full = pairs[~pairs["empty_reference"]]
    if full.empty:
        raise InputError("The scores of the run and of its twin share no case with lesions. Score the same cases.")
    names = full["subject"].astype(str) if unit == "patient" else full["case"]
    patients = pd.DataFrame({"patient": names, "run": full["dice"], "twin": full["dice_twin"]})
    patients = patients.groupby("patient", as_index=False).mean()
    patients["difference"] = patients["run"] - patients["twin"]
    alone = sorted(set(scores["case"]) ^ set(twin_scores["case"]))
    left_out = f"Scored for only one of the two, and left out: {', '.join(alone)}." if alone else ""
    return patients.sort_values("difference", ascending=False, ignore_index=True), unit, left_out


def _patients_sentence(difference: pd.Series, means: pd.Series, unit: str) -> str:
    count, gain = len(difference), difference.mean()
    whole = f"{count} {unit}{'s' if count > 1 else ''}"
    sentence = (
        f"Over {whole} the mean Dice of this run is {means['run']:.3f}, that of its twin {means['twin']:.3f}: a mean "
        f"difference of {gain:+.3f}; higher than the twin for {(difference > 0).sum()}, lower for "
        f"{(difference < 0).sum()}."
    )
    return sentence + (f" With {whole} this shows no more than a tendency." if count < FEW else "")


def _notes(folders: Sequence[Path], rows: Sequence[dict], *, scored: bool) -> list[str]:
    """A warning where only one of the two has a threshold or clean-up of its own."""
    bare = [folder for folder, row in zip(folders, rows, strict=True) if not row["chosen"]]
    if len(bare) != 1 or not scored:
        return []
    return [
        "Only one of the two has a threshold and clean-up chosen on validation cases, which favours it: choose the "
        f"other's with 'mstl threshold {bare[0]}', then predict and score it again."
    ]


def _resume(run: Path) -> str:
    name = shlex.quote(str(run))
    return f"mstl train {shlex.quote(str(run / 'experiment.yaml'))} --out {name} --resume"


def _commands(
    run: Path, experiment: Mapping, scores: pd.DataFrame | None, given: Mapping[str, str | Path | None]
) -> list[str]:
    """The commands that lead from two trained networks to this section with the Dice of each patient."""
    source, chosen = _subjects(experiment, scores)
    masks, validated = given.get("predictions"), bool(experiment.get("validation_subjects"))
    commands = []
    if scores is None:
        commands += [] if masks else _predict(run, source, "predictions", choose=validated)
        commands.append(f"mstl evaluate {shlex.quote(str(masks or 'predictions'))} cohort.csv{chosen} --out scores.csv")
    commands += _predict(run / TWIN, source, "twin-predictions", choose=validated)
    commands.append(f"mstl evaluate twin-predictions cohort.csv{chosen} --out twin.csv")
    shown = f" --predictions {shlex.quote(str(masks))} --cohort cohort.csv" if masks else ""
    table = shlex.quote(str(given.get("scores") or "scores.csv"))
    return [*commands, f"mstl report {shlex.quote(str(run))}{shown} --scores {table} --twin-scores twin.csv"]


def _subjects(experiment: Mapping, scores: pd.DataFrame | None) -> tuple[str, str]:
    """What 'mstl predict' and 'mstl evaluate' are given, so that both score the subjects of `scores`, else of test."""
    test = [str(name) for name in experiment.get("test_subjects") or ()]
    scored = [] if scores is None or "subject" not in scores else list(dict.fromkeys(map(str, scores["subject"])))
    subjects = scored or test
    chosen = f" --subjects {shlex.quote(','.join(subjects))}" if subjects else ""
    return "" if subjects and set(subjects) <= set(test) else f" cohort.csv{chosen}", chosen


def _predict(folder: Path, source: str, out: str, *, choose: bool) -> list[str]:
    """Commands that segment with the run `folder`, its threshold chosen before where it can be and is not."""
    name = shlex.quote(str(folder))
    choose = choose and not (folder / "threshold.json").exists()
    return [*([f"mstl threshold {name}"] if choose else []), f"mstl predict {name}{source} --out {out}"]
