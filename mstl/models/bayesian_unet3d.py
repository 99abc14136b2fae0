"""The residual 3D U-Net with uncertain weights, and the plain networks that can be had of such a model."""
from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.bayesian_conv3d import SIGMA_RATIO, BayesianConv3D, bayesian_layers
from mstl.models.recipes import buildable
from mstl.models.tree import layers_of
from mstl.models.unet3d import RESIDUAL_FILTERS, residual_network

_BAYESIAN_OPTIONS = ("sigma_ratio", "seed", "rng_type")  # that a plain convolution does not have


@buildable("unet3d-bayesian")
def bayesian_unet3d(
    *,
    channels: int = 1,
    num_classes: int = 2,
    filters: Sequence[int] = RESIDUAL_FILTERS,
    norm: str = "instance",
    sigma_ratio: float = SIGMA_RATIO,
) -> keras.Model:
    """Build the network of `mstl.models.residual_unet3d` with every 3x3x3 convolution a `BayesianConv3D`.

    Layers have the same names, so that weights of one go into the other by name; 1x1x1 convolutions are plain. With one
    channel and two classes it has 726,480 means and plain weights, and a variance for each of the 719,280 weights of
    3x3x3 kernels. `sigma_ratio`: see `BayesianConv3D`; the rest, and what is raised, as of `residual_unet3d`.

    Source: Kuzina et al. 2019, doi 10.3389/fnins.2019.00844.
    """
    convolution = functools.partial(BayesianConv3D, sigma_ratio=sigma_ratio)
    options = {"channels": channels, "num_classes": num_classes, "filters": filters, "norm": norm}
    return residual_network(convolution, **options, name="bayesian_unet3d")


def mean_network(model: keras.Model) -> keras.Model:
    """A plain network of the posterior's means, which predicts what `model` does; nested models are copied too.

    Raises `InputError` for a model without Bayesian layers.
    """
    _check(model)
    network = keras.models.clone_model(model, clone_function=_plain)
    for path, layer in layers_of(network).items():
        _copy(layers_of(model)[path], layer)
    return network


def draw_weights(model: keras.Model, network: keras.Model, *, seed: int) -> None:
    """Draw every weight once from the posterior of `model`, and put them into `network`, as of `mean_network(model)`.

    The same seed gives the same weights. What is not Bayesian is copied. Raises `InputError` for a model without
    Bayesian layers, and for a network of another architecture.
    """
    bayesian, targets = _check(model), layers_of(network)
    sources = {path: layer for path, layer in layers_of(model).items() if layer.weights}
    for path, layer in sources.items():
        if path not in targets or _shapes(targets[path]) != _shapes(layer):
            raise InputError(
                f"Layer {path} of model '{model.name}' has no like in network '{network.name}'. Give what "
                "mean_network(model) returns."
            )
    for number, (path, layer) in enumerate(sources.items()):
        _copy(layer, targets[path])
        if path in bayesian:
            kernel, sigma = layer.kernel.numpy(), np.exp(layer.log_variance.numpy() / 2)
            random = np.random.default_rng([seed, number])
            targets[path].kernel.assign(kernel + sigma * random.standard_normal(kernel.shape, np.float32))


def _check(model: keras.Model) -> dict[str, BayesianConv3D]:
    """The Bayesian layers of a model that has some."""
    found = bayesian_layers(model)
    if not found:
        raise InputError(
            f"Model '{model.name}' has no Bayesian layer, so nothing to draw from. Build 'unet3d-bayesian', or use the "
            "model as it is."
        )
    return found


def _plain(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A copy of the layer, of its class or, where that is Bayesian, a convolution."""
    if isinstance(layer, keras.Model):
        return keras.models.clone_model(layer, clone_function=_plain)
    config = layer.get_config()
    if not isinstance(layer, BayesianConv3D):
        return type(layer).from_config(config)
    return keras.layers.Conv3D.from_config({key: config[key] for key in config if key not in _BAYESIAN_OPTIONS})


def _copy(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Put the weights of a layer into its copy, without variances."""
    for value, new in zip(_shared(source), target.weights, strict=True):
        new.assign(value)


def _shared(layer: keras.layers.Layer) -> list:
    """Weights of a layer that its plain copy has too."""
    return [value for value in layer.weights if value is not getattr(layer, "log_variance", None)]


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in _shared(layer)]
