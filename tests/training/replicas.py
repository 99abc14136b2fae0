"""Trainings of a process of its own: over several logical devices, or as one worker of several."""
import json
import os
import sys
from pathlib import Path

import numpy as np

from mstl._keras import keras, tf
from mstl.data.prepared import PreparedCohort
from mstl.training.distribute import pick_strategy
from mstl.training.fit import fit

layers = keras.layers
SETTINGS = {
    "epochs": 2, "steps_per_epoch": 3, "batch_size": 4, "augment": "none", "learning_rate": 1e-2, "keep": "lesion",
    "batch_norm_momentum": 0.9,
}  # fmt: skip


def network(channels: int = 2, *, norm: bool = True, classes: int = 1, volumes: bool = False) -> keras.Model:
    """Two convolutions with batch norm between, always the same weights, no dropout."""
    keras.utils.set_random_seed(0)
    convolution = layers.Conv3D if volumes else layers.Conv2D
    image = layers.Input((*[None] * (3 if volumes else 2), channels))
    maps = convolution(6, 3, padding="same", use_bias=not norm)(image)
    maps = layers.ReLU()(layers.BatchNormalization()(maps) if norm else maps)
    maps = convolution(classes, 3, padding="same")(maps)
    return keras.Model(image, layers.Activation("sigmoid" if classes == 1 else "softmax", dtype="float32")(maps))


def sides(folder: str) -> tuple[PreparedCohort, PreparedCohort]:
    """Cases to train on, and one to validate with."""
    prepared = PreparedCohort.open(folder)
    return prepared.select(["s0", "s1", "s2"]), prepared.select(["s3"])


def two_devices() -> None:
    """Give this process two CPUs."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def train(strategy: tf.distribute.Strategy, folder: str, out: str | Path, **options) -> dict:
    """Train under `strategy`; returns weights and history."""
    with strategy.scope():
        model = network(**options.pop("network", {}))
    run = fit(model, *sides(folder), out=out, **{**SETTINGS, **options})
    history = run.history.drop(columns="seconds").to_dict("list")
    return {"weights": [array.tolist() for array in model.get_weights()], "history": history}


def worker() -> None:
    """`replicas.py FOLDER OUT RESUME CONFIG`: one of the workers that `TF_CONFIG` names."""
    folder, out, resume, options = sys.argv[1:]
    found = train(pick_strategy(), folder, out, resume=bool(int(resume)), **json.loads(options))
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"] if "TF_CONFIG" in os.environ else "alone"
    Path(f"{out}-{index}.json").write_text(json.dumps(found))


def difference(one: dict, other: dict) -> float:
    """Largest difference of a weight."""
    pairs = zip(one["weights"], other["weights"], strict=True)
    return max(float(np.abs(np.subtract(first, second)).max()) for first, second in pairs)
