"""Adam for a posterior: variances may learn at a rate of their own."""
from __future__ import annotations

from collections.abc import Iterable

from mstl._keras import keras, tf


class PosteriorAdam(keras.optimizers.Adam):
    """Adam whose steps for `variances`, the log variances of a posterior, are `variance_rate` times as long.

    A step of Adam is about as long as the learning rate, whatever the gradient: a rate that suits weights of 0.1 takes
    thousands of steps to move log variances by the few nats between a posterior and its prior.

    Source of Adam: Kingma and Ba 2014, arXiv 1412.6980.
    """

    def __init__(
        self, learning_rate: float, *, variances: Iterable[tf.Variable] = (), variance_rate: float = 1.0
    ) -> None:
        super().__init__(learning_rate)
        self.variance_rate, self._variances = variance_rate, {self._var_key(value) for value in variances}

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Update one variable."""
        before = tf.identity(variable)
        super().update_step(gradient, variable)
        if self.variance_rate != 1 and self._var_key(variable) in self._variances:
            variable.assign(before + self.variance_rate * (variable - before))
