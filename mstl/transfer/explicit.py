"""Pairs of tensors that the caller names: by a mapping of paths, by rules that rename."""
from __future__ import annotations

import re
from collections.abc import Mapping

from mstl.errors import TransferError
from mstl.transfer.pairing import Pairing


def pair_by_mapping(todo: Pairing, mapping: Mapping[str, str]) -> None:
    """Pair what `mapping` names: model's path -> file's path, of tensors or of layers."""
    for target, source in mapping.items():
        inner, outer = _below(target, todo.targets), _below(source, todo.sources)
        if not inner or not outer:
            where, path, known = ("file", source, todo.sources) if inner else ("model", target, todo.targets)
            example = f", such as '{next(iter(known))}'" if known else ""
            raise TransferError(f"mapping names '{path}', which the {where} does not have. Give its paths{example}.")
        for rest in inner & outer:
            todo.pair(target + rest, source + rest, "the given mapping")


def _below(path: str, tensors: Mapping[str, object]) -> set[str]:
    """What follows `path` in the tensors that it names: "" for a tensor itself, "/kernel" for a layer's."""
    return {known[len(path) :] for known in tensors if known == path or known.startswith(f"{path}/")}


def pair_by_rename(todo: Pairing, rules: list[tuple[str, str]]) -> dict[str, str]:
    """Pair what rules lead to a name of the model; returns new names of the open tensors -> their own."""
    renamed: dict[str, str] = {}
    for path in list(todo.sources):
        new = path
        for pattern, replacement in rules:
            try:
                new = re.sub(pattern, replacement, new)
            except re.error as error:
                rule = f"'{pattern}' -> '{replacement}'"
                raise TransferError(f"Rename rule {rule} is wrong ({error}). Mend it.") from error
        if new in renamed:
            raise TransferError(f"Rename rules bring '{renamed[new]}' and '{path}' both to '{new}'. Mend them.")
        renamed[new] = path
    for new, path in list(renamed.items()):
        if new != path and new in todo.targets:
            todo.pair(new, renamed.pop(new), "a rename rule")
    return renamed
