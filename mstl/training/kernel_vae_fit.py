"""The training of one autoencoder of kernels: the evidence lower bound, with the best epoch's weights kept."""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mstl._keras import keras, tf
from mstl.config_kernel_prior import KernelPriorTraining
from mstl.errors import TrainingError
from mstl.models.kernel_vae import KERNEL_SHAPE, KernelVAE
from mstl.training.kernel_bound import drawn, gaussian_kl, negative_log_density

SCORING_BATCH = 1024

Row = dict[str, float]


def fit_kernel_vae(
    vae: KernelVAE,
    kernels: np.ndarray,
    held_out: np.ndarray,
    *,
    settings: KernelPriorTraining,
    seed: int,
    progress: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Train `vae` on `kernels` of unit scale, float32 `(n, 3, 3, 3)`; leaves the weights of the best epoch in it.

    Returns a row an epoch, means over kernels in nats: elbo (with the divergence counted wholly), reconstruction (the
    expected log density of a kernel given its code), kl (of codes from the standard normal), held_out_elbo; the epoch
    with the highest held_out_elbo is best. It is scored with the same draws of codes in every epoch. `progress` gets
    each row when it is there. Raises `TrainingError` where numbers are not finite.

    Source: Kingma and Welling 2013, arXiv 1312.6114.
    """
    rng, optimizer = np.random.default_rng(seed), keras.optimizers.Adam(settings.learning_rate)
    step, terms = _step(vae, optimizer), _terms(vae)
    scored = _batches(np.arange(len(held_out)), SCORING_BATCH)
    noise = _noise(rng, held_out, vae)
    rows: list[Row] = []
    best, weights = -np.inf, []
    for epoch in range(1, settings.epochs + 1):
        weight = min(1.0, epoch / settings.kl_epochs) if settings.kl_epochs else 1.0
        batches = _batches(rng.permutation(len(kernels)), settings.batch_size)
        codes = _noise(rng, kernels, vae)
        likelihood, kl = _mean([step(kernels[at], codes[at], np.float32(weight)) for at in batches], batches)
        seen, cost = _mean([terms(held_out[at], noise[at]) for at in scored], scored)
        rows.append({"epoch": epoch, "elbo": likelihood - kl, "held_out_elbo": seen - cost,
                     "reconstruction": likelihood, "kl": kl})  # fmt: skip
        _check_finite(rows[-1])
        progress(rows[-1])
        if rows[-1]["held_out_elbo"] > best:
            best, weights, patience = rows[-1]["held_out_elbo"], _weights(vae), settings.stop_patience
        elif (patience := patience - 1) == 0:
            break
    for variable, value in zip(_variables(vae), weights, strict=True):
        variable.assign(value)
    return rows


def best_row(rows: list[Row]) -> Row:
    """That of the epoch whose weights were kept."""
    return max(rows, key=lambda row: row["held_out_elbo"])


def _step(vae: KernelVAE, optimizer: keras.optimizers.Optimizer) -> Callable:
    """Function that updates `vae` on a batch and returns its terms."""
    variables = _variables(vae)
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)
    def step(kernels: tf.Tensor, noise: tf.Tensor, kl_weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            likelihood, kl = bound_terms(vae, kernels, noise)
            loss = kl_weight * kl - likelihood
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return likelihood, kl

    return step


def _terms(vae: KernelVAE) -> Callable:
    return tf.function(lambda kernels, noise: bound_terms(vae, kernels, noise), reduce_retracing=True)


def bound_terms(vae: KernelVAE, kernels: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Log density of kernels `(n, 3, 3, 3)` given a draw of their codes by `noise`, and the codes' KL; both means."""
    flat = tf.reshape(kernels, (-1, math.prod(KERNEL_SHAPE)))
    codes = vae.encoder(kernels[..., None])
    decoded = [tf.reshape(part, tf.shape(flat)) for part in vae.decoder(drawn(*codes, noise))]
    return -tf.reduce_mean(negative_log_density(flat, decoded)), tf.reduce_mean(gaussian_kl(*codes))


def _variables(vae: KernelVAE) -> list[tf.Variable]:
    return [*vae.encoder.weights, *vae.decoder.weights]


def _weights(vae: KernelVAE) -> list[np.ndarray]:
    return [variable.numpy() for variable in _variables(vae)]


def _noise(rng: np.random.Generator, kernels: np.ndarray, vae: KernelVAE) -> np.ndarray:
    return rng.standard_normal((len(kernels), vae.latent), dtype=np.float32)


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[at : at + size] for at in range(0, len(order), size)]


def _mean(terms: list[tuple[tf.Tensor, tf.Tensor]], batches: list[np.ndarray]) -> list[float]:
    """Means over kernels of the means over batches."""
    sizes = [len(batch) for batch in batches]
    return np.average(np.asarray(terms, np.float64), axis=0, weights=sizes).tolist()


def _check_finite(row: Row) -> None:
    broken = [name for name, value in row.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"{', '.join(broken)} of an autoencoder of kernels stopped being finite in epoch {row['epoch']:.0f}. Lower "
            "learning_rate, or log_variance_range's highest value."
        )
