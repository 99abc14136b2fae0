"""What a run recorded about its weights, read and checked: `transfer.json` and `freeze.json`."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

from mstl.errors import InputError
from mstl.files import read_json
from mstl.transfer.table import StatusTable

TRANSFER, FREEZE = "transfer.json", "freeze.json"
LARGEST_COUNT = 2**53  # beyond it a float misses integers
Read = TypeVar("Read")


@dataclass(frozen=True)
class TransferRow:
    """A weight of the model or a tensor of the file; what there is none of is empty."""

    status: str
    target: str
    source: str
    target_shape: tuple[int, ...]
    source_shape: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Transfer(StatusTable):
    """One transfer into the model: `init` is the experiment's word for it, `options` a line of text."""

    init: str
    file: str
    sha256: str
    options: str
    rows: tuple[TransferRow, ...]
    notes: tuple[str, ...]

    @property
    def source(self) -> str:
        """The last part of `init`, and the file where that is another."""
        name, file = PurePath(self.init).name or self.init, PurePath(self.file).name
        return f"{name} ({file})" if file and file != name else name


@dataclass(frozen=True)
class Origins:
    """Transfers, and every block with its parameters loaded, adapted and random."""

    transfers: tuple[Transfer, ...]
    groups: tuple[dict, ...]


@dataclass(frozen=True)
class FrozenTensor:
    """A tensor that was frozen, and its hashes; `unchanged` is None until it was compared."""

    path: str
    parameters: int
    sha256_before: str
    sha256_after: str
    unchanged: bool | None
    thawed_after: int | None

    @property
    def layer(self) -> str:
        """Path of the layer it belongs to."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True)
class Frozen:
    """What training left alone: every block with its parameters frozen and trainable, and the proof."""

    norm: str
    groups: tuple[dict, ...]
    notes: tuple[str, ...]
    tensors: tuple[FrozenTensor, ...]


def read_origins(run: Path) -> Origins | None:
    """Where the weights of the run folder `run` came from; None where it has no record.

    Raises `InputError` where the record cannot be read or is not what a training writes.
    """
    return _read(run / TRANSFER, _origins)


def read_frozen(run: Path) -> Frozen | None:
    """What stayed frozen in the run folder `run`; None, and raises, as `read_origins`."""
    return _read(run / FREEZE, _frozen)


def _read(path: Path, parse: Callable[[dict], Read]) -> Read | None:
    if not path.exists():
        return None
    record = read_json(path)
    try:
        return parse(record)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(f"{path} is not what a training writes ({reason}). Restore it, or remove it.") from error


def _origins(record: dict) -> Origins:
    transfers = tuple(_transfer(one) for one in record["transfers"])
    return Origins(transfers, _blocks(record.get("groups", []), ("loaded", "adapted", "random")))


def _transfer(record: dict) -> Transfer:
    options = {name: value for name, value in record["options"].items() if value and value != "error"}
    if "rename" in options:
        options["rename"] = dict(options["rename"])
    return Transfer(
        init=_text(record["init"]),
        file=_text(record.get("file")),
        sha256=_text(record.get("sha256")),
        options=_text("; ".join(f"{name} {_words(value)}" for name, value in options.items())),
        rows=tuple(_row(row) for row in record.get("tensors", [])),
        notes=_lines(record.get("notes", [])),
    )


def _row(row: dict) -> TransferRow:
    names, shapes = ("target", "source"), ("target_shape", "source_shape")
    texts = {name: _text(row[name]) for name in ("status", "reason", *names)}
    return TransferRow(**texts, **{name: tuple(map(int, row[name] or ())) for name in shapes})


def _frozen(record: dict) -> Frozen:
    return Frozen(
        norm=_text(record["norm"]),
        groups=_blocks(record["groups"], ("frozen", "trainable")),
        notes=_lines(record["notes"]),
        tensors=tuple(_tensor(row) for row in record["tensors"]),
    )


def _tensor(row: dict) -> FrozenTensor:
    thawed, unchanged = row["thawed_after"], row["unchanged"]
    return FrozenTensor(
        path=_text(row["path"]),
        parameters=_count(row["parameters"]),
        sha256_before=_text(row["sha256_before"]),
        sha256_after=_text(row["sha256_after"]),
        unchanged=None if unchanged is None else bool(unchanged),
        thawed_after=None if thawed is None else int(thawed),
    )


def _blocks(records: Iterable[dict], names: Iterable[str]) -> tuple[dict, ...]:
    return tuple({"group": _text(one["group"]), **{name: _count(one[name]) for name in names}} for one in records)


def _lines(texts: Iterable) -> tuple[str, ...]:
    return tuple(map(_text, texts))


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    text.encode()  # a lone surrogate fails here, not when the page is written
    return text


def _count(value: int) -> int:
    if not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"{value:.6g} is no number of parameters")
    return int(value)


def _words(value: object) -> str:
    """A setting of a transfer as people write it."""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} => {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
