"""Networks of a few weights to train as a GAN, and settings and cases of a pre-training that takes seconds."""
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mstl.data.prepared import PreparedCohort
from tests.opened import opened_files

SIDES = {"train_subjects": ("s0", "s1"), "validation_subjects": ("s2",), "test_subjects": ("s3",)}
SETTINGS = {
    "width": 2, "norm_mode": "instance", "epochs": 3, "steps_per_epoch": 2, "validation_steps": 1, "batch_size": 2,
    "sample_every": 2, "tile": 8, "learning_rate": 1e-2, "augment": "thesis", "corruption": "random-checkerboard",
}  # fmt: skip
LOSSES = ["loss", "adversarial_loss", "l1_loss", "discriminator_loss"]


def close_masks(prepared: Path) -> None:
    """Put a folder in the place of every mask, which no one can open as a file."""
    for mask in prepared.glob("*/mask.npy"):
        mask.unlink()
        mask.mkdir()


def sides_of(prepared: PreparedCohort) -> tuple[PreparedCohort, PreparedCohort]:
    """Cases to train on and cases to validate with."""
    return prepared.select(SIDES["train_subjects"]), prepared.select(SIDES["validation_subjects"])


def yaml_of(**changes) -> str:
    """The tiny pre-training as an experiment's YAML."""
    values = {**SETTINGS, **SIDES, **changes}
    lines = (f"{key}: {list(value) if isinstance(value, tuple) else value}" for key, value in values.items())
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Pretrained:
    """The folder of a pre-training, what its command printed, the files opened, and how often a step was traced."""

    folder: Path
    said: str
    opened: list[Path]
    traces: int


def pretrain_by_command(prepared: PreparedCohort, folder: Path) -> Pretrained:
    """Run `mstl pretrain gan` on `prepared`, as a person does, its steps compiled to graphs."""
    from mstl.cli import main
    from mstl.training.gan import Pix2Pix

    calls, step, printed = [], Pix2Pix.train_step, io.StringIO()
    path = folder / "gan.yaml"
    path.write_text(yaml_of(prepared=prepared.folder))
    with pytest.MonkeyPatch.context() as patch, opened_files() as opened, redirect_stdout(printed), eager(False):
        patch.setattr(Pix2Pix, "train_step", lambda self, data: calls.append(1) or step(self, data))
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "argv", ["mstl", "pretrain", "gan", str(path), "--out", str(folder / "gan")])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code, printed.getvalue()
    return Pretrained(folder / "gan", printed.getvalue(), list(opened), len(calls))


@contextmanager
def eager(on: bool = True) -> Iterator[None]:
    """Run what Keras would compile to graphs operation by operation: a short training is over before they are made."""
    from mstl._keras import tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(on)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def tiny_networks(*, dropout: float = 0.0):
    """A generator with dropout and a discriminator with batch norm, of some layers each and always the same weights."""
    from mstl._keras import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    source, target = layers.Input((None, None, 2)), layers.Input((None, None, 2))
    restored = layers.Conv2D(4, 3, padding="same", activation="relu", name="encode")(source)
    restored = layers.Conv2D(2, 3, padding="same", name="decode")(layers.Dropout(dropout)(restored))
    restored = layers.Activation("tanh", dtype="float32")(restored)
    judged = layers.Conv2D(4, 4, 2, padding="same", name="judge")(layers.Concatenate()([source, target]))
    judged = layers.Conv2D(1, 3, name="verdict")(layers.BatchNormalization(name="norm")(judged))
    judged = layers.Activation("sigmoid", dtype="float32")(judged)
    return keras.Model(source, restored), keras.Model([source, target], judged)


def tiny_gan(*, frozen: Sequence[str] = (), **options):
    """A compiled `Pix2Pix` of `tiny_networks`, their layers `frozen` locked."""
    from mstl._keras import keras
    from mstl.training.gan import Pix2Pix

    gan = Pix2Pix(*tiny_networks(), **options)
    for layer in (*gan.generator.layers, *gan.discriminator.layers):
        layer.trainable = layer.name not in frozen
    gan.compile(keras.optimizers.Adam(0.01, beta_1=0.5), keras.optimizers.Adam(0.01, beta_1=0.5))
    return gan


def batch_of(*, images: int = 3, side: int = 16) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corrupted, target and hidden of noise in [-1, 1] with a rim of background."""
    rng = np.random.default_rng(images)
    target = np.full((images, side, side, 2), -1, np.float32)
    target[:, 1:-1, 1:-1] = rng.uniform(-1, 1, (images, side - 2, side - 2, 2))
    hidden = (rng.random((images, side, side, 1)) < 0.5).astype(np.float32)
    return np.where(hidden > 0, np.float32(1), target), target, hidden
