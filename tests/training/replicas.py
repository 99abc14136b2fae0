"""Trainings on one device and on two, in a process of its own: devices must be known before TensorFlow starts.

`python -m tests.training.replicas PREPARED GAN_PREPARED OUT` writes OUT/found.json: by the name of a training the
largest difference of a weight, and both histories.
"""
import json
import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
import pandas as pd

from mstl._keras import keras, tf
from mstl.data.prepared import PreparedCohort
from mstl.models.batch_norm import BatchStatisticsNormalization
from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.models.recipes import buildable
from mstl.training.distribute import pick_strategy
from mstl.training.fit import fit
from mstl.training.pretrain_gan import pretrain_gan
from tests.gans import SETTINGS as GAN_SETTINGS
from tests.gans import sides_of
from tests.training.bayesian import bayesian_network
from tests.training.two_heads import two_heads

SLICES = {"augment": "none", "keep": "lesion", "batch_norm_momentum": 0.9, "batch_size": 4, "learning_rate": 1e-2}
VOLUMES = {"augment": "none", "epochs": 2, "steps_per_epoch": 2, "batch_size": 2}
TRAININGS = {
    "slices": {**SLICES, "epochs": 2, "loss": "bce_dice"},
    "heads": {**SLICES, "epochs": 2, "loss": "bce_dice", "auxiliary_weight": 0.8},
    "volumes": {**VOLUMES, "loss": "bce"},
    "prior": {**VOLUMES, "loss": "bce", "prior": "gaussian", "variance_rate": 10},
    "gan": {**GAN_SETTINGS, "epochs": 1, "validation_steps": None, "augment": "none"},
}


def network(*, volumes: bool) -> keras.Model:
    """Two convolutions with batch norm between, always the same weights, no dropout."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    convolution = layers.Conv3D if volumes else layers.Conv2D
    image = layers.Input((*[None] * (3 if volumes else 2), 2))
    maps = convolution(6, 3, padding="same", use_bias=False, name="first")(image)
    maps = convolution(1, 3, padding="same", name="last")(layers.ReLU()(layers.BatchNormalization(name="norm")(maps)))
    return keras.Model(image, layers.Activation("sigmoid", dtype="float32")(maps))


def register() -> None:
    """Let experiments name the network of slices "tiny"."""

    @buildable("tiny")
    def tiny(*, channels: int) -> keras.Model:
        """The network of slices."""
        return network(volumes=False)


def gan_networks() -> tuple[keras.Model, keras.Model]:
    """A generator and a discriminator of two convolutions, each with the batch norm that it has in mstl."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    source, target = layers.Input((None, None, 2)), layers.Input((None, None, 2))
    maps = layers.Conv2D(4, 3, padding="same", use_bias=False, name="encode")(source)
    maps = layers.ReLU()(BatchStatisticsNormalization(name="norm")(maps))
    restored = layers.Activation("tanh", dtype="float32")(layers.Conv2D(2, 3, padding="same", name="decode")(maps))
    maps = layers.Conv2D(4, 4, 2, padding="same", use_bias=False)(layers.Concatenate()([source, target]))
    verdict = layers.Conv2D(1, 3)(layers.ReLU()(layers.BatchNormalization()(maps)))
    return keras.Model(source, restored), keras.Model([source, target], layers.Activation("sigmoid")(verdict))


def train(kind: str, prepared: PreparedCohort, out: Path) -> Path:
    """Train under the strategy that is open."""
    if kind == "gan":
        generator, discriminator = gan_networks()
        with (
            patch("mstl.training.pretrain_gan.build_generator", lambda *_, **__: generator),
            patch("mstl.training.pretrain_gan.discriminator", lambda **_: discriminator),
        ):
            pretrain_gan(*sides_of(prepared), out=out, **TRAININGS[kind])
    else:
        cases = prepared.select(["s0", "s1", "s2"]), prepared.select(["s3"])
        build = {"prior": bayesian_network, "heads": two_heads}.get(kind, partial(network, volumes=kind == "volumes"))
        model = build()
        with patch.object(BayesianConv3D, "_noise", without_noise):
            fit(model, *cases, out=out, **TRAININGS[kind])  # replicas would draw noise of their own
    return out


def without_noise(layer: BayesianConv3D, like: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Zeros in place of a layer's noise."""
    return tf.zeros_like(like, dtype)


def weights_of(run: Path) -> dict[str, np.ndarray]:
    """Arrays of the last weights, by name."""
    arrays = {}
    with h5py.File(run / "last.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def compare(one: Path, two: Path) -> dict:
    """Differences of the weights by name, and the histories."""
    first, second = weights_of(one), weights_of(two)
    tables = (pd.read_csv(run / "history.csv").drop(columns="seconds") for run in (one, two))
    return {
        "differences": {name: float(np.abs(first[name] - second[name]).max()) for name in first},
        "histories": [table.to_dict("list") for table in tables],
        "distribution": json.loads((two / "environment.json").read_text())["distribution"],
    }


def main() -> None:
    """Train each kind on one device and on two."""
    prepared, gan_prepared, out = map(Path, sys.argv[1:])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    found = {}
    for kind in TRAININGS:
        cohort = PreparedCohort.open(gan_prepared if kind == "gan" else prepared)
        one = train(kind, cohort, out / f"{kind}-one")
        with pick_strategy(devices=["CPU:0", "CPU:1"]).scope():
            found[kind] = compare(one, train(kind, cohort, out / f"{kind}-two"))
    (out / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
