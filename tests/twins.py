"""Random small networks that can be built again: under other names, made in another order, nested, wrapped."""
import random
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl._keras import keras

layers = keras.layers

FILES = ("save_weights.h5", "save.h5", "keras3.weights.h5", "keras3.keras")


@dataclass(frozen=True)
class Net:
    """A graph drawn by `seed`: branches, concatenations, sums, batch norm. `depth` models around it."""

    seed: int
    dims: int = 2
    depth: int = 0

    def build(self, *, names: str | None = None, making: int | None = None) -> keras.Model:
        """`names`: prefix of every name, None for automatic ones. `making`: seed of the order of creation."""
        nodes = self._nodes()
        made = self._made(nodes, names, making)
        image = layers.Input((8,) * self.dims + (2,))
        maps = [image]
        for number, (kind, *parents) in enumerate(nodes[1:], start=1):
            inputs = [maps[parent] for parent in parents]
            if kind == "concat":
                maps.append(layers.Concatenate()(inputs))
            elif kind == "add":
                maps.append(layers.Add()(inputs))
            else:
                maps.append(made[number](inputs[0]))
        used = {parent for _, *parents in nodes[1:] for parent in parents}
        ends = [maps[number] for number in range(len(nodes)) if number not in used]
        joined = layers.Concatenate()(ends) if len(ends) > 1 else ends[0]
        model = keras.Model(image, self._conv(1, 1, name=names and f"{names}_head")(joined), name=names)
        for level in range(self.depth):
            model = self._wrapped(model, names, level)
        return model

    def _wrapped(self, model: keras.Model, names: str | None, level: int) -> keras.Model:
        image = layers.Input((8,) * self.dims + (2,))
        before = self._conv(2, 1, name=names and f"{names}_before{level}")
        after = self._conv(1, 1, name=names and f"{names}_after{level}")
        return keras.Model(image, after(model(before(image))), name=names and f"{names}_around{level}")

    def _nodes(self) -> list[tuple]:
        """Kind and parents of every node; the first is the image."""
        draw = random.Random(self.seed)
        nodes, widths = [("image",)], [2]
        for _ in range(draw.randint(3, 8)):
            kind, parent = draw.choice(("conv", "conv", "conv", "norm", "concat", "add")), draw.randrange(len(nodes))
            alike = [number for number, width in enumerate(widths) if width == widths[parent]]
            other = draw.choice(alike) if kind == "add" else draw.randrange(len(nodes))
            pair = kind in ("concat", "add")
            nodes.append((kind, parent, other) if pair else (kind, parent))
            widths.append(widths[parent] + (widths[other] if kind == "concat" else 0) if kind != "conv" else 2)
        return nodes

    def _made(self, nodes: list[tuple], names: str | None, making: int | None) -> dict[int, keras.layers.Layer]:
        order = [number for number, node in enumerate(nodes) if node[0] in ("conv", "norm")]
        if making is not None:
            random.Random(making).shuffle(order)
        made = {}
        for number in order:
            name = names and f"{names}_{number}x"
            dilation = 1 + (self.seed + number) % 2
            norm = nodes[number][0] == "norm"
            made[number] = layers.BatchNormalization(name=name) if norm else self._conv(2, 3, dilation, name=name)
        return made

    def _conv(self, filters: int, size: int, dilation: int = 1, *, name: str | None) -> keras.layers.Layer:
        kind = layers.Conv3D if self.dims == 3 else layers.Conv2D
        return kind(filters, size, padding="same", dilation_rate=dilation, name=name)


def randomise(model: keras.Model, seed: int) -> keras.Model:
    """Give every weight numbers of its own, none of them negative, as variances are not."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1, array.shape).astype(array.dtype) for array in model.get_weights()])
    return model


def write(model: keras.Model, folder: Path, file: str) -> Path:
    """Save `model` in the format that the name `file` of `FILES` tells."""
    path = folder / file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path) if file in ("save.h5", "keras3.keras") else model.save_weights(path)
    return path


def response(model: keras.Model) -> np.ndarray:
    """Output for one image of noise."""
    shape = (1, *(side or 8 for side in model.input_shape[1:]))
    return model(np.random.default_rng(0).standard_normal(shape, np.float32)).numpy()


def weights(model: keras.Model) -> list[bytes]:
    """The bytes of every weight."""
    return [array.tobytes() for array in model.get_weights()]
