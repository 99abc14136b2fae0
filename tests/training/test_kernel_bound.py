"""The bound of the KL divergence: equal to integrals, above the divergence that it bounds, right in its gradients."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import tf
from mstl.training.kernel_bound import (
    drawn,
    gaussian_cost,
    gaussian_entropy,
    gaussian_kl,
    kernel_bound,
    kernel_cost,
    negative_log_density,
)

SIZE = 27
DRAWS = 40_000
NUMBERS = st.floats(-2, 2)


def kernels(*numbers):
    """Numbers as kernels `(N, 27)` that are alike in all voxels."""
    return tf.repeat(tf.constant(numbers, tf.float32)[:, None], SIZE, axis=1)


def normal(seed, *shape):
    return tf.random.stateless_normal(shape, (7, seed))


def images(values):
    return tf.reshape(values, (-1, 3, 3, 3, 1))


class LinearPrior:
    """w = slope z + noise with one latent z, whose true posterior is known; `tilt` leads the encoder astray.

    p(w) is Gaussian, so that KL(q || p) is known too.
    """

    def __init__(self, *, tilt=0.0, spread=-1.0):
        self.slope = np.linspace(-0.5, 0.8, SIZE).astype(np.float32)
        self.spread, self.tilt = spread, tilt

    def encoder(self, kernel):
        """The true posterior of z, its mean moved by `tilt`."""
        precision = 1.0 + float(self.slope @ self.slope) * math.exp(-self.spread)
        match = tf.linalg.matvec(tf.reshape(kernel, (-1, SIZE)), self.slope)[:, None]
        return match * math.exp(-self.spread) / precision + self.tilt, tf.zeros_like(match) - math.log(precision)

    def decoder(self, latent):
        return images(latent * self.slope[None]), tf.zeros((tf.shape(latent)[0], 3, 3, 3, 1)) + self.spread

    def divergence(self, mean, log_variance):
        """KL(q || p) of one kernel, p(w) = N(0, exp(spread) I + slope slope')."""
        mean, variance = np.float64(mean), np.exp(np.float64(log_variance))
        covariance = math.exp(self.spread) * np.eye(SIZE) + np.outer(self.slope, self.slope).astype(np.float64)
        inverse = np.linalg.inv(covariance)
        spread = np.linalg.slogdet(covariance)[1] - np.log(variance).sum()
        return 0.5 * (np.diag(inverse) @ variance + mean @ inverse @ mean - SIZE + spread)


class CurvedPrior:
    """Encoder and decoder that are curved, with latents of one number: all can be integrated on a grid.

    Only the kernel's first voxel tells of z, and z only of the first voxel.
    """

    @staticmethod
    def encoder(kernel):
        first = tf.reshape(kernel, (-1, SIZE))[:, :1]
        return tf.tanh(1.5 * first), -1.0 + 0.5 * tf.sin(first)

    @staticmethod
    def decoder(latent):
        first = tf.one_hot([0], SIZE)
        return images(tf.tanh(latent) * first), images((tf.sin(latent) - 1.0) * first)


def bound(prior, mean, log_variance, *, seed=0, latents=1):
    count = mean.shape[0]
    noise = {"kernel_noise": normal(seed, count, SIZE), "latent_noise": normal(seed + 1, count, latents)}
    return kernel_bound(mean, log_variance, encoder=prior.encoder, decoder=prior.decoder, **noise)


@settings(max_examples=25, deadline=None)
@given(mean=NUMBERS, log_variance=NUMBERS, centre=NUMBERS, spread=NUMBERS)
def test_divergence_is_cross_entropy_less_entropy_and_that_of_the_densities(mean, log_variance, centre, spread):
    grid = np.linspace(-40, 40, 20_001)

    def log_density(where, log_spread):
        return -0.5 * (math.log(2 * math.pi) + log_spread + (grid - where) ** 2 / math.exp(log_spread))

    ours, theirs = log_density(mean, log_variance), log_density(centre, spread)
    step = grid[1] - grid[0]
    entropy = -np.sum(np.exp(ours) * ours) * step
    cost = -np.sum(np.exp(ours) * theirs) * step
    given = tf.constant([mean]), tf.constant([log_variance])
    assert float(gaussian_entropy(given[1])) == pytest.approx(entropy, abs=1e-4)
    assert float(gaussian_cost(*given, (centre, spread))) == pytest.approx(cost, rel=1e-4, abs=1e-4)
    assert float(gaussian_kl(*given, (centre, spread))) == pytest.approx(cost - entropy, rel=1e-4, abs=1e-4)


def test_a_gaussian_does_not_diverge_from_itself():
    mean, log_variance = normal(1, 5, SIZE), normal(2, 5, SIZE)
    np.testing.assert_allclose(gaussian_kl(mean, log_variance, (mean, log_variance)), np.zeros(5), atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(unit=st.floats(0.05, 20))
def test_divergence_does_not_depend_on_the_unit_of_weights(unit):
    mean, log_variance = normal(3, 4, SIZE), normal(4, 4, SIZE)
    prior, shift = LinearPrior(), 2 * math.log(unit)

    class Scaled(LinearPrior):
        def encoder(self, kernel):
            return super().encoder(kernel / unit)

        def decoder(self, latent):
            decoded, spread = super().decoder(latent)
            return decoded * unit, spread + shift

    ours = bound(prior, mean, log_variance)
    np.testing.assert_allclose(bound(Scaled(), mean * unit, log_variance + shift), ours, rtol=1e-3, atol=1e-3)


def test_the_mean_of_draws_equals_the_integral_of_the_bound():
    mean, log_variance = 0.4, -1.2
    values = bound(CurvedPrior(), *(kernels(*[number] * DRAWS) for number in (mean, log_variance))).numpy()
    error = values.std() / math.sqrt(DRAWS)
    assert error < 0.05
    assert abs(values.mean() - integral_of_bound(mean, log_variance)) < 4 * error


def integral_of_bound(mean, log_variance):
    """The bound for `CurvedPrior` by Gauss-Hermite sums over the first voxel and z; other voxels are exact."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    sigma = math.exp(log_variance / 2)
    first = mean + sigma * nodes[:, None]
    centre, spread = np.tanh(1.5 * first), -1 + 0.5 * np.sin(first)
    latent = centre + np.exp(spread / 2) * nodes[None]
    decoded, decoded_spread = np.tanh(latent), np.sin(latent) - 1
    log_r = -0.5 * (math.log(2 * math.pi) + spread + nodes[None] ** 2)
    log_prior = -0.5 * (math.log(2 * math.pi) + latent**2)
    log_decoder = -0.5 * (math.log(2 * math.pi) + decoded_spread + (first - decoded) ** 2 / np.exp(decoded_spread))
    inner = np.sum(weights[:, None] * weights[None] * (log_r - log_prior - log_decoder))
    log_q = -0.5 * (math.log(2 * math.pi) + log_variance + 1)
    others = (SIZE - 1) * 0.5 * (math.log(2 * math.pi) + mean**2 + sigma**2)
    return SIZE * log_q + inner + others


@pytest.mark.parametrize("tilt", [0.0, 1.0, -2.0])
def test_the_bound_lies_above_the_divergence_and_is_tight_for_the_true_posterior(tilt):
    prior, one = LinearPrior(tilt=tilt), (0.3 * normal(5, 1, SIZE), -1.5 + 0.3 * normal(6, 1, SIZE))
    values = bound(prior, *(tf.repeat(part, DRAWS, axis=0) for part in one)).numpy()
    error, truth = values.std() / math.sqrt(DRAWS), prior.divergence(*(part[0].numpy() for part in one))
    assert values.mean() > truth - 4 * error
    gap = 0.5 * tilt**2 * (1 + float(prior.slope @ prior.slope) * math.exp(-prior.spread))  # KL(r || posterior of z)
    assert abs(values.mean() - truth - gap) < 4 * error


def test_gradients_agree_with_finite_differences():
    mean, log_variance = 0.5 * normal(8, 2, SIZE), -1 + 0.3 * normal(9, 2, SIZE)
    tilt = tf.Variable(0.2)

    class Trained(CurvedPrior):
        @staticmethod
        def encoder(kernel):
            centre, spread = CurvedPrior.encoder(kernel)
            return centre + tilt, spread

    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        total = tf.reduce_sum(bound(Trained, mean, log_variance))
    gradients = tape.gradient(total, [mean, log_variance, tilt])
    step = 1e-2
    direction = normal(10, 2, SIZE)
    for index, gradient in enumerate(gradients[:2]):
        ends = []
        for sign in (1, -1):
            moved = [mean, log_variance]
            moved[index] += sign * step * direction
            ends.append(float(tf.reduce_sum(bound(Trained, *moved))))
        expected = float(tf.reduce_sum(gradient * direction))
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-2, abs=5e-2)
    ends = []
    for value in (0.2 + step, 0.2 - step):
        tilt.assign(value)
        ends.append(float(tf.reduce_sum(bound(Trained, mean, log_variance))))
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(float(gradients[2]), rel=1e-2, abs=1e-2)


def test_a_decoder_that_is_a_fixed_gaussian_gives_its_closed_form():
    mean, log_variance = kernels(0.4, -0.1), kernels(-1.0, -3.0)
    centre, spread = kernels(0.2)[:1], kernels(-2.0)[:1]

    class Fixed:
        @staticmethod
        def encoder(kernel):
            return [tf.zeros((tf.shape(kernel)[0], 6))] * 2

        @staticmethod
        def decoder(latent):
            return [images(tf.repeat(part, tf.shape(latent)[0], axis=0)) for part in (centre, spread)]

    count = DRAWS // 2
    values = bound(Fixed, *(tf.tile(part, (count, 1)) for part in (mean, log_variance)), latents=6)
    values = values.numpy().reshape(count, 2)
    errors = values.std(axis=0) / math.sqrt(count)
    assert np.all(np.abs(values.mean(axis=0) - gaussian_kl(mean, log_variance, (centre, spread))) < 4 * errors)


def test_the_bound_is_the_cost_less_the_entropy():
    mean, log_variance = normal(11, 3, SIZE), normal(12, 3, SIZE)
    noise = {"kernel_noise": normal(13, 3, SIZE), "latent_noise": normal(14, 3, 1)}
    options = {"encoder": CurvedPrior.encoder, "decoder": CurvedPrior.decoder, **noise}
    whole = kernel_cost(mean, log_variance, **options) - gaussian_entropy(log_variance)
    np.testing.assert_array_equal(kernel_bound(mean, log_variance, **options), whole)


def test_density_and_draws_are_those_of_the_gaussian():
    mean, log_variance, noise = normal(15, 2, SIZE), normal(16, 2, SIZE), normal(17, 2, SIZE)
    density = negative_log_density(drawn(mean, log_variance, noise), (mean, log_variance))
    expected = gaussian_entropy(log_variance) + 0.5 * tf.reduce_sum(noise**2 - 1, axis=-1)
    np.testing.assert_allclose(density, expected, rtol=1e-4)
