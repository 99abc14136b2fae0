"""A small prepared cohort and a small network with batch norm and dropout, for tests of training."""
from pathlib import Path

import numpy as np
import pytest

from mstl.data.cohort import Case, Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort
from mstl.data.volume import write_volume


def write_cohort(folder: Path, subjects: int) -> Cohort:
    cases = []
    for number in range(subjects):
        random = np.random.default_rng(number)
        flair = np.zeros((30, 30, 8), np.float32)
        flair[2:-2, 2:-2] = random.uniform(0.5, 1.0, (26, 26, 8))
        mask = np.zeros(flair.shape, np.uint8)
        mask[8:15, 10 : 14 + number, 2:6] = 1
        flair[mask > 0] += 1.5
        name = f"s{number}"
        write_volume(folder / f"{name}_flair.nii.gz", flair, np.eye(4))
        write_volume(folder / f"{name}_t1.nii.gz", 2 - flair, np.eye(4))
        write_volume(folder / f"{name}_mask.nii.gz", mask, np.eye(4))
        images = {"flair": folder / f"{name}_flair.nii.gz", "t1": folder / f"{name}_t1.nii.gz"}
        cases.append(Case(subject=name, images=images, mask=folder / f"{name}_mask.nii.gz"))
    cohort = Cohort(cases)
    cohort.to_csv(folder / "cohort.csv")
    return cohort


def build_small_model(channels: int = 2):
    from mstl._keras import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((None, None, channels))
    x = layers.Conv2D(6, 3, padding="same")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3)(x)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Cohort:
    return write_cohort(tmp_path_factory.mktemp("scans"), subjects=5)


@pytest.fixture(scope="session")
def prepared(cohort, tmp_path_factory) -> PreparedCohort:
    return prepare(cohort, tmp_path_factory.mktemp("data") / "prepared", modalities=("flair", "t1"))


@pytest.fixture(scope="session")
def small_model():
    return build_small_model
