"""The trees that one set comes in, raw and preprocessed for instance: the files of one of them."""
from __future__ import annotations

from mstl.data.case import nearest
from mstl.data.layouts.found import Findings, Found, LeftOut, has_image
from mstl.errors import InputError

Key = tuple[str, str, str, str]  # subject, session, column, rater


def of_one_variant(
    findings: Findings, order: tuple[str, ...], wanted: str
) -> tuple[list[Found], list[LeftOut], list[str]]:
    """The files of the variant wanted, or of the first in `order` that has images, what that leaves out, and a note."""
    there = _there(findings.files, order)
    taken = _taken(there, wanted)
    if not taken:
        return findings.files, [], []
    kept = _closest([file for file in findings.files if not file.variants or taken in file.variants], taken)
    paths = {file.path for file in kept}
    others = [file for file in findings.files if file.path not in paths]
    left_out = [LeftOut(file.path, f"belongs to variant {file.variants[0]}") for file in others]
    also = ", ".join(name for name in there if name != taken)
    note = f"The images of variant {taken} are taken; there are also {also} (choose with --variant)."
    return kept, left_out, [note] if also and not wanted else []


def _there(files: list[Found], order: tuple[str, ...]) -> list[str]:
    """The variants that have images, those of `order` first."""
    names = {name for file in files if has_image([file]) for name in file.variants}
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _taken(there: list[str], wanted: str) -> str:
    """The variant wanted, in upper or lower case, the first where none is; "" where the tree has no variants."""
    by_lower = {name.lower(): name for name in there}
    if wanted and wanted.lower() not in by_lower:
        have = f"There are {', '.join(there)}." if there else "This tree has no variants."
        raise InputError(f"No image of variant {wanted!r} is here{nearest(wanted, there)}. {have}")
    return by_lower[wanted.lower()] if wanted else next(iter(there), "")


def _closest(files: list[Found], variant: str) -> list[Found]:
    """Without files of another variant that fit, where the variant has its own of the same kind."""
    best: dict[Key, int] = {}
    for file in files:
        best[key_of(file)] = min(best.get(key_of(file), _distance(file, variant)), _distance(file, variant))
    return [file for file in files if _distance(file, variant) == best[key_of(file)]]


def _distance(file: Found, variant: str) -> int:
    """0 for a file of the variant itself, more for one of another that fits."""
    return file.variants.index(variant) if file.variants else 0


def key_of(file: Found) -> Key:
    """Whose file it is and which: two with one key are one too many."""
    return file.subject, file.session or "", file.column, file.rater if file.column == "mask" else ""
