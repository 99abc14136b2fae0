"""Rules on pictures: sizes that differ, masks that are no pictures, are empty or cover most of the image."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures
from mstl.data.formats.pictures import is_picture

LARGEST_SHARE = 0.5  # of the pixels of an image: no lesion is that large


def shows_pictures(case: CaseMeasures) -> bool:
    """Whether a scan of a case is a picture; rules of heads and scanners say nothing of it."""
    return any(is_picture(scan.path) for scan in case.scans.values())


def several_kinds(case: CaseMeasures) -> Iterator[Finding]:
    """Files of a case that are volumes beside a picture."""
    paths = {role: scan.path for role, scan in case.scans.items()}
    paths |= {"mask": case.mask.path} if case.mask else {}
    volumes = [role for role, path in paths.items() if not is_picture(path)]
    if volumes:
        picture = next(role for role, path in paths.items() if is_picture(path))
        yield Finding(
            case.name, volumes[0], "error", "several-kinds",
            f"{paths[picture].name} is a picture, {paths[volumes[0]].name} a volume with a place in the world. Give "
            "the case files of one kind.",
        )  # fmt: skip


def different_sizes(case: CaseMeasures) -> Iterator[Finding]:
    """Images and masks of one case that are of several sizes."""
    first, *others = case.scans
    shapes = {role: case.scans[role].grid.shape for role in others}
    shapes |= {"mask": case.mask.grid.shape} if case.mask else {}
    expected = case.scans[first].grid.shape
    for role, shape in shapes.items():
        if shape != expected:
            yield Finding(
                case.name, role, "error", "size-differs",
                f"{role} has {_size(shape)} pixels, {first} {_size(expected)}. Export both in one size.",
                details={"pixels": list(shape[:2]), "expected": list(expected[:2])},
            )  # fmt: skip


def empty_masks(case: CaseMeasures) -> Iterator[Finding]:
    """Masks without a pixel, as sections beside the lesions have."""
    if case.mask is not None and case.mask.voxels == 0:
        yield Finding(
            case.name, "mask", "note", "empty-mask",
            "Mask is empty: scores count the image apart. Where it shows a lesion, export the mask again.",
        )  # fmt: skip


def large_masks(case: CaseMeasures) -> Iterator[Finding]:
    """Masks of most of an image: 0 and 1 exchanged, or another structure's."""
    mask = case.mask
    if mask is None or mask.kind == "other":
        return
    share = mask.voxels / (mask.grid.shape[0] * mask.grid.shape[1])
    if share > LARGEST_SHARE:
        yield Finding(
            case.name, "mask", "error", "large-mask",
            f"Mask covers {share:.0%} of the image. It is another structure's, or 0 and 1 are exchanged: give the mask "
            "of the lesions.",
            details={"share": round(share, 3)},
        )  # fmt: skip


def mixed_sizes(cases: Sequence[CaseMeasures]) -> Iterator[Finding]:
    """Sizes of images that are not the cohort's commonest: one finding a size."""
    by_size: dict[tuple[int, ...], list[CaseMeasures]] = {}
    for case in cases:
        if shows_pictures(case):
            by_size.setdefault(next(iter(case.scans.values())).grid.shape, []).append(case)
    usual = max(by_size, key=lambda size: len(by_size[size]), default=None)
    for size, found in by_size.items():
        if size != usual:
            more = f", like {len(found) - 1} more" if len(found) > 1 else ""
            yield Finding(
                found[0].name, next(iter(found[0].scans)), "warning", "mixed-sizes",
                f"Image has {_size(size)} pixels{more}; {len(by_size[usual])} of the cohort have {_size(usual)}. Let "
                f"'mstl prepare --shape {usual[0]},{usual[1]}' stretch all to one size.",
                details={"cases": [case.name for case in found], "pixels": list(size[:2])},
            )  # fmt: skip


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]} x {shape[1]}"
