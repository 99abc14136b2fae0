"""A second output that only a training reads: the auxiliary head of a segmentation network."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras, tf


@keras.utils.register_keras_serializable("mstl")
class Auxiliary(keras.layers.Layer):
    """Passes on the first of two probabilities; the second stays in the model for `auxiliary_output` to find.

    So a model with an auxiliary head has one output, and the head's weights are among its own. A prediction that is
    compiled, as `predict` is, computes nothing of the second.

    Inputs `[(N, H, W, K), (N, H, W, K)]`, output the first as it is, in every precision. Source of auxiliary heads:
    Zhao et al. 2017, arXiv 1612.01105.
    """

    def __init__(self, **options) -> None:
        super().__init__(autocast=False, **options)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """The first."""
        probability, _ = inputs
        return probability

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tf.TensorShape:
        """That of the first."""
        return tf.TensorShape(input_shape[0])


def auxiliary_output(model: keras.Model) -> tf.Tensor | None:
    """The symbolic probabilities of the model's auxiliary head `(N, H, W, K)`; None where it has no such head."""
    layers = [layer for layer in model.layers if isinstance(layer, Auxiliary)]
    return layers[0].input[1] if layers else None
