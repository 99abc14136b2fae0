"""Freezing in a training, and the proof: each frozen tensor's hash before and after, in the run's `freeze.json`."""
from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from mstl._keras import keras
from mstl.config import GRADUAL, Training
from mstl.errors import InputError, TrainingError
from mstl.files import read_json, write_json
from mstl.models.tree import ModelTensor, tensors_of
from mstl.transfer.digest import sha256_of
from mstl.transfer.freeze_report import FreezeReport, describe_frozen, frozen_tensors
from mstl.transfer.freezing import set_frozen
from mstl.transfer.gradual import GradualUnfreezing


def freeze_for(model: keras.Model, training: Training) -> tuple[FreezeReport, GradualUnfreezing | None]:
    """Set the flags that a training begins with; returns the account, and for "gradual" what thaws.

    Without a policy the flags stay as they are. Raises `InputError` where a policy means no layer, or where
    nothing is left to train.
    """
    thawing = None
    if training.freeze == (GRADUAL,):
        thawing = GradualUnfreezing(training.unfreeze_epochs, norm=training.freeze_norm)
        thawing.set_model(model)
    elif training.freeze:
        set_frozen(model, training.freeze, norm=training.freeze_norm)
    if not model.trainable_weights:
        policy = ", ".join(training.freeze) or "the flags of its layers"
        raise InputError(f"Nothing of model '{model.name}' is left to train by {policy}. Freeze less.")
    return describe_frozen(model, policy=training.freeze, norm=training.freeze_norm), thawing


class FreezeProof(keras.callbacks.Callback):
    """Hashes what is frozen when a training begins, and again when it thaws or the training ends.

    The file `path` holds the account by group and a row a tensor: path, parameters, sha256_before, sha256_after
    and unchanged (None until verified), thawed_after (epochs done; None while frozen). Moving statistics are
    tensors like others. Raises `TrainingError` where a tensor has changed, once that is written.
    """

    def __init__(self, path: str | Path, model: keras.Model, report: FreezeReport) -> None:
        super().__init__()
        self.set_model(model)
        self.path, self.report = Path(path), report
        self.rows: list[dict] = []
        self._tensors = tensors_of(model)

    def resume(self) -> None:
        """Take up the rows of a training that was interrupted; raises `InputError` where others were frozen then."""
        if not self.path.exists():
            return
        self.rows = read_json(self.path)["tensors"]
        other = sorted({row["path"] for row in self.rows} ^ frozen_tensors(self.model).keys())
        if other:
            raise InputError(
                f"Run {self.path.parent} began with other layers frozen: {other[0]} and {len(other) - 1} more tensors "
                "differ. Freeze as before, or train into a new folder."
            )

    def begin(self) -> None:
        """Hash what is frozen; after `resume` verify it."""
        if self.rows:
            self.end()
        else:
            self.rows = [_row(tensor) for tensor in frozen_tensors(self.model).values()]
            self._write()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Verify what has thawed for this epoch."""
        frozen = frozen_tensors(self.model)
        thawed = [row for row in self.rows if row["thawed_after"] is None and row["path"] not in frozen]
        for row in thawed:
            row["thawed_after"] = epoch
        if thawed:
            self._verify(thawed)

    def end(self) -> None:
        """Verify what is still frozen."""
        self._verify(row for row in self.rows if row["thawed_after"] is None)

    def _verify(self, rows: Iterable[dict]) -> None:
        changed = []
        for row in rows:
            row["sha256_after"] = _hash(self._tensors[row["path"]])
            row["unchanged"] = row["sha256_after"] == row["sha256_before"]
            changed += [] if row["unchanged"] else [row["path"]]
        self._write()
        if changed:
            raise TrainingError(
                f"Frozen {changed[0]} and {len(changed) - 1} more tensors have changed in training, see {self.path}. "
                "Look for code that assigns to them or lifts their layers' flags."
            )

    def _write(self) -> None:
        write_json(self.path, {**self.report.to_dict(), "tensors": self.rows})


def _row(tensor: ModelTensor) -> dict:
    return {
        "path": tensor.path,
        "parameters": math.prod(tensor.shape),
        "sha256_before": _hash(tensor),
        "sha256_after": None,
        "unchanged": None,
        "thawed_after": None,
    }


def _hash(tensor: ModelTensor) -> str:
    return sha256_of(tensor.value.numpy())
