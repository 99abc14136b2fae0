"""The callback that looks after a posterior: it warns where one has become certain of all, or of nothing."""
from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from mstl._keras import keras, tf
from mstl.models.bayesian_conv3d import BayesianConv3D

COLLAPSED = 1e-3  # of sigma to weights, root mean squares: weights have become numbers
EXPLODED = 3.0  # the same: what a weight says is lost in its noise
REMEDIES = {  # (has collapsed, the divergence wants larger variances): the term at fault, and what to do
    (True, True): ("The data term", "raise kl_weight"),
    (True, False): ("The KL divergence", "take a prior of larger variance, or lower kl_weight"),
    (False, True): ("The KL divergence", "lower kl_weight, or raise kl_epochs"),
    (False, False): ("The data term", "lower learning_rate or variance_rate"),
}


class PosteriorGuard(keras.callbacks.Callback):
    """Warns, once a layer, where the posterior of a `Variational` collapses or explodes, and names the term at fault.

    After each epoch the root mean square of a layer's standard deviations is put against that of its weights: below
    `COLLAPSED` or above `EXPLODED` is told, with the size of both terms of the loss (nats a voxel). At fault is the KL
    divergence where its own gradient moves the layer's log variances that way, else the data term, or steps that are
    too long. Layers of one fault are told in one warning.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin anew."""
        self.told = set()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at every layer that was not told of yet."""
        ratios = {path: _ratio(layer) for path, layer in self.model.prior.layers.items() if path not in self.told}
        ratios = {path: ratio for path, ratio in ratios.items() if not COLLAPSED <= ratio <= EXPLODED}
        if not ratios:
            return
        self.told |= ratios.keys()
        raised = self._raised_by_divergence(list(ratios))
        for fault in REMEDIES:
            alike = {path: ratio for path, ratio in ratios.items() if (ratio < COLLAPSED, path in raised) == fault}
            if alike:
                _tell(alike, fault, epoch, logs or {})

    def _raised_by_divergence(self, paths: Sequence[str]) -> set[str]:
        """Those of the layers whose variances would make the divergence less if they were larger."""
        model = self.model
        variances = [model.prior.layers[path].log_variance for path in paths]
        seed = tf.constant([model.seed, 0], tf.int64)

        def slopes() -> tf.Tensor:
            """Sums of the gradient of the divergence with respect to the log variances of each layer."""
            with tf.GradientTape() as tape:
                divergence = model.prior.divergence(seed)
            return tf.stack([tf.reduce_sum(slope) for slope in tape.gradient(divergence, variances)])

        strategy = model.distribute_strategy
        found = strategy.experimental_local_results(strategy.run(tf.function(slopes)))[0].numpy()
        return {path for path, slope in zip(paths, found, strict=True) if slope < 0}


def _tell(ratios: Mapping[str, float], fault: tuple[bool, bool], epoch: int, logs: Mapping[str, float]) -> None:
    """Warn of layers, by their ratios, that have one fault."""
    paths = list(ratios)
    layers = f"layer {paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    low, high = min(ratios.values()), max(ratios.values())
    span = f"{low:.2g}" + (f" to {high:.2g}" if len(paths) > 1 else "")
    term, remedy = REMEDIES[fault]
    data, divergence = logs.get("data", np.nan), logs.get("kl_weight", np.nan) * logs.get("kl", np.nan)
    warnings.warn(
        f"The posterior of {layers} has {'collapsed' if fault[0] else 'exploded'} in epoch {epoch + 1}: standard "
        f"deviations are {span} times the weights. {term} is at fault (data {data:.3g}, weighted divergence "
        f"{divergence:.3g} nats a voxel): {remedy}.",
        stacklevel=2,
    )


def _ratio(layer: BayesianConv3D) -> float:
    """Of the root mean square of standard deviations to that of weights."""
    return _deviation(layer) / max(_root_mean_square(layer.kernel.numpy()), np.finfo(np.float32).tiny)


def _deviation(layer: BayesianConv3D) -> float:
    return _root_mean_square(np.exp(layer.log_variance.numpy() / 2))


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
