"""Sentences of a model card: what the numbers of a run mean to somebody who was not there."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mstl.evaluation.cleanup import NO_CLEAN_UP
from mstl.reporting.folder import chosen_cut

FEW_TRAINED, FEW_TESTED = 20, 20  # subjects, below which a warning stands
SYNTHETIC = {"phantom"}  # datasets
SCORES = {  # column of scores.csv: (heading, explanation, digits)
    "dice": ("Dice", "overlap with the reference mask; 1 is perfect, 0 nothing in common", 3),
    "sensitivity": ("Sensitivity", "share of the lesion volume that was found", 3),
    "precision": ("Precision", "share of the predicted volume that is lesion", 3),
    "hausdorff95_mm": ("HD95", "95th percentile of the distances between both surfaces, {length}", 1),
    "lesion_f1": ("Lesion F1", "agreement counted in lesions", 3),
    "lesion_sensitivity": ("Lesions found", "share of the reference's lesions that were touched", 3),
    "lesion_false_discovery": ("False lesions", "share of the predicted lesions that touch none", 3),
}


def counted(number: int, word: str) -> str:
    """ "1 subject", "3 subjects"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def side_words(side: Mapping) -> str:
    """A side of the split in a sentence: how many, of what voxels, with how much lesion."""
    if not side["subjects"]:
        return "none."
    if "cases" not in side:
        return f"{counted(side['subjects'], 'subject')}; their voxels and lesions are not known: no case was at hand."
    parts = [f"{counted(side['subjects'], 'subject')}, {counted(side['cases'], 'case')}"]
    if side["datasets"]:
        parts.append(f"dataset{'' if len(side['datasets']) == 1 else 's'} {', '.join(side['datasets'])}")
    parts += [f"voxels {_spacings(side['spacing_mm'])}"] if side["spacing_mm"] else []
    parts += [f"{' and '.join(f'{h} x {w}' for h, w in side['shapes'])} pixels"] if side["shapes"] else []
    parts += [f"brains by {', '.join(side['brain'])}"] if side["spacing_mm"] and side["brain"] else []
    parts.append(lesion_words(side["lesions"], side["unit"]))
    parts += [f"{counted(side['without_lesion'], 'case')} without lesion"] if side["without_lesion"] else []
    return f"{'; '.join(parts)}."


def learned_words(train: Mapping) -> str:
    """Whom the network learned from, in a sentence."""
    datasets = train.get("datasets", ())
    synthetic = " synthetic" if datasets and set(datasets) <= SYNTHETIC else ""
    return f"It learned from {train['subjects']}{synthetic} subject{'' if train['subjects'] == 1 else 's'}."


def lesion_words(lesions: Mapping | None, unit: str) -> str:
    """The volumes of lesions, lowest, median and highest."""
    if lesions is None:
        return "lesion sizes are not told of fewer than 3 subjects"
    low, median, high = (f"{lesions[name]:,.10g}" for name in ("low", "median", "high"))
    return f"lesions of {low} to {high} {unit}, median {median}"


def decision_words(threshold: Mapping | None, *, classes: int) -> list[str]:
    """How probabilities become a mask, and how that was chosen."""
    if threshold is None:
        rule = "The most probable class is taken" if classes > 2 else "A voxel is lesion from probability 0.5 on"
        return [f"{rule}, without clean-up. Nothing was chosen on validation subjects: this is the default."]
    cut, clean_up = chosen_cut(threshold)
    rule = "The most probable class is taken" if cut is None else f"A voxel is lesion from probability {cut:g} on"
    best = max(threshold["mean_dice"])
    plain = max(threshold.get("mean_dice_uncleaned", [best]))  # an older mstl cleaned nothing
    gain = f", {plain:.3f} without clean-up" if clean_up else ""
    what = "Clean-up was" if cut is None else "Threshold and clean-up were"
    words = [
        f"{rule}; {clean_up or NO_CLEAN_UP}.",
        f"{what} chosen for the highest mean Dice on {counted(threshold['cases'], 'validation case')} ({best:.3f} there"
        f"{gain}), which is optimistic; no test subject was looked at.",
    ]
    return [*words, "That was with `--flip`: predict with it."] if threshold.get("flip") else words


def budget_words(budget: Mapping) -> list[str]:
    """How long and how the network was trained."""
    e = budget["settings"]
    epochs = f"{counted(budget['epochs'], 'epoch')} of {e['epochs']}" + ("" if budget["finished"] else " (stopped)")
    steps = f", {e['steps_per_epoch']} batches each" if e["steps_per_epoch"] else ""
    best = budget["best_epoch"]
    kept = "There were no validation subjects, so the last weights were kept"
    if best:
        dice = f"{budget['best_dice']:.3f}"
        kept = f"The weights of epoch {best} were kept: its Dice on validation voxels, {dice}, is the best"
    devices = budget["devices"]
    where = f" on {devices['count']} {devices['kind']}" if devices.get("count") else ""
    return [
        f"{epochs}{steps}, batch size {e['batch_size']}; {_duration(budget['seconds'])}{where}; seed {e['seed']}.",
        f"{kept}.",
        f"Loss {e['loss']}, optimizer {e['optimizer']} at learning rate {e['learning_rate']:g} ({e['decay']}), "
        f"augmentation {e['augment']}, computed in {e['precision']}. All settings: `experiment.yaml`.",
    ]


def score_rows(found: Mapping) -> list[dict]:
    """A row a score: heading, explanation and its numbers as text."""
    length = "pixels" if found["unit"] == "pixels" else "mm"
    rows = []
    for name, (heading, explanation, digits) in SCORES.items():
        one = found["scores"][name]
        texts = {key: score_text(one[key], digits) for key in ("median", "mean", "sd", "low", "high")}
        rows.append({"heading": heading, "explanation": explanation.format(length=length), **one, **texts})
    return rows


def score_text(value: float | None, digits: int = 3) -> str:
    """A score with so many digits; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def how_good(found: Mapping | None, test: Mapping) -> str:
    """What the held-out scores say, in a sentence."""
    if found is None:
        none = "There were no test subjects" if not test["subjects"] else "No scores were handed over"
        return f"How good it is on patients it never saw is not known. {none} when it was exported."
    dice = found["scores"]["dice"]
    if not dice["subjects"]:
        return "None of the test subjects has a lesion, so that no Dice can be told."
    spread = f", from {dice['low']:.3f} to {dice['high']:.3f}" if dice["subjects"] > 1 else ""
    few = " So few say little about others." if dice["subjects"] < FEW_TESTED else ""
    whom = f"On {counted(dice['subjects'], 'held-out subject')} with lesions"
    return f"{whom} the median Dice (1 is perfect) is {dice['median']:.3f}{spread}.{few}"


def limits(facts: Mapping) -> list[str]:
    """What to be wary of with this very model."""
    train, found = facts["data"]["train"], facts["scores"]
    datasets = set(train.get("datasets", ()))
    told = []
    if datasets and datasets <= SYNTHETIC:
        told.append("It was trained on synthetic images alone and has never seen a real patient.")
    if train["subjects"] < FEW_TRAINED:
        told.append(
            f"It learned from {counted(train['subjects'], 'subject')}. So few do not cover what scanners, sequences "
            "and patients differ in: expect it to fail on some of yours."
        )
    if found is None:
        told.append("It was not tested on held-out subjects, at least not by scores in this card.")
    told += _worst(found)
    told.append(
        "It was not tested on other hospitals, scanners, field strengths, sequences, ages or diseases than those of "
        "the data above, nor on scans with motion, artefacts, metal or operations, nor against several raters."
    )
    if facts["task"]["brain"] == "auto":
        told.append(
            "Brains are extracted by the best tool on the machine, which may be another than in training"
            f"{_tools(train)}: masks may differ with it. Give brain masks to be sure."
        )
    if facts["network"]["bayesian"]:
        told.append("Its maps of uncertainty are about the network's weights; other errors can be certain and wrong.")
    return told


def _worst(found: Mapping | None) -> list[str]:
    if not found or not found["scores"]["dice"]["subjects"]:
        return []
    told = [f"In the worst test subject Dice was {found['scores']['dice']['low']:.3f}."]
    if halves := found["halves"]:
        small, large = halves["smaller"], halves["larger"]
        told.append(
            f"By size: median Dice {score_text(small['median'])} in the {small['subjects']} with at most "
            f"{halves['parted_at']:g} {found['unit']} of lesions, {score_text(large['median'])} in the "
            f"{large['subjects']} with more."
        )
    empty = found["empty_reference"]
    if empty["cases"]:
        told.append(
            f"In {empty['cases'] - empty['without_false_lesions']} of {counted(empty['cases'], 'test case')} without "
            "lesions it drew some nevertheless."
        )
    return told


def _tools(train: Mapping) -> str:
    return f" ({', '.join(train['brain'])})" if train.get("brain") else ""


def _spacings(found: Mapping) -> str:
    if "kinds" in found:
        kinds = found["kinds"]
        alone = len(kinds) == 1
        return " and ".join(_times(one["mm"]) + ("" if alone else f" ({one['cases']})") for one in kinds) + " mm"
    return f"from {_times(found['low'])} to {_times(found['high'])} mm"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "for a time that is not known"
    unit, size = ("hours", 3600) if seconds >= 7200 else ("minutes", 60) if seconds >= 120 else ("seconds", 1)
    return f"{seconds / size:.3g} {unit}"


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
