"""The card of an exported model: what it is, whom it learned from, how far to trust it, how to run it."""
from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Iterable, Mapping

import yaml

from mstl.models.recipes import BUILDERS
from mstl.reporting import card_words
from mstl.reporting.template import render
from mstl.transfer.initial import HELD_OUT

CARD = "MODEL_CARD.md"
NOT_STATED = "not stated"
KNOWN_LICENCES = {"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
                  "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"}  # fmt: skip
SOURCES = {  # of what a preparation does, by the name of its step or normalisation
    "coregister": "registration by mutual information: Mattes et al. 2003, doi 10.1109/TMI.2003.809072",
    "n4": "N4: Tustison et al. 2010, doi 10.1109/TMI.2010.2046908",
    "mni": "MNI152 template: Fonov et al. 2011, doi 10.1016/j.neuroimage.2010.07.033",
    "nyul": "histogram scale: Nyul et al. 2000, doi 10.1109/42.836373",
}
_MARKUP = re.compile(r"([\\`*\[\]<>|])")
_SOURCE = re.compile(r"^Sources?: (.*?)(?:\n\n|\Z)", re.DOTALL | re.MULTILINE)


def model_card(facts: Mapping) -> str:
    """The card in Markdown, of the facts that `mstl.reporting.export` gathers and `card.json` holds.

    Its sections are those of Mitchell et al. 2019, Model Cards for Model Reporting, doi 10.1145/3287560.3287596; at its
    head stands metadata as the Hugging Face Hub reads it.
    """
    scores, data = facts["scores"], facts["data"]
    flip = bool((facts["decision"] or {}).get("flip"))
    ending = "png" if facts["task"]["pictures"] else "nii.gz"
    files = {name: f"{name}.{ending}" for name in facts["task"]["modalities"]}
    return render("model_card.md.j2", {
        **facts,
        "front": yaml.safe_dump(_front_matter(facts), sort_keys=False),
        "title": plain(facts["name"]),
        "about": plain(facts["about"]),
        "licence": plain(facts["licence"]),
        "folder": plain(facts["folder"]),
        "quoted": shlex.quote(facts["folder"]),
        "python_folder": json.dumps(facts["folder"]),
        "learned": card_words.learned_words(data["train"]),
        "tainted": scores is not None and is_tainted(facts["weights"]["notes"]),
        "example": " ".join(f"{name}={file}" for name, file in files.items()),
        "files": json.dumps(files),
        "flag": " --flip" if flip else "",
        "argument": "flip=True, " if flip else "",
        "tested": card_words.how_good(scores, data["test"]),
        "sides": {side: plain(card_words.side_words(one)) for side, one in data.items()},
        "decision_words": card_words.decision_words(facts["decision"], classes=facts["task"]["classes"]),
        "budget_words": card_words.budget_words(facts["budget"]),
        "rows": card_words.score_rows(scores) if scores else [],
        "limits": card_words.limits(facts),
        "sources": method_sources(facts["network"]["model"], facts["preparation"]),
        "score_text": card_words.score_text,
        "counted": card_words.counted,
    }).strip() + "\n"  # fmt: skip


def is_tainted(notes: Iterable[str]) -> bool:
    """Whether the notes of a transfer say that its weights had learned from held-out subjects."""
    return any(HELD_OUT in note for note in notes)


def method_sources(model: str, preparation: Mapping) -> list[str]:
    """Publications of the network, as its builder names them, and of the preparation."""
    found = _SOURCE.search(inspect.getdoc(BUILDERS[model]) or "")
    network = [f"network `{model}`: {' '.join(found[1].split()).rstrip('.')}"] if found else []
    used = (*preparation["steps"], preparation["normalise"])
    return [*network, *(SOURCES[name] for name in used if name in SOURCES)]


def plain(text: str) -> str:
    """The text in one line, as it is: nothing of it is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _front_matter(facts: Mapping) -> dict:
    licence, task = facts["licence"], facts["task"]
    known = licence.lower() if licence.lower() in KNOWN_LICENCES else ""
    stated = {"license": known} if known else {"license": "other", "license_name": licence}
    kind = "2d" if facts["network"]["dimensions"] == 2 else "3d"
    return (stated if licence != NOT_STATED else {}) | {
        "library_name": "tf-keras",
        "pipeline_tag": "image-segmentation",
        "tags": ["mstl", "medical-imaging", "lesion-segmentation", kind, *task["modalities"]],
    }
