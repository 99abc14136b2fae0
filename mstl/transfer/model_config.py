"""What a stored model configuration tells about weights; it is read as text and never turned into layers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from textwrap import shorten

from mstl.errors import TransferError
from mstl.transfer.hdf5 import DEEPEST, LONGEST
from mstl.transfer.naming import snake_case

_MOST = 1 << 24  # characters of all layers' paths, by their parts squared; a network of 1,000 layers has 200,000
_NORMS = ("BatchNormalization", "BatchNormalizationV1", "SyncBatchNormalization")


def classes_in(config: dict | None) -> dict[str, str]:
    """Class of every layer by its path, nested models entered and not listed themselves, in the file's order.

    Raises `TransferError` where names or paths are so long, or models nest so deep, that no network has it.
    """
    return {path: layer["class_name"] for path, _, layer in _leaves(config) if isinstance(layer["config"], dict)}


def positional_names(config: dict | None) -> dict[str, str]:
    """Path of a layer in the model by its group in a Keras 3 weights file, "layers/conv2d_1" -> "conv0"."""
    return {place: path for path, place, _ in _leaves(config)}


def sentences_on(config: dict | None) -> Iterator[str]:
    """What about a stored model matters when its weights move elsewhere."""
    leaves = [(path, layer) for path, _, layer in _leaves(config) if isinstance(layer["config"], dict)]
    training = [path for path, layer in leaves if layer["class_name"] in _NORMS and _called_in_training(layer)]
    if training:
        yield (
            f"{len(training)} batch norm layers ({training[0]}, ...) are called with training=True: they normalise by "
            "the batch, at prediction too. A model that calls them otherwise gives other outputs with these weights."
        )
    first = [path for path, layer in leaves if layer["config"].get("data_format") == "channels_first"]
    if first:
        yield (
            f"{len(first)} layers ({first[0]}, ...) are channels-first. Kernels are stored alike and fit channels-last "
            "layers; dense layers behind a Flatten do not."
        )


def training_text(config: dict | None) -> str:
    """Optimizer and loss of a stored training configuration, "optimizer Adam, loss mse"; empty where none is told."""
    config = config or {}
    stored = {"optimizer": config.get("optimizer_config") or config.get("optimizer"), "loss": config.get("loss")}
    told = {key: " and ".join(filter(None, map(_kind, _listed(value)))) for key, value in stored.items()}
    return ", ".join(f"{key} {shorten(text, 100)}" for key, text in told.items() if text)


def _listed(value: object) -> list:
    """A loss for each output where there are several."""
    if isinstance(value, dict) and "class_name" not in value:
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _kind(value: object) -> str:
    """Name of a function or class as Keras stores it; empty for what is none."""
    kind = value.get("class_name") if isinstance(value, dict) else value
    if kind == "function":
        kind = value.get("config")
    return kind.removeprefix("Custom>") if isinstance(kind, str) and kind.isprintable() else ""


def layers_in(config: dict | None) -> list[dict]:
    """Configurations of a model's own layers, those with names to be shown; none where `config` is not a model's."""
    inner = (config or {}).get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    return [layer for layer in layers or () if _is_layer(layer)] if isinstance(layers, list) else []


def _is_layer(layer: object) -> bool:
    return (
        isinstance(layer, dict)
        and isinstance(layer.get("class_name"), str)
        and isinstance(layer.get("config"), (dict, list))
        and name_of(layer).isprintable()
        and layer["class_name"].isprintable()
    )


def name_of(layer: dict) -> str:
    """Name of a layer by its configuration."""
    inner = layer["config"]
    name = inner.get("name") if isinstance(inner, dict) else None
    return str(layer.get("name") or name or "")


def _leaves(config: dict | None) -> Iterator[tuple[str, str, dict]]:
    """Path, place in a Keras 3 weights file and configuration of every layer.

    All paths together are bounded, those of many parts sooner: weights are looked up by every ending of a path
    within every model that it goes through.
    """
    total = 0
    for path, place, layer in _walk(config, "", ""):
        total += len(path) * (path.count("/") + 1) ** 2 + len(place)
        if total > _MOST:
            raise TransferError("The model's configuration has more and longer names than networks do. Do not use it.")
        yield path, place, layer


def _walk(config: dict | None, prefix: str, group: str) -> Iterator[tuple[str, str, dict]]:
    seen: Counter[str] = Counter()
    for layer in layers_in(config):
        kind = snake_case(layer["class_name"])
        place = f"{group}layers/{kind}_{seen[kind]}" if seen[kind] else f"{group}layers/{kind}"
        seen[kind] += 1
        path = f"{prefix}{name_of(layer)}"
        longest = max(len(path), len(layer["class_name"]))
        if path.count("/") > DEEPEST:
            raise TransferError(f"The model's configuration nests over {DEEPEST} models. Do not use the file.")
        if longest > LONGEST:
            raise TransferError(f"The model's configuration has a name of {longest} characters. Do not use the file.")
        if layers_in(layer):
            yield from _walk(layer, f"{path}/", f"{place}/")
        else:
            yield path, place, layer


def _called_in_training(layer: dict) -> bool:
    """Whether a call of the layer in the graph passes training=True; Keras 2 keeps arguments last in a node's list."""
    nodes = layer.get("inbound_nodes")
    found = _values(nodes, "training") if isinstance(nodes, list) else ()
    return any(value is True for value in found)


def _values(tree: object, key: str) -> Iterator[object]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            else:
                yield from _values(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value, key)
