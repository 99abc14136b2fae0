"""The callback that looks after a posterior: it warns where one has become certain of all, or of nothing."""
from __future__ import annotations

import warnings

import numpy as np

from mstl._keras import keras, tf
from mstl.models.bayesian_conv3d import BayesianConv3D

COLLAPSED = 1e-3  # of sigma to weights, root mean squares: weights have become numbers
EXPLODED = 3.0  # the same: what a weight says is lost in its noise


class PosteriorGuard(keras.callbacks.Callback):
    """Warns, once a layer, where the posterior of a `Variational` collapses or explodes, and names the term at fault.

    After each epoch the root mean square of a layer's standard deviations is put against that of its weights: below
    `COLLAPSED` or above `EXPLODED` is told, with the size of both terms of the loss (nats a voxel). At fault is the KL
    divergence where its own gradient moves the layer's log variances that way, else the data term.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin anew."""
        self.told = set()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at every layer that was not told of yet."""
        for path, layer in self.model.prior.layers.items():
            ratio = _deviation(layer) / max(_root_mean_square(layer.kernel.numpy()), np.finfo(np.float32).tiny)
            if path not in self.told and not COLLAPSED <= ratio <= EXPLODED:
                self.told.add(path)
                self._tell(path, ratio, epoch, logs or {})

    def _tell(self, path: str, ratio: float, epoch: int, logs: dict) -> None:
        collapsed = ratio < COLLAPSED
        divergence_raises = self._divergence_raises(self.model.prior.layers[path])
        terms = {"data": logs.get("data", np.nan), "kl": logs.get("kl_weight", np.nan) * logs.get("kl", np.nan)}
        fault, remedy = {
            (True, True): ("The data term", "raise kl_weight"),
            (True, False): ("The KL divergence", "take a prior of larger variance, or lower kl_weight"),
            (False, True): ("The KL divergence", "lower kl_weight, or raise kl_epochs"),
            (False, False): ("The data term", "lower learning_rate"),
        }[collapsed, divergence_raises]
        warnings.warn(
            f"The posterior of layer {path} has {'collapsed' if collapsed else 'exploded'} in epoch {epoch + 1}: its "
            f"standard deviations are {ratio:.2g} times its weights. {fault} is at fault (data {terms['data']:.3g}, "
            f"weighted divergence {terms['kl']:.3g} nats a voxel): {remedy}.",
            stacklevel=2,
        )

    def _divergence_raises(self, layer: BayesianConv3D) -> bool:
        """Whether the divergence is the less, the larger the variances of `layer` are."""
        model = self.model
        seed = tf.constant([model.seed, 0], tf.int64)

        def slope() -> tf.Tensor:
            """Sum of the gradient of the divergence with respect to the log variances."""
            with tf.GradientTape() as tape:
                divergence = model.prior.divergence(seed)
            return tf.reduce_sum(tape.gradient(divergence, layer.log_variance))

        strategy = model.distribute_strategy
        return float(strategy.experimental_local_results(strategy.run(slope))[0]) < 0


def _deviation(layer: BayesianConv3D) -> float:
    return _root_mean_square(np.exp(layer.log_variance.numpy() / 2))


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
