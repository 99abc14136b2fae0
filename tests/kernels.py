"""Networks whose 3x3x3 kernels have a look of their own, for tests of what is learned from kernels."""
from pathlib import Path

import numpy as np

from mstl._keras import keras
from mstl.models import residual_unet3d
from mstl.models.kernel_groups import is_cube
from mstl.models.tree import layers_of
from mstl.training.state import save_weights

FILTERS = (4, 8)
GROUPS = ("encoder_full", "encoder_half", "decoder_full")
KERNELS = {"encoder_full": 36, "encoder_half": 192, "decoder_full": 32}  # of a network with these filters
QUICK = {"epochs": 2, "batch_size": 256}


def small_network(filters=FILTERS) -> keras.Model:
    return residual_unet3d(channels=1, num_classes=2, filters=filters)


def drawn_network(seed: int, *, model: keras.Model | None = None) -> keras.Model:
    """A network whose kernels are slopes in some direction, with a little noise; `model` itself where it is given."""
    rng, model = np.random.default_rng(seed), model or small_network()
    places = np.stack(np.meshgrid(*3 * [[-1, 0, 1]], indexing="ij"), axis=-1)
    for layer in layers_of(model).values():
        if is_cube(layer):
            directions = rng.normal(size=(3, *layer.kernel.shape[-2:]))
            slopes = np.tensordot(places, directions, axes=1)
            layer.kernel.assign(0.1 * slopes + rng.normal(0, 0.02, slopes.shape))
    return model


def write_networks(folder: Path, count: int) -> list[Path]:
    """Files of so many drawn networks."""
    paths, model = [folder / f"network-{number}.h5" for number in range(count)], small_network()
    for number, path in enumerate(paths):
        save_weights(path, drawn_network(number, model=model))
    return paths
