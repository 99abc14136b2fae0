"""The bound of an autoencoder of kernels, and its training."""
from dataclasses import replace

import numpy as np
import pytest

from mstl._keras import keras
from mstl.config_kernel_prior import KernelPriorTraining
from mstl.errors import TrainingError
from mstl.models.kernel_vae import KernelVAE, kernel_vae
from mstl.training.kernel_vae_fit import best_row, bound_terms, fit_kernel_vae
from tests.gans import eager

QUICK = KernelPriorTraining(epochs=4, batch_size=32, learning_rate=2e-3)


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eager():
        yield


def kernels_of(seed: int, count: int = 128) -> np.ndarray:
    """Kernels that are one pattern, stronger or weaker."""
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(9).uniform(-1, 1, (3, 3, 3))
    strength = rng.uniform(-0.9, 0.9, (count, 1, 1, 1))
    return np.float32(strength * pattern + rng.normal(0, 0.03, (count, 3, 3, 3)))


def trained(settings=QUICK, seed=0):
    keras.utils.set_random_seed(seed)
    vae = kernel_vae(latent=2)
    return vae, fit_kernel_vae(vae, kernels_of(0), kernels_of(1, 64), settings=settings, seed=seed)


@pytest.fixture(scope="module")
def result():
    return trained()


def test_each_epoch_has_a_row_of_the_bound_and_its_parts(result):
    rows = result[1]
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert row["elbo"] == pytest.approx(row["reconstruction"] - row["kl"])
    assert rows[-1]["held_out_elbo"] > rows[0]["held_out_elbo"] + 5


def test_the_weights_are_those_of_the_best_epoch():
    vae, rows = trained(replace(QUICK, learning_rate=2e-2, epochs=3))
    held_out = kernels_of(1, 64)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((64, 2), dtype=np.float32)
    likelihood, kl = bound_terms(vae, held_out, noise)
    assert best_row(rows)["held_out_elbo"] == pytest.approx(float(likelihood - kl), abs=1e-3)


def test_a_seed_says_the_result(result):
    assert trained()[1][-1]["held_out_elbo"] == pytest.approx(result[1][-1]["held_out_elbo"], rel=1e-3)
    assert trained(seed=1)[1][-1] != pytest.approx(result[1][-1], rel=1e-3)


def test_the_divergence_of_codes_counts_little_at_first():
    free, full = (trained(replace(QUICK, kl_epochs=epochs, epochs=3))[1] for epochs in (1000, 0))
    assert free[-1]["kl"] > 1.1 * full[-1]["kl"]


def test_it_stops_after_epochs_without_a_better_bound():
    rows = trained(replace(QUICK, learning_rate=0.0, epochs=50, stop_patience=3))[1]
    assert len(rows) == 4


def test_the_bound_is_that_of_a_gaussian_where_nothing_is_coded():
    code, kernel = keras.layers.Input((2,)), keras.layers.Input((3, 3, 3, 1))
    constant = keras.layers.Dense(27, kernel_initializer="zeros")(code)
    shaped = keras.layers.Reshape((3, 3, 3, 1))(constant)
    nothing = keras.layers.Dense(2, kernel_initializer="zeros")(keras.layers.Flatten()(kernel))
    vae = KernelVAE(keras.Model(kernel, [nothing, nothing]), keras.Model(code, [shaped, shaped]), 2, (-1, 1))
    kernels = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    likelihood, kl = bound_terms(vae, kernels, np.ones((5, 2), np.float32))
    density = -0.5 * np.mean(np.sum(np.log(2 * np.pi) + kernels.reshape(5, -1) ** 2, axis=1))
    assert float(likelihood) == pytest.approx(density, rel=1e-5)
    assert float(kl) == 0


def test_numbers_that_are_not_finite_stop_it():
    keras.utils.set_random_seed(0)
    kernels = np.full((32, 3, 3, 3), 1e30, np.float32)
    with pytest.raises(TrainingError, match=r"of an autoencoder of kernels stopped being finite in epoch 1\. Lower"):
        fit_kernel_vae(kernel_vae(), kernels, kernels, settings=QUICK, seed=0)
