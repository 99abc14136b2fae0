"""A domain shift in plain words: what was measured, whether it is more than chance, and what it does not say."""
from __future__ import annotations

from collections.abc import Mapping

RECORD = "domain_shift.json"
SIGNIFICANT = 0.05
HINT = (
    "This is a hint, never instead of results of training: a near domain can transfer badly and a far one well. Only "
    "trainings with and without the transfer, scored on the same patients, show what it is worth."
)
SCALE = (
    "Squared MMDs can be set beside each other only where features, kernel, gamma and the way of preparing are the "
    "same. 0 means that the kernel sees no difference; the unbiased estimate may fall a little below."
)


def in_words(record: Mapping) -> dict[str, str]:
    """Sentences on a `DomainShift.to_dict()`: what was measured, its `test`, the `scale`, and that it is a `hint`."""
    return {"measure": _measure(record), "test": _test(record), "scale": SCALE, "hint": HINT}


def number(value: float) -> str:
    """A squared MMD or p with three digits that count."""
    return f"{value:.3g}"


def _measure(record: Mapping) -> str:
    a, b, features = record["a"], record["b"], record["features"]
    if features["source"] == "intensities":
        what = f"intensities of patches of {' × '.join(map(str, features['patch']))} voxels in the brain"
    else:
        what = f"activations of the layer {features['source'].rpartition(':')[2]}, averaged over space"
    return (
        f"The squared MMD of {a['name']} ({_counted(a)}) and {b['name']} ({_counted(b)}) is {number(record['mmd2'])}, "
        f"measured on {what}, with the {record['kernel']} kernel."
    )


def _counted(domain: Mapping) -> str:
    subjects = len(domain["subjects"])
    return f"{domain['samples']:,} samples of {subjects} subject{'s' * (subjects != 1)}"


def _test(record: Mapping) -> str:
    if record["smallest_p"] > SIGNIFICANT:
        return (
            "Whether this is more than chance is open. Samples of one subject resemble each other, so whole subjects "
            f"are permuted, and with so few of them p cannot be below {number(record['smallest_p'])} (here it is "
            f"{number(record['p'])})."
        )
    paired, subjects = record["paired_subjects"], [len(record[side]["subjects"]) for side in "ab"]
    how = "whole subjects changed sides"
    if paired:
        how = "the two sides of each subject were swapped or not"
        how += ", or whole subjects changed sides" if paired < max(subjects) else ""
    chance = record["by_chance"]
    verdict = (
        f"the domains differ by more than chance explains, p = {number(record['p'])}"
        if record["p"] <= SIGNIFICANT
        else f"no difference beyond chance was seen, p = {number(record['p'])}, which does not prove that there is none"
    )
    middle, high = number(chance["median"]), number(chance["95%"])
    return f"Chance, when {how}, gave {middle} in the middle and more than {high} in 5 of 100 cases: {verdict}."
