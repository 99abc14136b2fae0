"""B-scans of macular oedema with outlined fluid: the set of Duke University, as published and as a tree of PNG files.

Chiu et al. 2015, doi 10.1364/BOE.6.001155: ten subjects, 61 B-scans each, of which two experts outlined fluid in 11.
"""
from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from mstl.data.formats.mat_files import IMAGES, annotated_sections, arrays_of
from mstl.data.formats.pictures import PICTURES, SLICES
from mstl.data.layouts.found import Findings, Found, Layout, LeftOut, scan_files
from mstl.errors import InputError

BY_SUBJECT, BY_IMAGE, ORIGINAL = "by-subject", "by-image", "original"
A_SUBJECT = 11  # B-scans of a subject in the tree of PNG files, numbered one after the other from 0
_IMAGES = re.compile(r"images?(?![A-Za-z])", re.IGNORECASE)
_MASKS = re.compile(r"(?:fluid|mask)s?(?:[-_]?(?:rater|expert|grader))?[-_]?(?P<rater>\d(?!\d))?(?![A-Za-z])", re.I)
_NUMBER = re.compile(r"(\d+)$")
_SUBJECT = re.compile(r"Subject_\d+", re.IGNORECASE)
_FLUID = re.compile(r"manualFluid(?P<rater>\d)")
_OTHER_FOLDER = "its folder's name begins with none of image, fluid and mask"


def find_oct_dme(root: Path) -> Findings:
    """B-scans of both forms of the set: folders `image*` and `fluid*` or `mask*` of pictures, and `Subject_NN.mat`.

    An image's mask has its name; image N is of subject N // 11 + 1. Of the original files those B-scans are taken that
    an expert outlined, or found without fluid. Raises `InputError` where no mask has the name of an image, and where an
    original file is not as published.
    """
    findings = Findings()
    pictures, others = [], []
    for path in scan_files(root, (*PICTURES, SLICES)):
        if path.suffix.lower() == SLICES:
            _add_original(findings, path)
        else:
            found = _part_of(path)
            (others if found is None else pictures).append(found or path)
    _check_pairs(pictures)
    for path, column, rater in pictures:
        _add_picture(findings, path, column, rater)
    findings.left_out.extend(LeftOut(path, _OTHER_FOLDER) for path in others)
    _note(findings, pictures)
    return findings


def _note(findings: Findings, pictures: list[tuple[Path, str, str]]) -> None:
    """Say which images have no mask though others have, and which are of nobody."""
    images = sorted({path.stem for path, column, _ in pictures if column == "oct"})
    masks = {path.stem for path, column, _ in pictures if column == "mask"}
    alone = [name for name in images if name not in masks]
    if alone and masks:
        findings.notes.append(f"Images without a mask of their name: {len(alone)} ({alone[0]} for one).")
    nameless = [name for name in images if not _NUMBER.search(name)]
    if nameless:
        findings.notes.append(
            f"Images whose names end in no number, which says whose they are: {len(nameless)} ({nameless[0]} for one). "
            "--variant by-image takes them."
        )


def published_split(root: str | Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the training and the validation images, of `splits/train.txt` and `splits/val.txt` below `root`.

    They are subjects of variant by-image. Both sides share subjects: it is a split of images, for comparison with what
    was published by it. Raises `InputError` where a list is missing or empty, or a name is listed twice.
    """
    sides = tuple(_names(Path(root, "splits", name)) for name in ("train.txt", "val.txt"))
    twice = [name for name, times in Counter((*sides[0], *sides[1])).items() if times > 1]
    if twice:
        raise InputError(f"{Path(root, 'splits')} lists image {twice[0]} twice. Remove one of its lines.")
    return sides


def _names(path: Path) -> tuple[str, ...]:
    """The names in a list, one a line, without suffix."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read; a list of image names is expected. Check the folder.") from error
    if not lines:
        raise InputError(f"{path} lists no image. Write one name a line.")
    return tuple(name.removesuffix(".png") for name in lines)


def _part_of(path: Path) -> tuple[Path, str, str] | None:
    """The column and rater of a picture, by the name of its folder; None where that says nothing."""
    folder = path.absolute().parent.name
    if _IMAGES.match(folder):
        return path, "oct", "1"
    if match := _MASKS.match(folder):
        return path, "mask", match["rater"] or "1"
    return None


def _check_pairs(pictures: list[tuple[Path, str, str]]) -> None:
    """Raise `InputError` where there are images and masks, and not one of equal name."""
    images = [path for path, column, _ in pictures if column == "oct"]
    masks = [path for path, column, _ in pictures if column == "mask"]
    if images and masks and not {path.stem for path in images}.intersection(path.stem for path in masks):
        raise InputError(
            f"No mask has the name of an image: {masks[0]} against {images[0]}, for one. Name masks as their images."
        )


def _add_picture(findings: Findings, path: Path, column: str, rater: str) -> None:
    """Add a picture to both variants, to that by subject where its number says whose it is."""
    number = _NUMBER.search(path.stem)
    if number:
        subject = f"Subject_{int(number[1]) // A_SUBJECT + 1:02d}"
        findings.files.append(Found(path, column, subject, path.stem, rater, (BY_SUBJECT,)))
    findings.files.append(Found(path, column, path.stem, "", rater, (BY_IMAGE,)))


def _add_original(findings: Findings, path: Path) -> None:
    """Add the B-scans of a subject's file that an expert looked at, with the masks of each."""
    if not _SUBJECT.fullmatch(path.stem):
        findings.left_out.append(LeftOut(path, "its name is not of the form Subject_01.mat"))
        return
    fluids = _fluid_arrays(path)
    drawn = {name: annotated_sections(path, name) for name in fluids}
    subject = path.stem
    for number in range(arrays_of(path)[IMAGES][2]):
        readers = [name for name in fluids if number in drawn[name]]
        image = path.with_name(f"{path.name}#{number}")
        if not readers:
            findings.left_out.append(LeftOut(image, "no expert annotated it"))
            continue
        session = f"bscan_{number:02d}"
        findings.files.append(Found(image, "oct", subject, session, variants=(ORIGINAL,)))
        for name in readers:
            mask = path.with_name(f"{path.name}#{name}:{number}")
            findings.files.append(Found(mask, "mask", subject, session, fluids[name], (ORIGINAL,)))


def _fluid_arrays(path: Path) -> dict[str, str]:
    """The arrays of a subject's file that hold masks, and whose; raises `InputError` where it is not as published."""
    arrays = arrays_of(path)
    fluids = {name: match["rater"] for name in sorted(arrays) if (match := _FLUID.fullmatch(name))}
    if IMAGES not in arrays or not fluids:
        have = ", ".join(sorted(arrays)) or "nothing"
        raise InputError(f"{path} has {have}; {IMAGES} and manualFluid1 are expected. Download it again.")
    for name in (IMAGES, *fluids):
        if len(arrays[name]) != 3 or arrays[name] != arrays[IMAGES]:
            raise InputError(
                f"{path}: {name} has shape {arrays[name]}, {IMAGES} {arrays[IMAGES]}. Both must have one, of rows, "
                "columns and B-scans: download it again."
            )
    return fluids


OCT_DME = Layout(
    find_oct_dme,
    example="image_png_256_gray/img_0.png with fluid_png_256_binary/img_0.png, or Subject_01.mat",
    variants=(BY_SUBJECT, BY_IMAGE, ORIGINAL),
    warnings={
        BY_IMAGE: "Every image counts as a subject: images of one eye may stand on two sides of a split. That is for "
        "comparison with what was published so; choose --variant by-subject for a score to trust."
    },
)
