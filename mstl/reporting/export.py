"""A run made ready to leave the house: weights, settings, threshold, card; no data, no names, no paths."""
from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from shutil import copyfile

import mstl
from mstl.data.preparation import Preparation
from mstl.data.prepared import PREPARATION
from mstl.errors import InputError
from mstl.files import new_folder, read_json, sha256, whole_folder, write_json, write_text
from mstl.reporting.anonymous import (
    anonymous_environment,
    anonymous_experiment,
    anonymous_threshold,
    anonymous_transfer,
    sides_of,
    without_names,
)
from mstl.reporting.card_facts import budget_of, network_of, task_of, weights_of
from mstl.reporting.held_out import held_out_scores, made_by
from mstl.reporting.model_card import CARD, NOT_STATED, model_card
from mstl.reporting.preparation_words import what_is_done, what_is_needed
from mstl.reporting.training_data import are_pictures, sides_in_numbers
from mstl.training.run import CUSTOM_MODEL, ENVIRONMENT, EXPERIMENT, FREEZE, THRESHOLD, TRANSFER, Run
from mstl.transfer.checksums import write_checksums
from mstl.transfer.source import BEST

FACTS = "card.json"


def export_run(
    run: Run | str | Path,
    out: str | Path,
    *,
    scores: str | Path | None = None,
    predictions: str | Path | None = None,
    name: str | None = None,
    about: str = "",
    licence: str = NOT_STATED,
) -> Path:
    """Write what `mstl predict` needs of a run into the new folder `out`, with a model card; returns the folder.

    It holds `best.h5`, `experiment.yaml`, `preparation.json`, `threshold.json` where one was chosen, `transfer.json`,
    `freeze.json`, `environment.json`, `MODEL_CARD.md`, its numbers as `card.json`, and `SHA256SUMS` of them all. Names
    of subjects, paths, hashes of scans and rows of single subjects stay at home. It is a run itself: predictions equal
    those of `run` to the bit, and it can be the `init` of another.

    scores: `scores.csv` of the run's test subjects, which the card sums up. predictions: the folder that they are
    scores of; then it is checked that these very weights made them. name: title of the card; None takes that of `out`.
    about: what its maker knows and the files do not, such as disease and scanners. licence: of the weights.
    A training that was stopped is exported with its best weights so far, and the card says so.

    Raises `InputError` where `run` is no run of `mstl train`, is an export itself, has no best weights or a model that
    mstl did not build, where scores are of other subjects than the run's test subjects, predictions of other weights,
    a text names a subject, or `out` is not empty.
    """
    run = run if isinstance(run, Run) else Run(run)
    _check_run(run)
    texts = {"name": Path(out).resolve().name if name is None else name, "about": about, "licence": licence}
    _check_texts(run, texts)
    found = _scores(run, scores, predictions)
    out = new_folder(out)
    with whole_folder(out) as temporary:
        _write_records(run, temporary)
        facts = {"folder": out.resolve().name, **texts, **_facts(run, Run(temporary)), "scores": found}
        write_json(temporary / FACTS, facts)
        write_text(temporary / CARD, model_card(facts))
        write_checksums(temporary)
    return out


def _check_run(run: Run) -> None:
    if (run.folder / FACTS).exists():
        raise InputError(f"{run.folder} was exported already. Copy the folder, or export the run that it came from.")
    run.weights("best")
    if run.experiment.model == CUSTOM_MODEL:
        raise InputError(
            f"Run {run.folder} trained a model that mstl did not build and cannot build on another machine. Train one "
            "of mstl's, or hand over best.h5 with your own code."
        )


def _check_texts(run: Run, texts: Mapping[str, str]) -> None:
    names = [name for side in sides_of(run.experiment).values() for name in side if not name.isdecimal()]
    for what, text in texts.items():
        if what != "about" and not text.strip():
            raise InputError(f"{what} is empty; a text is expected. Give one, or leave it out.")
        if without_names(text, names) != text:
            raise InputError(f"{what} is '{text}', which names a subject of the run. Call it something else.")


def _scores(run: Run, scores: str | Path | None, predictions: str | Path | None) -> dict | None:
    if scores is None:
        if predictions is not None:
            raise InputError(f"predictions is {predictions}, but there are no scores of them. Give --scores too.")
        return None
    found = held_out_scores(scores, sides_of(run.experiment))
    return found | {"made": made_by(scores, predictions, weights_sha256=sha256(run.weights("best")))}


def _write_records(run: Run, folder: Path) -> None:
    """The files that make `folder` a run, without what is private."""
    copyfile(run.weights("best"), folder / BEST)
    anonymous_experiment(run.experiment).save(folder / EXPERIMENT)
    preparation = Preparation.of_record(run.preparation, source=run.folder)
    write_json(folder / PREPARATION, preparation.to_record())
    names = [name for side in sides_of(run.experiment).values() for name in side]
    kept = {
        ENVIRONMENT: lambda record: anonymous_environment(record, weights_sha256=sha256(folder / BEST)),
        THRESHOLD: anonymous_threshold,
        TRANSFER: lambda record: anonymous_transfer(record, names=names),
        FREEZE: dict,
    }
    for file, anonymous in kept.items():
        if (run.folder / file).exists():
            write_json(folder / file, anonymous(read_json(run.folder / file)))


def _facts(run: Run, exported: Run) -> dict:
    """What the card tells, of the run and of the folder that `exported` is, whose model is built and filled."""
    preparation = Preparation.of_record(run.preparation, source=run.folder)
    environment = read_json(exported.folder / ENVIRONMENT) if (exported.folder / ENVIRONMENT).exists() else {}
    data = sides_in_numbers(run)
    pictures = are_pictures(data["train"], preparation)
    model = exported.model()
    threshold = exported.folder / THRESHOLD
    return {
        "date": date.today().isoformat(),
        "task": task_of(preparation, classes=model.output_shape[-1], pictures=pictures),
        "preparation": preparation.to_record(),
        "needs": what_is_needed(preparation, pictures=pictures, brains=data["train"].get("brain", ())),
        "done": what_is_done(preparation, pictures=pictures),
        "network": network_of(model, exported.experiment, pictures=pictures),
        "weights": weights_of(exported.folder, prior=exported.experiment.prior),
        "data": data,
        "budget": budget_of(run, model, devices=environment.get("devices", {})),
        "decision": read_json(threshold) if threshold.exists() else None,
        "versions": {
            "mstl": mstl.__version__,
            "python": environment.get("python", "unknown"),
            "packages": {name: version for name, version in environment.get("packages", {}).items() if name != "mstl"},
        },
        "sha256": sha256(exported.folder / BEST),
    }
