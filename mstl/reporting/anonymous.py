"""Records of a run without what belongs to its machine and its patients: names of subjects, paths, hosts."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PureWindowsPath

from mstl.config import RANDOM, Experiment
from mstl.transfer.registry import registry
from mstl.transfer.source import IMAGENET

LEARNED = "learned"  # stands for the file of a prior
SUBJECT = "..."  # stands for the name of a subject
KEPT = ("python", "packages", "git_revision", "seed", "pos_weight")  # of an environment
SIDES = ("train", "validation", "test")


def sides_of(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """Names of the subjects of each side, by the side's name."""
    return {side: getattr(experiment, f"{side}_subjects") for side in SIDES}


def anonymous_experiment(experiment: Experiment) -> Experiment:
    """The experiment without subjects, prepared folder and paths; `init` and `prior` keep no folder."""
    without = dict.fromkeys((f"{side}_subjects" for side in SIDES), ())
    prior = LEARNED if experiment.has_learned_prior else experiment.prior
    names = _all_subjects(experiment)
    init = anonymous_source(experiment.init, names=names)
    return replace(experiment, prepared="", init=init, prior=prior, twin=False, **without)


def anonymous_threshold(record: Mapping) -> dict:
    """A `threshold.json` that counts the subjects it was chosen on."""
    rest = {name: value for name, value in record.items() if name != "chosen_on"}
    return rest | {"chosen_on_subjects": len(record["chosen_on"])} if "chosen_on" in record else rest


def anonymous_environment(record: Mapping, *, weights_sha256: str) -> dict:
    """Versions, seed, kind of device and hashes of weights and prior; nothing of the machine, nothing of the scans."""
    kept = {name: record[name] for name in KEPT if name in record}
    if "prior" in record:
        kept["prior"] = {"sha256": record["prior"]["sha256"]}
    distribution = record.get("distribution", {})
    devices = distribution.get("devices", {})
    kept["precision"] = distribution.get("precision", "float32")
    kept["devices"] = {name: devices[name] for name in ("kind", "count") if name in devices}
    return kept | {"inputs": {}, "weights_sha256": weights_sha256}


def anonymous_transfer(record: Mapping, *, names: Iterable[str]) -> dict:
    """A `transfer.json` whose sources are names without folders, its notes without the subjects `names`."""
    names = tuple(names)
    transfers = [
        {
            **one,
            "init": anonymous_source(str(one["init"]), names=names),
            "file": anonymous_source(str(one.get("file") or ""), names=names),
            "notes": [without_names(note, names) for note in one.get("notes", ())],
        }
        for one in record["transfers"]
    ]
    return {**record, "transfers": transfers}


def anonymous_source(word: str, *, names: Iterable[str] = ()) -> str:
    """Where weights came from in a word: a published name as it is, of a path the last part."""
    if word in (RANDOM, IMAGENET) or word in registry():
        return word
    return without_names(PureWindowsPath(word).name or word, names)  # it takes / and \ for what parts folders


def without_names(text: str, names: Iterable[str]) -> str:
    """The text with `SUBJECT` in place of every word that is one of `names`."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", SUBJECT, text)
    return text


def _all_subjects(experiment: Experiment) -> tuple[str, ...]:
    return tuple(name for side in sides_of(experiment).values() for name in side)
