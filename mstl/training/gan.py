"""Pix2Pix: a generator that restores images and a discriminator that judges them, trained in one step."""
from __future__ import annotations

from collections.abc import Mapping

from mstl._keras import keras, tf
from mstl.training.restoration_metrics import SIGNED, HiddenError, HiddenSimilarity

L1_WEIGHT = 100.0  # Isola et al. 2017, and the 2021 thesis work
ADVERSARIAL_WEIGHT = 1.0  # the same
HIDDEN_WEIGHT = 1.0  # the same: every pixel alike
DISCRIMINATOR_WEIGHT = 0.5  # the same: the discriminator learns at half the generator's pace
LOSSES = ("loss", "adversarial_loss", "l1_loss", "discriminator_loss")
PLAIN_LOSSES = ("loss", "l1_loss")  # where there is no discriminator

Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class Pix2Pix(keras.Model):
    """A generator and the discriminator that it is trained against, if any, as one Keras model.

    generator: images `(N, H, W, C)` to images of that shape; discriminator: a pair (source, image) to patches of
    probabilities, or None. Batches are (source, target, hidden), as `RestorationSampler` gives them. scale: values of
    the darkest and the brightest pixel, (-1, 1) for "tanh" generators.

    One step, in one graph: the generator restores the sources, the discriminator judges targets and restored images,
    each batch with batch statistics of its own, and both are updated from these passes. The generator's loss is
    `adversarial_weight` times the cross-entropy of "real" plus `l1_weight` times the mean absolute error, in which a
    hidden pixel counts as `hidden_weight` visible ones; the discriminator's is `discriminator_weight` times the sum of
    both cross-entropies. Losses are float32 under any policy. Logs: loss (the generator's), its parts adversarial_loss
    and l1_loss, and discriminator_loss; of validation also hidden_mae and hidden_ssim. Without a discriminator the
    generator learns from the error alone, and only loss and l1_loss are logged. Under a `tf.distribute` strategy every
    replica needs an image of every batch: convolutions refuse an empty one.

    The published procedure updates the discriminator twice and then the generator, which sees the updated one; it
    restores the sources anew for each. Source: Isola et al. 2017, arXiv 1611.07004; as context encoder: Pathak et al.
    2016, arXiv 1604.07379.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model | None,
        *,
        scale: tuple[float, float] = SIGNED,
        adversarial_weight: float = ADVERSARIAL_WEIGHT,
        l1_weight: float = L1_WEIGHT,
        hidden_weight: float = HIDDEN_WEIGHT,
        discriminator_weight: float = DISCRIMINATOR_WEIGHT,
    ) -> None:
        super().__init__(name="pix2pix")
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_weight, self.discriminator_weight = adversarial_weight, discriminator_weight
        self.l1_weight, self.hidden_weight = l1_weight, hidden_weight
        self.hidden_metrics = [HiddenError(scale), HiddenSimilarity(scale)]
        names = LOSSES if discriminator else PLAIN_LOSSES
        self.loss_metrics = {name: keras.metrics.Mean(name=name) for name in names}

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        """Set an optimizer for each network and make their variables; under mixed_float16 their losses are scaled."""
        super().compile(optimizer=generator_optimizer)
        if self.discriminator:
            self.discriminator_optimizer = self._get_optimizer(discriminator_optimizer)
        for optimizer, network in zip(self.optimizers, self.networks, strict=True):
            optimizer.build(network.trainable_variables)

    @property
    def networks(self) -> tuple[keras.Model, ...]:
        """The generator and, where there is one, the discriminator."""
        return (self.generator, self.discriminator) if self.discriminator else (self.generator,)

    @property
    def optimizers(self) -> tuple[keras.optimizers.Optimizer, ...]:
        """Those of the `networks`."""
        return (self.optimizer, self.discriminator_optimizer) if self.discriminator else (self.optimizer,)

    @property
    def weights(self) -> list[tf.Variable]:
        """Those of the `networks`, without the sums of metrics."""
        return [value for network in self.networks for value in network.weights]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What Keras resets at each epoch."""
        return [*self.loss_metrics.values(), *self.hidden_metrics]

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Restored images."""
        return self.generator(images, training=training)

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Update the networks on one batch."""
        source, target, hidden = keras.utils.unpack_x_y_sample_weight(data)
        networks, share = self.networks, _share(source)
        with tf.GradientTape(persistent=True) as tape:
            restored = self.generator(source, training=True)
            losses = self._batch_losses(source, target, restored, hidden, training=True)
            parts = [share * losses[name] for name in ("loss", "discriminator_loss")[: len(networks)]]
            scaled = [_scaled(loss, optimizer) for loss, optimizer in zip(parts, self.optimizers, strict=True)]
        gradients = [tape.gradient(loss, net.trainable_variables) for loss, net in zip(scaled, networks, strict=True)]
        del tape
        for gradient, optimizer, network in zip(gradients, self.optimizers, networks, strict=True):
            optimizer.apply_gradients(zip(_unscaled(gradient, optimizer), network.trainable_variables, strict=True))
        return self._logged(losses, images=tf.shape(source)[0])

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Losses and how well the hidden pixels of the brain are restored, on one batch of validation."""
        source, target, hidden = keras.utils.unpack_x_y_sample_weight(data)
        restored = self.generator(source, training=False)
        losses = self._batch_losses(source, target, restored, hidden, training=False)
        logs = self._logged(losses, images=tf.shape(source)[0])
        for metric in self.hidden_metrics:
            metric.update_state(target, restored, hidden)
            logs[metric.name] = metric.result()
        return logs

    def _batch_losses(
        self, source: tf.Tensor, target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor, *, training: bool
    ) -> dict[str, tf.Tensor]:
        """The batch's losses by name, float32."""
        l1 = self._absolute_error(target, restored, hidden)
        if self.discriminator is None:
            return {"loss": self.l1_weight * l1, "l1_loss": l1}
        real = self.discriminator([source, target], training=training)
        fake = self.discriminator([source, restored], training=training)
        adversarial = _cross_entropy(tf.ones_like(fake), fake)
        judged = _cross_entropy(tf.ones_like(real), real) + _cross_entropy(tf.zeros_like(fake), fake)
        loss = self.adversarial_weight * adversarial + self.l1_weight * l1
        return dict(zip(LOSSES, (loss, adversarial, l1, self.discriminator_weight * judged), strict=True))

    def _absolute_error(self, target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        error = tf.reduce_mean(tf.abs(tf.cast(target, tf.float32) - tf.cast(restored, tf.float32)), -1, keepdims=True)
        weight = 1.0 + (self.hidden_weight - 1.0) * tf.cast(hidden, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(weight * error), tf.reduce_sum(weight))

    def _logged(self, losses: Mapping[str, tf.Tensor], *, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The epoch's means so far, each batch counted by its `images`."""
        for name, metric in self.loss_metrics.items():
            metric.update_state(losses[name], sample_weight=images)
        return {name: metric.result() for name, metric in self.loss_metrics.items()}


def _share(images: tf.Tensor) -> tf.Tensor:
    """This replica's part of the images of all, by which its gradients count when those of replicas are summed."""
    count = tf.cast(tf.shape(images)[0], tf.float32)
    return count / tf.distribute.get_replica_context().all_reduce("SUM", count)


def _cross_entropy(truth: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    loss = keras.losses.binary_crossentropy(truth, probability)
    return tf.math.divide_no_nan(tf.reduce_sum(loss), tf.cast(tf.size(loss), tf.float32))


def _scaled(loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
    return optimizer.get_scaled_loss(loss) if hasattr(optimizer, "get_scaled_loss") else loss


def _unscaled(gradients: list[tf.Tensor], optimizer: keras.optimizers.Optimizer) -> list[tf.Tensor]:
    scales = hasattr(optimizer, "get_unscaled_gradients")
    return optimizer.get_unscaled_gradients(gradients) if scales else gradients
