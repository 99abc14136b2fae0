"""Any Keras weights file, read and never run: its layers, its tensors, what it says of itself."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pandas as pd

from mstl.errors import TransferError
from mstl.transfer.archive import WeightsSource, weights_source
from mstl.transfer.digest import norm_of, sha256_of
from mstl.transfer.hdf5 import BFLOAT16, DEEPEST, close_hdf5, datasets_of, one_line_errors, open_hdf5, read_dataset
from mstl.transfer.hdf5_text import TextReader
from mstl.transfer.keras_layout import Layout, read_layout
from mstl.transfer.model_config import training_text


@dataclass(frozen=True, eq=False)
class Tensor:
    """One array of a checkpoint. `layer` is "model_1/conv0", `variable` "kernel", `class_name` None where unknown.

    `place` is the layer's class and number ("functional/conv2d_1") in files that keep no order of layers, else None.
    Nothing is read from the file before `read()`, `norm` or `sha256` is asked for.
    """

    layer: str
    variable: str
    class_name: str | None
    place: str | None
    dataset: h5py.Dataset = field(repr=False)
    source: str = field(repr=False)

    @property
    def path(self) -> str:
        """Layer and variable in one name, as `mstl.models.tree` names the weights of a model."""
        return f"{self.layer}/{self.variable}"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape as stored; kernels are `(k..., in, out)`, transposed ones `(k..., out, in)`."""
        return self._open_dataset.shape

    @cached_property
    def dtype(self) -> np.dtype:
        """Type as stored."""
        stored = self._open_dataset.dtype
        return np.dtype(ml_dtypes.bfloat16) if stored == BFLOAT16 else stored

    def to_dict(self, *, values: bool = False) -> dict:
        """A row of plain values; `values` adds norm and sha256, for which the array is read."""
        row = {
            "layer": self.layer,
            "path": self.path,
            "class_name": self.class_name,
            "shape": list(self.shape),
            "dtype": str(self.dtype),
        }
        return row | ({"norm": self.norm, "sha256": self.sha256} if values else {})

    @property
    def nbytes(self) -> int:
        """Bytes of the array as stored."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, scratch: np.ndarray | None = None) -> np.ndarray:
        """The array as stored, within `scratch` (bytes, enough of them) where that is given.

        Raises `TransferError` where the file is damaged or closed.
        """
        return read_dataset(self._open_dataset, scratch, name=self.source).view(self.dtype)

    @property
    def _open_dataset(self) -> h5py.Dataset:
        if not self.dataset:
            raise TransferError(f"{self.source} is closed. Open it again.")
        return self.dataset

    @cached_property
    def norm(self) -> float:
        """Euclidean norm; nan or inf where an element is."""
        return norm_of(self.read())

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the array's bytes as stored."""
        return sha256_of(self.read())


class Checkpoint:
    """The weights in a Keras file, by layer; open it with `Checkpoint.open(path)` and close it, or use `with`.

    `tensors` maps paths such as "model_1/conv0/kernel" to `Tensor`, in the file's order. `format` says what wrote
    the file, `keras_version` and `backend` which, `model_config` and `training_config` are the JSON it stores (all
    None where it does not). `notes` are sentences about what matters when the weights move. What is asked of a closed
    checkpoint's tensors raises `TransferError`.
    """

    def __init__(self, path: Path, source: WeightsSource, file: h5py.File, layout: Layout) -> None:
        self.path, self.size, self._file, self._source = path, source.size, file, source
        self.format, self.backend = layout.format, layout.backend
        self.keras_version = layout.keras_version or source.keras_version
        self.model_config = layout.model_config
        self.training_config = layout.training_config or source.training_config
        self.notes: tuple[str, ...] = layout.notes
        self.tensors: Mapping[str, Tensor] = {
            f"{entry.layer}/{entry.variable}": Tensor(
                entry.layer, entry.variable, entry.class_name, entry.place, layout.datasets[entry.dataset], path.name
            )
            for entry in layout.entries
        }

    @classmethod
    def open(cls, path: str | Path) -> Checkpoint:
        """Open a `.h5` of Keras 2 or tf.keras, a `.weights.h5` or a `.keras` file; only metadata are read.

        No code of the file is run and no other file is read through it. Raises `TransferError` where the file
        does not exist, is something else (it is said what), holds no weights, is damaged, or links elsewhere.
        """
        path = Path(path)
        source = weights_source(path)
        file = open_hdf5(source.file, name=path.name)
        try:
            with one_line_errors(path.name):
                datasets = datasets_of(file, name=path.name, size=source.size)
                text = TextReader(source.stream(), source.size, name=path.name)
                layout = read_layout(file, datasets, text, size=source.size, config=source.config, name=path.name)
            return cls(path, source, file, layout)
        except BaseException:
            source.close()
            close_hdf5(file)
            raise

    def close(self) -> None:
        """Let go of the file; tensors can no longer be read."""
        self._source.close()
        close_hdf5(self._file)

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.tensors)

    def rows(self, *, values: bool = False) -> list[dict]:
        """A row a tensor: layer, path, class_name, shape, dtype; with `values`, which reads all, norm and sha256."""
        return [tensor.to_dict(values=values) for tensor in self.tensors.values()]

    def to_dict(self, *, values: bool = False) -> dict:
        """Everything as plain values for JSON; numbers that are not finite, such as a norm of nan, become None."""
        names = ("format", "keras_version", "backend", "training_config", "parameters", "notes")
        about = {name: getattr(self, name) for name in names}
        rows = self.rows(values=values)
        return _finite({"file": str(self.path), "bytes": self.size, **about, "tensors": rows})

    def to_frame(self, *, values: bool = False) -> pd.DataFrame:
        """The rows as a table."""
        return pd.DataFrame(self.rows(values=values))

    @property
    def training(self) -> str:
        """What it was trained with, "optimizer Adam, loss mse"; empty where the file does not tell."""
        return training_text(self.training_config)

    @property
    def summary(self) -> str:
        """One line: the file, what wrote it, how much it holds."""
        version = f", Keras {self.keras_version}" if self.keras_version else ""
        return (
            f"{self.path.name}: {self.format}{version}, {len(self.layers)} layers, {len(self)} tensors, "
            f"{self.parameters:,} parameters, {self.size / 1e6:.1f} MB"
        )

    def __repr__(self) -> str:
        return f"<Checkpoint {self.summary if self._file else f'{self.path.name}, closed'}>"

    @property
    def layers(self) -> dict[str, str | None]:
        """Class name (None where the file does not tell) of every layer with weights, by its path."""
        return {tensor.layer: tensor.class_name for tensor in self.tensors.values()}

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold together."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())


def _finite(value: object, depth: int = 0) -> object:
    """Plain values with None for numbers that JSON has not, and for what a file nests deeper than anything of Keras."""
    if depth > DEEPEST or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, dict):
        return {key: _finite(item, depth + 1) for key, item in value.items()}
    return [_finite(item, depth + 1) for item in value] if isinstance(value, (list, tuple)) else value
