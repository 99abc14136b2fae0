"""Published weights by name: where their files are, on this machine or in the network, and whether they are whole.

The manifest `weights/manifest.yaml` lists them; `weights/README.md` says of each what it is and may be used for.
A file is looked for in the folder that comes with mstl, then in the folder that the environment variable
MSTL_WEIGHTS names (for machines without a network), then in the user's cache. Only then is it downloaded, into
MSTL_WEIGHTS where that is set, else into the cache.
"""
from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Literal

import yaml

from mstl.errors import InputError, TransferError
from mstl.files import sha256, shipped_folder, write_text
from mstl.transfer.download import DownloadError, Progress, alone, download

VARIABLE = "MSTL_WEIGHTS"
State = Literal["ok", "damaged", "unknown", "not here"]
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}")


@dataclass(frozen=True)
class Weights:
    """One entry of the manifest.

    `digest` is "sha256:..." or "md5:..." of `file`, empty where its publisher states none: then the sha256 at the
    first use is recorded beside the file and holds from then on. `member` names the file inside a zip archive at
    `url`. `include` is the scope worth loading, such as "encoder"; empty: everything. `modalities` are the
    channels of the input, in order; empty where they mean nothing, as with photographs.
    """

    name: str
    file: str
    architecture: str
    licence: str
    source: str
    trained_on: str
    scores: str
    url: str = ""
    digest: str = ""
    member: str = ""
    include: str = ""
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocalFile:
    """A file of weights on this machine: `where` is "shipped", "MSTL_WEIGHTS" or "cached"; `path` None: not here."""

    weights: Weights
    where: str
    path: Path | None
    state: State


def registry() -> dict[str, Weights]:
    """Every entry of the manifest by its name; raises `TransferError` that names what is wrong in the manifest."""
    path = shipped_folder() / "manifest.yaml"
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TransferError(f"{path} does not exist: mstl is not completely installed. Install it again.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise TransferError(f"{path} cannot be read as YAML ({reason}). Mend it.") from error
    if not isinstance(entries, list):
        raise TransferError(f"{path} is not a list of entries ('- name: ...'). Mend it.")
    known: dict[str, Weights] = {}
    for number, values in enumerate(entries, 1):
        weights = _entry(values, f"Entry {number} of {path}")
        if weights.name in known:
            raise TransferError(f"{path} has two entries named '{weights.name}'. Rename one.")
        known[weights.name] = weights
    return known


def weights_named(name: str) -> Weights:
    """The entry of that name; raises `InputError` that proposes the nearest one."""
    known = registry()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known are {', '.join(known)}."
        raise InputError(f"No weights are named '{name}'. {hint}")
    return known[name]


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Path of the file of the weights `name`, checked against its checksum; downloaded where it is not here.

    `progress` is called with the bytes that are here and the bytes expected, None where that is not known.
    Raises `InputError` for a name that the manifest does not have; `TransferError` for a file that is damaged,
    and where it cannot be downloaded: the message then says how to get it by hand and where to put it.
    """
    weights = weights_named(name)
    return _usable(weights) or _downloaded(weights, progress)


def verify() -> list[LocalFile]:
    """Every file of the manifest that is on this machine, read and compared with its checksum, and what is not here.

    States: "ok", "damaged", "unknown" (no checksum is published, and none recorded yet), "not here".
    """
    rows = []
    for weights in registry().values():
        here = [LocalFile(weights, where, path, _state(weights, path)) for where, path in _places(weights)]
        rows += here or [LocalFile(weights, "", None, "not here")]
    return rows


def locate(weights: Weights) -> tuple[str, Path] | None:
    """Where the file of an entry is: ("shipped" | "MSTL_WEIGHTS" | "cached", path), unchecked; None: to fetch."""
    return next(_places(weights), None)


def cache_folder() -> Path:
    """The user's cache, such as ~/.cache/mstl."""
    import pooch

    return Path(pooch.os_cache("mstl"))


def _entry(values: object, place: str) -> Weights:
    """An entry from the keys and values of the manifest; `place` names it in errors."""
    if not isinstance(values, dict):
        raise TransferError(f"{place} is not made of 'key: value' lines. Mend it.")
    known = {field.name: field for field in fields(Weights)}
    if unknown := [str(key) for key in values if key not in known]:
        raise TransferError(f"{place} has unknown keys: {', '.join(unknown)}. Known keys: {', '.join(known)}.")
    if missing := [name for name, field in known.items() if field.default is MISSING and not values.get(name)]:
        raise TransferError(f"{place} lacks {', '.join(missing)}. Add it.")
    kinds = {"modalities": list}
    if wrong := [key for key, value in values.items() if not isinstance(value, kinds.get(key, str))]:
        raise TransferError(f"{place}: {', '.join(wrong)} must be text in quotation marks (modalities: a list).")
    return _consistent(Weights(**{**values, "modalities": tuple(values.get("modalities", ()))}), place)


def _consistent(weights: Weights, place: str) -> Weights:
    if Path(weights.file).name != weights.file:
        raise TransferError(f"{place}: file is '{weights.file}'; a name without folders is expected.")
    if weights.digest and not _DIGEST.fullmatch(weights.digest):
        raise TransferError(f"{place}: digest is '{weights.digest}'; sha256: or md5: and its digits are expected.")
    if not (weights.url or weights.digest):
        raise TransferError(f"{place} has neither url nor digest; a file that is shipped needs its digest.")
    return weights


def _places(weights: Weights) -> Iterator[tuple[str, Path]]:
    """Where the file is, in the order in which it is looked for."""
    for where, folder in _folders().items():
        if (folder / weights.file).is_file():
            yield where, folder / weights.file


def _folders() -> dict[str, Path]:
    own = os.environ.get(VARIABLE)
    named = {VARIABLE: Path(own).expanduser()} if own else {}
    return {"shipped": shipped_folder(), **named, "cached": cache_folder()}


def _target(weights: Weights) -> Path:
    folders = _folders()
    return folders.get(VARIABLE, folders["cached"]) / weights.file


def _usable(weights: Weights) -> Path | None:
    """The first file that is here and whole; a damaged one in the cache counts as absent, elsewhere raises."""
    for where, path in _places(weights):
        state = _state(weights, path)
        if state == "unknown":
            _record(path)
        if state != "damaged":
            return path
        if where != "cached":
            raise TransferError(
                f"{path} is damaged: its checksum is not {_expected(weights, path)}. "
                f"Remove it and run 'mstl weights fetch {weights.name}'."
            )
    return None


def _downloaded(weights: Weights, progress: Progress | None) -> Path:
    target = _target(weights)
    if not weights.url:
        raise TransferError(f"{weights.file} is missing in {shipped_folder()}. Install mstl again.")
    try:
        with alone(target.parent, weights.url):
            if path := _usable(weights):  # another process was quicker
                return path
            digest = _expected(weights, target)
            download(weights.url, target, digest=digest, member=weights.member, progress=progress)
            if digest is None:
                _record(target)
    except DownloadError as error:
        raise TransferError(f"{weights.name} cannot be downloaded: {error}. {_by_hand(weights, target)}") from error
    except OSError as error:
        raise TransferError(f"Cannot write to {target.parent} ({error}). Set {VARIABLE} to another folder.") from error
    return target


def _by_hand(weights: Weights, target: Path) -> str:
    unpack = f"take {weights.member} out of the archive, " if weights.member else ""
    return (
        f"On a machine with a network download {weights.url}, {unpack}and put it into {target.parent} as "
        f"{weights.file}, or into another folder that the environment variable {VARIABLE} names."
    )


def _state(weights: Weights, path: Path) -> State:
    import pooch

    expected = _expected(weights, path)
    if expected is None:
        return "unknown"
    algorithm, _, value = expected.partition(":")
    return "ok" if pooch.file_hash(path, alg=algorithm) == value else "damaged"


def _expected(weights: Weights, path: Path) -> str | None:
    """The published checksum, else the one that was recorded beside the file, else None."""
    record = _record_of(path)
    if weights.digest or not record.is_file():
        return weights.digest or None
    return f"sha256:{record.read_text(encoding='utf-8').split(' ')[0]}"


def _record(path: Path) -> None:
    """Write the file's sha256 beside it, as `sha256sum --check` reads it; a folder that is read-only stays as it is."""
    with suppress(InputError):
        write_text(_record_of(path), f"{sha256(path)}  {path.name}\n")


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
