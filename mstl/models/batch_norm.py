"""What batch normalisation does in a model: which statistics it normalises with, and when it remembers them."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.replicas import replicas
from mstl.models.synchronised import batch_moments
from mstl.models.tree import layers_of


@keras.utils.register_keras_serializable("mstl")
class BatchStatisticsNormalization(keras.layers.BatchNormalization):
    """Batch normalisation with the statistics of the batch at hand, in prediction as in training.

    It does what Keras 2.3.1 did with `BatchNormalization()(x, training=True)`: the moving statistics follow the
    batches of a training, are never read, and stay as they are at prediction. Frozen (`trainable=False`), it still
    normalises with the batch and remembers nothing. tf-keras 2 differs in both: it updates the statistics at every
    call, prediction included, and a frozen layer normalises with them. Call this one without `training`: the model
    passes it on.

    A prediction depends on the images that share its batch; under a `tf.distribute` strategy on those of all replicas.
    Input `(N, ..., C)` of any rank from 2, output the same; under mixed precision the statistics are float32. Weights,
    their order and names are those of `BatchNormalization`. Building raises `InputError` for an axis that is not the
    last, renormalisation, virtual batches and the argument `synchronized`, which these need not.

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167.
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        """Make the weights for inputs of `input_shape`."""
        super().build(input_shape)
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        if axes != [len(input_shape) - 1] or self.renorm or self.virtual_batch_size or self.synchronized:
            raise InputError(
                f"Layer {self.name} normalises axis {axes} of inputs {tuple(input_shape)}. Only channels last without "
                "renorm, virtual_batch_size and synchronized can be had: use keras.layers.BatchNormalization for them."
            )

    def call(self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None) -> tf.Tensor:
        """Normalise; remember the batch's statistics where `training` is true and the layer trainable."""
        shape = tf.shape(inputs)
        output, mean, variance = self._normalised(inputs) if replicas() == 1 else self._normalised_together(inputs)
        training = keras.backend.learning_phase() if training is None else training
        known = tf.get_static_value(training)
        if self.trainable and (known is None or known):
            self.add_update(lambda: self._remember(mean, variance, tf.cast(training, tf.bool) & (shape[0] > 0)))
        return tf.ensure_shape(tf.reshape(output, shape), inputs.shape)

    def _normalised(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalised images, mean and unbiased variance of the batch."""
        shape, channels = tf.shape(inputs), inputs.shape[-1]
        return tf.compat.v1.nn.fused_batch_norm(
            tf.reshape(inputs, (shape[0], tf.reduce_prod(shape[1:-1]), 1, channels)),
            tf.ones(channels) if self.gamma is None else self.gamma,
            tf.zeros(channels) if self.beta is None else self.beta,
            epsilon=self.epsilon,
            is_training=True,
        )

    def _normalised_together(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The same where each replica holds a part of the batch: statistics are those of the whole of it."""
        mean, variance, unbiased = batch_moments(inputs)
        values = tf.cast(inputs, tf.float32)
        output = tf.nn.batch_normalization(values, mean, variance, self.beta, self.gamma, self.epsilon)
        return tf.cast(output, inputs.dtype), mean, unbiased

    def _remember(self, mean: tf.Tensor, variance: tf.Tensor, when: tf.Tensor) -> None:
        """Move the moving statistics towards the batch's; a replica without images (`when` false) has none."""
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(tf.where(when, moving + (batch - moving) * (1 - self.momentum), moving))


def called_in_training(model: keras.Model) -> list[str]:
    """Paths of the ordinary batch norm layers that a model's graph calls with `training=True`; see `layers_of`.

    In tf-keras 2 they normalise with the batch and their moving statistics drift at every call, prediction
    included; frozen, they normalise with the moving statistics, so that freezing changes what the model computes.
    `BatchStatisticsNormalization` has neither fault. Nested models are entered; a subclassed model has no graph and
    lists none.
    """
    nodes = [node for network in _networks(model) for level in network._nodes_by_depth.values() for node in level]
    called = {id(node.layer) for node in nodes if node.call_kwargs.get("training") is True}
    return [path for path, layer in layers_of(model).items() if id(layer) in called and _is_ordinary(layer)]


@contextmanager
def steady(model: keras.Model) -> Iterator[None]:
    """Give every batch norm of `model` its moving statistics back at the end of the block, to the bit.

    For prediction with a model whose statistics drift at every call; see `called_in_training`.
    """
    norms = [layer for layer in model.submodules if isinstance(layer, keras.layers.BatchNormalization) and layer.built]
    statistics = [(value, value.numpy()) for layer in norms for value in layer.weights if not _is_learned(layer, value)]
    try:
        yield
    finally:
        for value, before in statistics:
            value.assign(before)


def _networks(model: keras.Model) -> list[keras.Model]:
    """The functional models in `model`, itself included."""
    return [module for module in (model, *model.submodules) if hasattr(module, "_nodes_by_depth")]


def _is_ordinary(layer: keras.layers.Layer) -> bool:
    norm = isinstance(layer, keras.layers.BatchNormalization)
    return norm and not isinstance(layer, BatchStatisticsNormalization)


def _is_learned(layer: keras.layers.BatchNormalization, value: tf.Variable) -> bool:
    return value is layer.gamma or value is layer.beta
