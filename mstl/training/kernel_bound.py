"""KL divergence of a factorised Gaussian posterior of weights from its prior, as plain functions of tensors.

A posterior is q(w) = N(mean, exp(log_variance)) of independent weights; a row of the arrays `(N, 27)` is a 3x3x3
kernel. From a Gaussian prior the divergence is known in closed form. From a prior that a variational autoencoder
learned, p(w) = E_{p(z)} p(w|z) with a decoder p(w|z) and standard normal latents p(z), it is not; with the encoder
r(z|w) it has the upper bound

    KL(q || p) <= E_q E_r [log q(w) + log r(z|w) - log p(z) - log p(w|z)],

which is tight where r is the decoder's true posterior. Two of its parts are known exactly: the entropy of q, and
KL(r(z|w) || p(z)) for a given w. One w and one z are drawn for the rest, by reparametrisation, so that gradients reach
q and r.

All are in nats and float32. A divergence does not depend on the unit of w, as long as q and p share it: a change of it
adds the same constant to log q and log p.

Sources: Atanov et al. 2018, arXiv 1810.06943; Kuzina et al. 2019, doi 10.3389/fnins.2019.00844; Kingma and Welling
2013, arXiv 1312.6114.
"""
from __future__ import annotations

import math
from collections.abc import Callable

from mstl._keras import tf

SIDE = 3  # of a kernel
LOG_TAU = math.log(2 * math.pi)

Gaussian = tuple[tf.Tensor, tf.Tensor]  # mean and log variance
Coder = Callable[[tf.Tensor], Gaussian]


def gaussian_entropy(log_variance: tf.Tensor) -> tf.Tensor:
    """Entropy of independent Gaussians `(..., D)`, summed over the last axis: `(...,)`."""
    return 0.5 * tf.reduce_sum(1.0 + LOG_TAU + log_variance, axis=-1)


def gaussian_cost(mean: tf.Tensor, log_variance: tf.Tensor, prior: Gaussian) -> tf.Tensor:
    """Cross-entropy `E_q[-log p(w)]` of Gaussians `(..., D)` from the Gaussian `prior`, summed over the last axis."""
    centre, spread = prior
    squares = (tf.square(mean - centre) + tf.exp(log_variance)) * tf.exp(-spread)
    return 0.5 * tf.reduce_sum(LOG_TAU + spread + squares, axis=-1)


def gaussian_kl(mean: tf.Tensor, log_variance: tf.Tensor, prior: Gaussian = (0.0, 0.0)) -> tf.Tensor:
    """KL divergence of Gaussians `(..., D)` from the Gaussian `prior`, summed over the last axis: `(...,)`."""
    centre, spread = prior
    ratio = log_variance - spread
    squares = tf.square(mean - centre) * tf.exp(-spread)
    return 0.5 * tf.reduce_sum(tf.exp(ratio) + squares - 1.0 - ratio, axis=-1)


def kernel_cost(
    mean: tf.Tensor,
    log_variance: tf.Tensor,
    *,
    encoder: Coder,
    decoder: Coder,
    kernel_noise: tf.Tensor,
    latent_noise: tf.Tensor,
) -> tf.Tensor:
    """The part of the bound that the prior gives, one draw of `E_q E_r[log r(z|w) - log p(z) - log p(w|z)]`, `(N,)`.

    mean, log_variance `(N, 27)`: posteriors of kernels. encoder: kernels `(N, 3, 3, 3, 1)` to mean and log variance of
    their latents `(N, L)`; decoder: latents to mean and log variance of kernels `(N, 3, 3, 3, 1)`. kernel_noise
    `(N, 27)` and latent_noise `(N, L)`: standard normal numbers that make w and z.
    """
    kernels = drawn(mean, log_variance, kernel_noise)
    latent = encoder(tf.reshape(kernels, (-1, SIDE, SIDE, SIDE, 1)))
    decoded = [tf.reshape(part, tf.shape(kernels)) for part in decoder(drawn(*latent, latent_noise))]
    return gaussian_kl(*latent) + negative_log_density(kernels, decoded)


def kernel_bound(mean: tf.Tensor, log_variance: tf.Tensor, **options) -> tf.Tensor:
    """One draw of the upper bound of `KL(q || p)` for each kernel, `(N,)`; arguments as `kernel_cost` has them."""
    return kernel_cost(mean, log_variance, **options) - gaussian_entropy(log_variance)


def negative_log_density(values: tf.Tensor, gaussian: Gaussian) -> tf.Tensor:
    """Minus the log density of `values` `(..., D)` under independent Gaussians, summed over the last axis."""
    mean, log_variance = gaussian
    return 0.5 * tf.reduce_sum(LOG_TAU + log_variance + tf.square(values - mean) * tf.exp(-log_variance), axis=-1)


def drawn(mean: tf.Tensor, log_variance: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """A draw of the Gaussian with standard normal `noise`, differentiable in mean and log variance."""
    return mean + tf.exp(0.5 * log_variance) * noise
