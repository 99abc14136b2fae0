"""The Medical Segmentation Decathlon: `dataset.json` lists 4D images, a volume a modality, and their labels.

Antonelli et al. 2022, doi 10.1038/s41467-022-30695-9.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mstl.data.layouts.found import OTHER_MODALITY, Findings, Found, Layout, LeftOut, scan_files, suffix_of
from mstl.data.layouts.words import column_of
from mstl.errors import InputError
from mstl.files import read_json

_LISTING = "dataset.json"
_UNLISTED = f"not listed in {_LISTING}"


def find_msd(root: Path) -> Findings:
    """Files that the `dataset.json` in or below `root` lists; a path names the volume of its modality: `x.nii.gz#0`.

    Raises `InputError` where there is none or more than one, it is damaged, or none of its modalities is known.
    """
    listing = _listing(root)
    description = read_json(listing)
    try:
        names = [description["modality"][number] for number in sorted(description["modality"], key=int)]
        pairs = list(_pairs(description))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{listing} is none of the Decathlon ({type(error).__name__}: {error}). It needs modality and training."
        ) from None
    columns = [column_of(str(name)) for name in names]
    if not any(columns):
        task = description.get("name", listing.parent.name)
        raise InputError(
            f"{listing}: task {task} has modality {', '.join(map(str, names))}; brain MRI is needed (FLAIR, T1w, T1gd "
            "or T2w). Choose another task, such as Task01_BrainTumour."
        )
    findings = Findings()
    for image, label in pairs:
        _add(findings, listing.parent / image, listing.parent / label if label else None, columns)
    if not findings.files:
        raise InputError(f"{listing} lists {len(pairs)} images; none is there. Unpack the task's archive whole.")
    known = {file.path.with_name(file.path.name.partition("#")[0]) for file in findings.files}
    findings.left_out.extend(LeftOut(path, _UNLISTED) for path in scan_files(listing.parent) if path not in known)
    unknown = [str(name) for name, column in zip(names, columns, strict=True) if not column]
    if unknown:
        findings.notes.append(f"Volumes of {', '.join(unknown)} are left out: {OTHER_MODALITY}.")
    return findings


def _listing(root: Path) -> Path:
    found = sorted(path for path in root.rglob(_LISTING) if not path.name.startswith("."))
    if (root / _LISTING) in found:
        return root / _LISTING
    if len(found) != 1:
        what = f"{len(found)} files {_LISTING}, {found[0]} and {found[1]} for two" if found else f"no {_LISTING}"
        raise InputError(f"Below {root} there is {what}. Give the folder of one task of the Decathlon.")
    return found[0]


def _pairs(description: dict) -> Iterator[tuple[str, str | None]]:
    """Image and label of every case; those of the test part have no label."""
    for entry in description["training"]:
        label = entry.get("label")
        yield str(entry["image"]), str(label) if label else None
    for entry in description.get("test") or []:
        yield str(entry["image"] if isinstance(entry, dict) else entry), None


def _add(findings: Findings, image: Path, label: Path | None, columns: list[str]) -> None:
    subject = image.name.removesuffix(suffix_of(image.name))
    if not image.is_file():
        findings.left_out.append(LeftOut(image, f"listed in {_LISTING}, but not there"))
        return
    for number, column in enumerate(columns):
        path = image.with_name(f"{image.name}#{number}") if len(columns) > 1 else image
        if column:
            findings.files.append(Found(path, column, subject))
    if label is not None and label.is_file():
        findings.files.append(Found(label, "mask", subject))
    elif label is not None:
        findings.left_out.append(LeftOut(label, f"listed in {_LISTING}, but not there"))


MSD = Layout(
    find_msd,
    example="Task01_BrainTumour/dataset.json",
    remark="Masks hold a label a tissue: 'mstl check' shows them, 'mstl prepare --labels ...' keeps them as classes, "
    "--binarise-masks takes them all for lesion.",
)
