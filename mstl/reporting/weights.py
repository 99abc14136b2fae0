"""The report's section on weights: where they came from and what stayed frozen, in sentences and tables."""
from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import digits

from markupsafe import Markup

from mstl.reporting.figures import to_svg
from mstl.reporting.weights_figure import block_size, merge_groups, weights_figure
from mstl.reporting.weights_record import FREEZE, TRANSFER, Frozen, FrozenTensor, Origins, read_frozen, read_origins

SHOWN_DIGITS = 8  # of a SHA-256


def weights_section(run: Path) -> dict | None:
    """What the report of the run folder `run` says about its weights; None where the run recorded nothing of it.

    Raises `InputError` where a record cannot be read or is not what a training writes.
    """
    origins, frozen = read_origins(run), read_frozen(run)
    if origins is None and frozen is None:
        return None
    sentences = weights_sentences(origins, frozen)
    origins, frozen = origins or Origins((), ()), frozen or Frozen("freeze", (), (), ())
    groups = merge_groups(origins.groups, frozen.groups)
    notes = [note for one in (*origins.transfers, frozen) for note in one.notes]
    return {
        "sentences": sentences,
        "changed": [tensor.path for tensor in frozen.tensors if tensor.unchanged is False],
        "thawed": any(tensor.thawed_after is not None for tensor in frozen.tensors),
        "notes": list(dict.fromkeys(notes)),
        "figure": Markup(to_svg(weights_figure(groups))) if groups else None,
        "transfers": origins.transfers,
        "proof": _proof_by_layer(frozen.tensors),
    }


def weights_sentences(origins: Origins | None, frozen: Frozen | None) -> list[str]:
    """Where weights came from and what stayed frozen, a sentence each; None of what was not recorded."""
    return [
        _origin_sentence(origins) if origins else f"Where the weights came from is not known: no {TRANSFER}.",
        _frozen_sentence(frozen) if frozen else f"What stayed frozen is not known: no {FREEZE}.",
    ]


def _origin_sentence(origins: Origins) -> str:
    transfers, groups = origins.transfers, origins.groups
    total = sum(map(block_size, groups))
    if not transfers:
        return f"All {_millions(total)} parameters began at random." if total else "All weights began at random."
    source = " and ".join(dict.fromkeys(one.source for one in transfers))
    if not total:
        return f"Weights came from {source}."
    given = [group["loaded"] + group["adapted"] for group in groups]
    adapted = [group["adapted"] for group in groups]
    rest = total - sum(given)
    if not rest:
        sentence = f"All {_millions(total)} parameters came from {source}."
    else:
        what = _named(groups, given)
        sentence = (f"{what[:1].upper()}{what[1:]} ({_part(sum(given), total)} parameters) came from {source}; "
                    f"the other {_millions(rest)} began at random.")
    if any(adapted):
        sentence += f" Of what came, {_millions(sum(adapted))} were adapted to fit ({_named(groups, adapted)})."
    return sentence


def _frozen_sentence(frozen: Frozen) -> str:
    total = sum(map(block_size, frozen.groups))
    stays = [group["frozen"] for group in frozen.groups]
    if not any(stays) and frozen.tensors:  # they are of the prior, which no block holds
        verdict = _verdict(frozen.tensors, thawed=False)
        return f"Nothing of the network was frozen, the prior of its weights was: {verdict}."
    if not any(stays):
        return "Nothing was frozen: training was free to change every weight."
    thawed = sorted({tensor.thawed_after for tensor in frozen.tensors if tensor.thawed_after is not None})
    when = "Frozen at first" if thawed else "Frozen"
    sentence = f"{when}: {_named(frozen.groups, stays)} ({_part(sum(stays), total)} parameters)"
    if thawed:
        sentence += f", parts of it released after epoch {_join(list(map(str, thawed)))}"
    sentence += f"; {_verdict(frozen.tensors, thawed=bool(thawed))}."
    if frozen.norm == "train":
        sentence += " Normalisation layers among them went on training, as asked."
    return sentence


def _verdict(tensors: Sequence[FrozenTensor], *, thawed: bool) -> str:
    count = f"{len(tensors):,} tensor{'s' if len(tensors) != 1 else ''}"
    changed = sum(tensor.unchanged is False for tensor in tensors)
    if changed:
        return f"of {count}, {changed:,} changed nevertheless, so that this run proves nothing about frozen layers"
    if any(tensor.unchanged is None for tensor in tensors):
        return f"{count}, not yet compared, because training has not come to its end"
    return f"{count}, every one unchanged to the bit {'while frozen' if thawed else 'after training'}"


def _named(groups: Sequence[dict], counts: Sequence[int]) -> str:
    """The blocks that `counts` is about, in words: "the encoder and part of decoder1"."""
    sizes = {group["group"]: block_size(group) for group in groups}
    counted = {group["group"]: count for group, count in zip(groups, counts, strict=True)}
    whole = {name for name, size in sizes.items() if counted[name] == size}
    return _join(list(dict.fromkeys(_block_words(name, sizes, whole) for name in sizes if counted[name])))


def _block_words(name: str, names: Iterable[str], whole: set[str]) -> str:
    part = name.rstrip(digits)
    if {other for other in names if other.rstrip(digits) == part} <= whole:
        return f"the {part}"
    block = f"the {name}" if name == part else name
    return block if name in whole else f"part of {block}"


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _part(count: int, total: int) -> str:
    """ "21.3 of 24.5 million"; small counts, and parts that would round to all, in full."""
    both = [f"{number / 1e6:.1f}" for number in (count, total)]
    if count >= 1e5 and total >= 1e6 and (both[0] != both[1] or count == total):
        return f"{both[0]} of {both[1]} million"
    return f"{count:,} of {total:,}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} million" if count >= 1e6 else f"{count:,}"


def _proof_by_layer(tensors: Iterable[FrozenTensor]) -> list[dict]:
    """A row a frozen layer: its parameters, each tensor with the beginning of its SHA-256, and the verdict."""
    rows = []
    for layer, group in itertools.groupby(tensors, key=lambda tensor: tensor.layer):
        members = list(group)
        found = {tensor.unchanged for tensor in members}
        rows.append({
            "layer": layer,
            "parameters": sum(tensor.parameters for tensor in members),
            "tensors": ", ".join(map(_fingerprint, members)),
            "unchanged": False if False in found else None if None in found else True,
            "thawed_after": members[0].thawed_after,
        })
    return rows


def _fingerprint(tensor: FrozenTensor) -> str:
    name, before = tensor.path.rpartition("/")[2], tensor.sha256_before[:SHOWN_DIGITS]
    after = f" → {tensor.sha256_after[:SHOWN_DIGITS]}" if tensor.unchanged is False else ""
    return f"{name} {before}{after}"
