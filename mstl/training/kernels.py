"""The 3x3x3 kernels of trained networks, collected from their files by groups of layers."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

import numpy as np
import pandas as pd

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.kernel_groups import CUBE, kernel_groups
from mstl.models.tree import layers_of
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.source import BEST

SMALLEST_NORM = 0.01  # the published code's, for 3x3x3 kernels
FEWEST = 100  # kernels of a group, below which there is nothing to learn from
MINIMUM = re.compile(r"minimum(\d+)\.h5")


@dataclass(frozen=True)
class NetworkFile:
    """Weights of one network; `run` is the folder of the training that they are of, or the file itself."""

    path: Path
    run: Path


@dataclass(frozen=True, eq=False)
class Kernels:
    """The kernels of one group of layers, those of tiny norm left out.

    `values` are float32 `(n, 3, 3, 3)`, one for each pair of channels in and out; `network` `(n,)` says which of
    `networks` each came from; `dropped` has how many were left out of each.
    """

    layers: tuple[str, ...]
    values: np.ndarray
    network: np.ndarray
    networks: tuple[NetworkFile, ...]
    dropped: tuple[int, ...]


def collect_kernels(
    sources: Sequence[str | Path],
    model: keras.Model,
    *,
    smallest_norm: float = SMALLEST_NORM,
    fewest: int = FEWEST,
) -> dict[str, Kernels]:
    """Gather the 3x3x3 kernels of the networks that `sources` mean by the groups of `kernel_groups(model)`.

    sources: as of `network_files`. model: names layers and groups; its weights are neither read nor changed. Of a
    Bayesian network's file the posterior means are taken. Kernels with a Euclidean norm below `smallest_norm` say
    nothing of how kernels look and are dropped.

    Raises `InputError` for a network of another architecture and for numbers that are not finite (naming file and
    layer), and where fewer than `fewest` kernels of a group remain.
    """
    networks, groups = network_files(sources), kernel_groups(model)
    read = [_read(network.path, [path for paths in groups.values() for path in paths], model) for network in networks]
    collected = {
        name: _of_group(paths, [[kernels[path] for path in paths] for kernels in read], networks, smallest_norm)
        for name, paths in groups.items()
    }
    for name, kernels in collected.items():
        if len(kernels.values) < fewest:
            raise InputError(
                f"Group {name} has {len(kernels.values)} kernels of {len(networks)} networks ({sum(kernels.dropped)} "
                f"of tiny norm dropped); at least {fewest} are needed. Give more networks, or wider ones."
            )
    return collected


def network_files(sources: Sequence[str | Path]) -> tuple[NetworkFile, ...]:
    """The files of weights that `sources` mean: `.h5` files, folders of runs, and patterns such as "runs/ms-*".

    Of a run with restarts these are all its minima (`minimum1.h5`, ...), of another its best weights. Raises
    `InputError` where there is no source, one means nothing, or a file is meant twice.
    """
    found = [file for source in sources for path in _expanded(str(source)) for file in _files_of(path)]
    if not found:
        raise InputError("No source network is given. Give files of weights or folders of runs, as sources: [runs/*].")
    seen: set[Path] = set()
    for file in found:
        if file.path.resolve() in seen:
            raise InputError(f"Source {file.path} is given twice. Name each network once.")
        seen.add(file.path.resolve())
    return tuple(found)


def kernel_table(collected: Mapping[str, Kernels]) -> pd.DataFrame:
    """A row for each network and group: network, group, kernels (how many are left), dropped."""
    rows = [
        {"network": str(file.path), "group": name, "kernels": int((kernels.network == index).sum()), "dropped": dropped}
        for name, kernels in collected.items()
        for index, (file, dropped) in enumerate(zip(kernels.networks, kernels.dropped, strict=True))
    ]
    return pd.DataFrame(rows)


def _expanded(source: str) -> list[Path]:
    if not has_magic(source) or Path(source).exists():
        return [Path(source)]
    found = sorted(glob(source), key=_natural)
    if not found:
        raise InputError(f"Source {source} means no file and no folder. Check the pattern.")
    return [Path(path) for path in found]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which seed-10 comes after seed-9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _files_of(source: Path) -> list[NetworkFile]:
    if source.is_file():
        return [NetworkFile(source, source)]
    if not source.is_dir():
        raise InputError(f"Source {source} does not exist. Give a file of weights or the folder of a run.")
    minima = [path for path in source.iterdir() if MINIMUM.fullmatch(path.name)]
    best = [source / BEST] if (source / BEST).is_file() else []
    files = sorted(minima, key=lambda path: int(MINIMUM.fullmatch(path.name)[1])) or best
    if not files:
        raise InputError(f"Source {source} holds neither {BEST} nor minimum1.h5. Give the folder of a finished run.")
    return [NetworkFile(path, source) for path in files]


def _read(path: Path, wanted: Sequence[str], model: keras.Model) -> dict[str, np.ndarray]:
    """Kernels `(n, 3, 3, 3)` of each wanted layer of a file."""
    with Checkpoint.open(path) as checkpoint:
        stored = {tensor.layer: tensor for tensor in checkpoint.tensors.values() if tensor.variable == "kernel"}
        cubes = {layer: tensor.shape for layer, tensor in stored.items() if tensor.shape[:-2] == CUBE}
        if difference := _difference(cubes, wanted, layers_of(model)):
            raise InputError(
                f"Source {path} is of another architecture than model '{model.name}': {difference}. Give networks of "
                "one architecture, and its name and options as model and model_options."
            )
        return {layer: _finite(np.asarray(stored[layer].read(), np.float32), path, layer) for layer in wanted}


def _difference(
    cubes: Mapping[str, tuple[int, ...]], wanted: Sequence[str], layers: Mapping[str, keras.layers.Layer]
) -> str:
    """The first difference between the 3x3x3 kernels of a file and those of the model, in words; empty for none."""
    for layer in wanted:
        shape = tuple(layers[layer].kernel.shape)
        if layer not in cubes:
            return f"it has no 3x3x3 kernel '{layer}/kernel'"
        if cubes[layer] != shape:
            return f"'{layer}/kernel' has shape {cubes[layer]}, not {shape}"
    beyond = next((layer for layer in cubes if layer not in layers), None)
    return "" if beyond is None else f"it has a 3x3x3 kernel '{beyond}/kernel' beyond"


def _finite(kernel: np.ndarray, path: Path, layer: str) -> np.ndarray:
    """`(3, 3, 3, in, out)` as `(in * out, 3, 3, 3)`."""
    if not np.isfinite(kernel).all():
        raise InputError(
            f"Source {path} has {np.sum(~np.isfinite(kernel))} numbers in '{layer}/kernel' that are not finite. Leave "
            "this network out, or train it again."
        )
    return np.moveaxis(kernel.reshape(*CUBE, -1), -1, 0)


def _of_group(
    layers: tuple[str, ...], networks: Iterable[list[np.ndarray]], files: tuple[NetworkFile, ...], smallest_norm: float
) -> Kernels:
    kept, dropped = [], []
    for kernels in map(np.concatenate, networks):
        large = np.linalg.norm(kernels.reshape(len(kernels), -1), axis=1) >= smallest_norm
        kept.append(kernels[large])
        dropped.append(int((~large).sum()))
    owners = np.repeat(np.arange(len(files)), [len(kernels) for kernels in kept])
    return Kernels(layers, np.concatenate(kept), owners, files, tuple(dropped))
