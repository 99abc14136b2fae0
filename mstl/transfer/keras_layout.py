"""How Keras lays out weights in HDF5: the groups of Keras 2 by layer name, the `vars` of Keras 3 by position."""
from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import h5py

from mstl.errors import TransferError
from mstl.transfer.hdf5 import BFLOAT16, DEEPEST, attribute
from mstl.transfer.hdf5_text import TextReader
from mstl.transfer.model_config import classes_in, positional_names, sentences_on
from mstl.transfer.naming import conventional_variables, is_numbered

_CONTAINERS = {"layers", "_layers", "_layer_checkpoint_dependencies", "_operations"}
_LONGEST = 4096  # characters of a layer's path
_OTHERS = ("optimizer", "_optimizer", "metrics", "_metrics", "compile_metrics", "loss", "compile_loss")


@dataclass(frozen=True)
class Entry:
    """A tensor of the file: the layer's path in the model, the variable, the class where known, its HDF5 path.

    `place` is the layer's class and number where that is all that tells its position, else None.
    """

    layer: str
    variable: str
    class_name: str | None
    dataset: str
    place: str | None = None


@dataclass(frozen=True)
class Layout:
    """What a file holds, in its order."""

    format: str
    entries: tuple[Entry, ...]
    datasets: Mapping[str, h5py.Dataset]
    keras_version: str | None = None
    backend: str | None = None
    model_config: dict | None = None
    training_config: dict | None = None
    notes: tuple[str, ...] = field(default=())


class _Attributes:
    """Text attributes of one file."""

    def __init__(self, file: h5py.File, text: TextReader, *, size: int, name: str) -> None:
        self.file, self.text, self.size, self.name = file, text, size, name

    def texts(self, place: str, key: str) -> list[str] | None:
        """Strings of an attribute of the group at `place`, also where Keras split them into key0, key1, ..."""
        group = h5py.h5o.open(self.file.id, place.encode() or b"/")
        whole = attribute(group, key, text=self.text, size=self.size)
        if whole is not None:
            return whole
        parts = []
        while (part := attribute(group, f"{key}{len(parts)}", text=self.text, size=self.size)) is not None:
            parts.append(part)
        return [name for part in parts for name in part] if parts else None

    def names(self, place: str, key: str) -> list[str] | None:
        """As `texts`, of names that can be shown in a line."""
        found = self.texts(place, key)
        odd = next((name for name in found or () if not name.isprintable()), None)
        if odd is not None:
            raise TransferError(f"{self.name} has {odd!r} among its '{key}'; text is expected. Download it again.")
        return found

    def one(self, place: str, key: str) -> str | None:
        """The first name of an attribute."""
        return next(iter(self.names(place, key) or ()), None)

    def json(self, key: str) -> dict | None:
        """A JSON attribute of the file; None where there is none or it is no mapping."""
        text = "".join((self.texts("", key) or ())[:1])
        value = json.loads(text) if text else None
        return value if isinstance(value, dict) else None


def read_layout(
    file: h5py.File,
    datasets: Mapping[str, h5py.Dataset],
    text: TextReader,
    *,
    size: int,
    config: dict | None,
    name: str,
) -> Layout:
    """Name every tensor of a file by its layer; `config` is the model's JSON where it lies beside the weights.

    Raises `TransferError` where there are no weights, a layer is listed twice, or something listed is absent.
    """
    attributes = _Attributes(file, text, size=size, name=name)
    if any(re.search(r"(^|/)vars/\d+$", place) for place in datasets):
        kind = "Keras 3 weights" if config is None else "Keras 3 archive"
        entries = tuple(_numbered_entries(datasets, attributes, config))
        notes = tuple(sentences_on(config))
        layout = Layout(kind, entries, datasets, model_config=config, notes=notes)
    else:
        layout = _keras2(attributes, datasets, name=name)
    _check(layout, name)
    return layout


def _keras2(attributes: _Attributes, datasets: Mapping[str, h5py.Dataset], *, name: str) -> Layout:
    root = "model_weights" if "model_weights" in attributes.file else ""
    layers = attributes.names(root, "layer_names")
    if layers is None:
        raise TransferError(f"{name} {_holds(attributes.file)}. Give a file of model.save or model.save_weights.")
    twice, times = next(iter(Counter(layers).most_common(1)), ("", 0))
    if times > 1:
        raise TransferError(f"{name} lists layer '{twice}' twice; names must be unique. Save the model again.")
    config = attributes.json("model_config")
    classes = classes_in(config)
    nested = _nested(classes, name=name)
    entries = []
    for layer in layers:
        group = f"{root}/{layer}" if root else layer
        if group not in attributes.file:
            raise TransferError(f"{name} lists layer '{layer}' and does not hold it. Copy or download it again.")
        weights = dict.fromkeys(attributes.names(group, "weight_names") or ())
        absent = next((weight for weight in weights if f"{group}/{weight}" not in datasets), None)
        if absent is not None:
            raise TransferError(f"{name} lists '{group}/{absent}' and does not hold it. Copy or download it again.")
        entries.extend(_group_entries(layer, group, weights, nested.get(layer, {}), classes))
    rank = {path: number for number, path in enumerate(classes)}
    entries.sort(key=lambda entry: rank.get(entry.layer, -1))  # nested groups list what was frozen last
    return Layout(
        "Keras 2 model" if root else "Keras 2 weights",
        tuple(entries),
        datasets,
        keras_version=attributes.one(root, "keras_version"),
        backend=attributes.one(root, "backend"),
        model_config=config,
        training_config=attributes.json("training_config"),
        notes=tuple(sentences_on(config)),
    )


def _group_entries(
    layer: str, group: str, weights: Iterable[str], inner: Mapping[str, str | None], classes: Mapping[str, str]
) -> Iterator[Entry]:
    copies: Counter[tuple[str, str]] = Counter()
    for weight in weights:
        path, variable = _owner(layer, weight, inner, is_leaf=layer in classes)
        copies[path, variable] += 1
        if layer in classes and copies[path, variable] > 1:  # as of a wrapped model, named as a model names them
            variable = f"{variable}_{copies[path, variable] - 1}"
        yield Entry(path, variable, classes.get(path), f"{group}/{weight}")


def _nested(classes: Mapping[str, str], *, name: str) -> dict[str, dict[str, str | None]]:
    """Paths of the layers within each nested model, by every ending of them; None where two end alike."""
    found: dict[str, dict[str, str | None]] = {}
    for path in classes:
        _check_length(path, name=name)
        parts = path.split("/", DEEPEST)
        for depth in range(1, len(parts)):
            inner = found.setdefault("/".join(parts[:depth]), {})
            for start in range(len(parts)):
                ending = "/".join(parts[start:])
                inner[ending] = path if inner.get(ending, path) == path else None
    return found


def _check_length(path: str, *, name: str) -> str:
    if len(path) > _LONGEST:
        raise TransferError(
            f"{name} names a layer by {len(path)} characters ('{path[:40]}...'); at most {_LONGEST} are read. "
            "Shorten the names and save it again."
        )
    return path


def _owner(layer: str, weight: str, inner: Mapping[str, str | None], *, is_leaf: bool) -> tuple[str, str]:
    """Path of the layer that a weight in the group `layer` belongs to, and the variable.

    In the group of a nested model stand the weights of all its layers, "model_1/conv0/kernel:0" or
    "conv0/kernel:0"; `inner` are their paths by ending, where known. In the group of a plain layer its scope
    may be numbered, "conv0_1/kernel:0", and its name may have slashes.
    """
    weight = weight.split(":")[0]
    _, found, behind = f"/{weight}".partition(f"/{layer}/")
    parts = (f"{layer}/{behind}" if found else weight).split("/")
    for length in range(min(len(parts) - 1, DEEPEST), 0, -1):
        for start in range(len(parts) - length):
            path = inner.get("/".join(parts[start : start + length]))
            if path is not None:
                return path, "/".join(parts[start + length :])
    if is_leaf and not inner:
        return layer, behind or parts[-1]
    slashes = layer.count("/") + 1
    numbered = is_numbered("/".join(parts[:slashes]), layer)
    rest = behind.split("/") if found else parts[slashes:] if numbered else parts
    return "/".join([layer, *rest[:-1]]), rest[-1]


def _numbered_entries(
    datasets: Mapping[str, h5py.Dataset], attributes: _Attributes, config: dict | None
) -> Iterator[Entry]:
    """Entries of `.../vars/0` datasets: layers by the name in the group, else by the archive's JSON, else by class."""
    names, classes = positional_names(config), classes_in(config)
    groups: dict[str, list[str]] = {}
    for place in datasets:
        found = re.fullmatch(r"(.*?)/?vars/(\d+)", place)
        if found and found[1].split("/")[0] not in _OTHERS:
            groups.setdefault(found[1], []).append(found[2])
    rank = {group: number for number, group in enumerate(names)}
    ranked = sorted(groups, key=lambda group: rank.get(group, len(rank)))
    for group in ranked:
        layer = names.get(group) or _check_length(_named(group, attributes), name=attributes.name)
        indices = sorted(groups[group], key=int)
        kind = classes.get(layer)
        variables = conventional_variables(kind or group.rsplit("/", 1)[-1], len(indices)) or indices
        for index, variable in zip(indices, variables, strict=True):
            dataset = f"{group}/vars/{index}" if group else f"vars/{index}"
            yield Entry(layer, variable, kind, dataset, place=None if names else _without_containers(group))


def _without_containers(group: str) -> str:
    return "/".join(part for part in group.split("/") if part not in _CONTAINERS)


def _named(group: str, attributes: _Attributes) -> str:
    """A layer's path from the names that Keras 3 keeps at each `vars` group, or else from the groups' own names."""
    parts, path = group.split("/"), []
    for depth, part in enumerate(parts, start=1):
        if part not in _CONTAINERS:
            place = "/".join([*parts[:depth], "vars"])
            known = place in attributes.file and attributes.one(place, "name")
            path.append(known or part)
    return "/".join(path)


def _check(layout: Layout, name: str) -> None:
    if not layout.entries:
        raise TransferError(f"{name} holds no weights of layers. Save a built model with model.save_weights.")
    paths = [f"{entry.layer}/{entry.variable}" for entry in layout.entries]
    twice, times = Counter(paths).most_common(1)[0]
    if times > 1:
        raise TransferError(f"{name} holds two tensors named '{twice}'; names must be unique. Save the model again.")
    for entry in layout.entries:
        kind = layout.datasets[entry.dataset].dtype
        if layout.datasets[entry.dataset].shape is None or (kind.kind not in "fiub" and kind != BFLOAT16):
            raise TransferError(f"{name} holds '{entry.dataset}' as {kind}; numbers are expected. Copy it again.")


def _holds(file: h5py.File) -> str:
    keys = set(file)
    if "optimizer_weights" in keys:
        return "holds an optimizer only, no weights of layers"
    if not keys:
        return "is HDF5 and empty"
    return f"is HDF5 but not of Keras (it has {', '.join(sorted(keys)[:3])}, no 'layer_names')"
