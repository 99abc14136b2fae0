"""What the weights of a Bayesian network are believed to be before training, and how far its posterior is from that."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mstl._keras import keras, tf
from mstl.config import GAUSSIAN_PRIOR, NO_PRIOR, Training
from mstl.errors import InputError
from mstl.models.bayesian_conv3d import BayesianConv3D, bayesian_layers
from mstl.models.kernel_groups import kernel_groups
from mstl.models.kernel_prior import PRIOR, GroupPrior, KernelPrior
from mstl.training.kernel_bound import Gaussian, gaussian_entropy, gaussian_kl, kernel_cost

PREFIX = "prior_"  # of the names of a prior's parts among those of a network


class GaussianPrior:
    """Independent weights `N(0, sigma^2)`: the divergence is known in closed form."""

    coders: Sequence[keras.Model] = ()

    def __init__(self, layers: Mapping[str, BayesianConv3D], *, sigma: float) -> None:
        self.layers = dict(layers)
        self._gaussian = (0.0, 2 * math.log(sigma))

    def divergence(self, seed: tf.Tensor) -> tf.Tensor:
        """KL divergence of the posterior of all weights from the prior, nats, a scalar; `seed` is not used."""
        return tf.add_n([gaussian_kl(*_flat(layer), self._gaussian) for layer in self.layers.values()])


class LearnedPrior:
    """Kernels as the autoencoders of a `KernelPrior` have them: the divergence is bounded, see `kernel_bound`.

    The entropy of the posterior is that of all kernels. The autoencoders would take longer than the network for all of
    them: in each step they see about `kernels`, drawn anew without replacement, from each group its share. Their
    mean stands for the group's, so that the expectation over draws is the bound of all.

    `start` makes the posterior's means draws of the prior, which Atanov et al. (2018) found to speed up training.

    `coders` has a model a group: its `encoder` learns on, its `decoder`, the prior, does not. Raises `InputError` for a
    prior of other groups, and for Bayesian layers without 3x3x3 kernels.
    """

    def __init__(self, model: keras.Model, prior: KernelPrior, *, kernels: int) -> None:
        prior.check_groups(model)
        self.layers = bayesian_layers(model)
        groups = {
            name: {path: self.layers[path] for path in paths if path in self.layers}
            for name, paths in kernel_groups(model).items()
        }
        groups = {name: layers for name, layers in groups.items() if layers}
        self._check(groups)
        counts = {name: sum(map(_kernels, layers.values())) for name, layers in groups.items()}
        share = min(1.0, kernels / sum(counts.values()))
        self.seen = {name: max(1, round(share * count)) for name, count in counts.items()}
        self.prior, self.groups, self.counts = prior, groups, counts
        self.scales = {name: prior.groups[name].scale for name in groups}
        self.coders = [Coders(name, prior.groups[name]) for name in groups]

    def start(self, *, seed: int) -> None:
        """Make the means of all layers that train draws of the prior, by `seed`."""
        for number, (name, layers) in enumerate(self.groups.items()):
            drawn = self.prior.sample(name, self.counts[name], seed=seed + number)
            columns, sizes = tf.transpose(tf.reshape(drawn, (len(drawn), -1))), list(map(_kernels, layers.values()))
            for layer, own in zip(layers.values(), tf.split(columns, sizes, axis=1), strict=True):
                if layer.trainable:
                    layer.kernel.assign(tf.reshape(own, layer.kernel.shape))

    def divergence(self, seed: tf.Tensor) -> tf.Tensor:
        """One draw of the bound of all kernels, nats, a scalar; the same `seed`, int64 `(2,)`, draws the same."""
        total = -tf.add_n([gaussian_entropy(_flat(layer)[1]) for layer in self.layers.values()])
        for number, (name, coders) in enumerate(zip(self.groups, self.coders, strict=True)):
            own = tf.random.experimental.stateless_fold_in(seed, number)
            total += self._cost(name, coders, tf.random.experimental.stateless_split(own, 3))
        return total

    def _cost(self, name: str, coders: Coders, seeds: tf.Tensor) -> tf.Tensor:
        """The group's cost under the prior: that of the kernels seen, times how many they stand for."""
        count, seen = self.counts[name], self.seen[name]
        posterior = [tf.concat(parts, axis=1) for parts in zip(*map(_columns, self.groups[name].values()), strict=True)]
        if seen < count:
            order = tf.random.experimental.stateless_shuffle(tf.range(count), seeds[0])
            posterior = [tf.gather(part, order[:seen], axis=1) for part in posterior]
        mean, log_variance = map(tf.transpose, posterior)
        unit = math.log(self.scales[name])
        cost = kernel_cost(
            mean * math.exp(-unit),
            log_variance - 2 * unit,
            encoder=coders.encoder,
            decoder=coders.decoder,
            kernel_noise=tf.random.stateless_normal(tf.shape(mean), seeds[1]),
            latent_noise=tf.random.stateless_normal((seen, coders.latent), seeds[2]),
        )
        return count * (tf.reduce_mean(cost) + mean.shape[1] * unit)  # back to the unit of the network's weights

    def _check(self, groups: Mapping[str, Mapping[str, BayesianConv3D]]) -> None:
        known = {path for layers in groups.values() for path in layers}
        strange = [path for path in self.layers if path not in known]
        if strange:
            raise InputError(
                f"Bayesian layer {strange[0]} has kernels of {self.layers[strange[0]].kernel_size}, of which this "
                "prior knows nothing; it is for 3x3x3. Build that layer as Conv3D, or take prior: gaussian."
            )


class Coders(keras.Model):
    """The autoencoder of one group of kernels under a name of its own: the encoder learns on, the decoder does not."""

    def __init__(self, group: str, prior: GroupPrior) -> None:
        super().__init__(name=f"{PREFIX}{group}")
        self.encoder, self.decoder, self.latent = prior.vae.encoder, prior.vae.decoder, prior.vae.latent
        self.encoder.trainable, self.decoder.trainable = True, False


def prior_for(model: keras.Model, training: Training) -> GaussianPrior | LearnedPrior | None:
    """The prior that `training` names, for the weights of `model`; None for "none".

    Raises `InputError` for a model without Bayesian layers, a prior that is not there or cannot be read, and one of
    other groups.
    """
    if training.prior == NO_PRIOR:
        return None
    layers = bayesian_layers(model)
    if not layers:
        raise InputError(
            f"prior is '{training.prior}', but model '{model.name}' has no Bayesian layer. Train model "
            "unet3d-bayesian, or leave prior out."
        )
    if training.prior == GAUSSIAN_PRIOR:
        return GaussianPrior(layers, sigma=training.prior_sigma)
    if not Path(training.prior).exists():
        raise InputError(
            f"prior is '{training.prior}', which does not exist, and is neither {NO_PRIOR} nor {GAUSSIAN_PRIOR}. Give "
            "one of these, or a prior or the folder of 'mstl pretrain kernel-prior'."
        )
    return LearnedPrior(model, KernelPrior.load(training.prior), kernels=training.prior_kernels)


def prior_file(training: Training) -> Path | None:
    """The file that holds the learned prior which `training` names; None for other kinds."""
    if training.prior in (NO_PRIOR, GAUSSIAN_PRIOR):
        return None
    path = Path(training.prior)
    return path / PRIOR if path.is_dir() else path


def _flat(layer: BayesianConv3D) -> Gaussian:
    """Means and log variances of a layer's kernel, `(weights,)` float32."""
    return tf.reshape(layer.kernel, (-1,)), tf.reshape(layer.log_variance, (-1,))


def _columns(layer: BayesianConv3D) -> Gaussian:
    """Means and log variances of a layer's kernels as columns `(27, in * out)`."""
    return tuple(tf.reshape(part, (-1, _kernels(layer))) for part in (layer.kernel, layer.log_variance))


def _kernels(layer: BayesianConv3D) -> int:
    """How many kernels a layer has: one for each channel in and out."""
    return layer.kernel.shape[-2] * layer.kernel.shape[-1]
