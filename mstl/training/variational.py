"""Variational training: a Bayesian network learns its posterior from data and a prior."""
from __future__ import annotations

import math
from collections.abc import Iterable

from mstl._keras import keras, tf
from mstl.config import Training
from mstl.data.prepared import PreparedCase
from mstl.training.weight_prior import GaussianPrior, LearnedPrior

TERMS = ("data", "kl", "kl_weight", "sigma", "objective")  # means over an epoch's images

Batch = tuple[tf.Tensor, tf.Tensor]


class Variational(keras.Model):
    """A Bayesian network and the prior of its weights as one Keras model, for `mstl.fit`.

    The evidence's lower bound of N training volumes, `sum log p(y | x, w) - KL`, is to be raised; a batch of B of them
    estimates its first term by N / B times its own sum. Minus that, divided by `voxels`, the voxels of all N, is

        loss = mean over the batch's voxels of -log p(y | x, w) + kl_weight * KL / voxels,

    where a cross-entropy is -log p. Any other loss takes its place at the same scale; the result is then no bound of
    the evidence. Batches of patches estimate the same sum as far as they are drawn evenly; voxels of padding count as
    any other in a batch, and not in `voxels`.

    `network` draws in training voxel by voxel what comes out of its Bayesian layers, and predicts and validates with
    their means. The KL divergence, or its bound, is that of `prior` (`GaussianPrior`, `LearnedPrior`), whose draws are
    made by `seed` and the optimizer's step, so that all replicas have the same: each adds its share of it.

    Logs: `loss`; `data`, its first term; `kl`, KL / voxels before its weight (nats a voxel, as `data`); `kl_weight`;
    `sigma`, the mean standard deviation of the posterior's weights. In validation `loss` is the data term.

    Source: Kuzina et al. 2019, doi 10.3389/fnins.2019.00844; Kingma, Salimans and Welling 2015, arXiv 1506.02557.
    """

    def __init__(
        self, network: keras.Model, prior: GaussianPrior | LearnedPrior, *, voxels: int, seed: int = 0
    ) -> None:
        super().__init__(name=f"variational_{network.name}", dtype=network.dtype_policy, autocast=False)
        self.network, self.prior, self.coders = network, prior, list(prior.coders)
        self.voxels, self.seed = voxels, seed
        self.kl_weight = tf.Variable(1.0, trainable=False, name="kl_weight")
        self.terms = {name: keras.metrics.Mean(name=name, dtype="float32") for name in TERMS}

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Those of the network under their own names, then the prior's autoencoders."""
        return [*self.network.layers, *self.coders]

    @property
    def weights(self) -> list[tf.Variable]:
        """Those of the network and the prior, without the sums of metrics."""
        return [value for model in (self.network, *self.coders) for value in model.weights]

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The network's probabilities."""
        return self.network(images, training=training)

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Update the posterior and the prior's encoders on one batch."""
        images, masks, weights = keras.utils.unpack_x_y_sample_weight(data)
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        step = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(self.optimizer.iterations, tf.int64)])
        with tf.GradientTape() as tape:
            probability = self.network(images, training=True)
            data_term = self.compute_loss(images, masks, probability, weights)  # over replicas, as Keras has it
            divergence = self.prior.divergence(step) / self.voxels
            loss = data_term + self.kl_weight * divergence / replicas
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        terms = (replicas * data_term, divergence, self.kl_weight, self._sigma(), replicas * loss)
        for metric, value in zip(self.terms.values(), terms, strict=True):
            metric.update_state(value, sample_weight=tf.shape(images)[0])
        logs = self.compute_metrics(images, masks, probability, weights)
        objective = logs.pop("objective")
        return {**logs, "loss": objective}

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """The data term and the metrics of one batch, by the posterior's means."""
        logs = super().test_step(data)
        return {name: value for name, value in logs.items() if name not in self.terms}

    def _sigma(self) -> tf.Tensor:
        deviations = [tf.reshape(tf.exp(layer.log_variance / 2), (-1,)) for layer in self.prior.layers.values()]
        return tf.reduce_mean(tf.concat(deviations, axis=0))


class KLSchedule(keras.callbacks.Callback):
    """Sets how much the divergence of a `Variational` counts in each epoch."""

    def __init__(self, settings: Training) -> None:
        super().__init__()
        self.settings = settings

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the epoch's weight."""
        self.model.kl_weight.assign(kl_weight(self.settings, epoch=epoch))


def variational(
    network: keras.Model, prior: GaussianPrior | LearnedPrior, cases: Iterable[PreparedCase], training: Training
) -> Variational:
    """The model to train where `network` has a prior and learns from all voxels of `cases`."""
    voxels = sum(math.prod(case.shape) for case in cases)
    return Variational(network, prior, voxels=voxels, seed=training.seed)


def kl_weight(settings: Training, *, epoch: int) -> float:
    """Weight of the divergence in `epoch` (from 0): rises along a line from 0, to be whole after `kl_epochs`."""
    rise = min(1.0, epoch / settings.kl_epochs) if settings.kl_epochs else 1.0
    return settings.kl_weight * rise
