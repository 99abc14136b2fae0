"""Bad input: each of the doctor's findings, planted in a cohort of synthetic cases on disk."""
from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from mstl.data.case import Case
from mstl.data.phantom import make_phantom
from mstl.data.volume import read_volume, write_volume

MODALITIES = ("flair", "t1", "t2")


@dataclass(frozen=True)
class Fault:
    """What is planted in a case, and the finding that it must lead to.

    `plant(case, other)` changes the files of `case`, or returns another case of them; `other` is a sound one.
    """

    plant: Callable[[Case, Case], Case | None]
    rule: str
    level: str = "error"
    role: str = "mask"
    fixable: bool = False


def write_case(
    folder: Path,
    subject: str,
    *,
    seed: int,
    scanner: str = "quick",
    randomise: float = 0.0,
    lesion_ml: float | None = 8.0,
    suffix: str = ".nii.gz",
) -> Case:
    """A sound case of three modalities with its masks; arguments as of `make_phantom`."""
    phantom = make_phantom(
        seed=seed, scanner=scanner, randomise=randomise, modalities=MODALITIES, lesion_ml=lesion_ml
    )
    volumes = {**phantom.images, "mask": phantom.mask, "brain_mask": phantom.brain_mask}
    files = {role: folder / subject / f"{role}{suffix}" for role in volumes}
    for role, volume in volumes.items():
        write_volume(files[role], volume.data, volume.affine)
    return Case.of_files(files, subject=subject)


def copy_case(case: Case, folder: Path, subject: str = "") -> Case:
    """The case with its files copied below `folder`."""
    subject = subject or case.subject
    files = {role: folder / subject / path.name for role, path in case.files.items()}
    for role, path in case.files.items():
        files[role].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, files[role])
    return Case.of_files(files, subject=subject, session=case.session)


def voxels(role: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable:
    """Plant a change of a file's voxels, its affine kept."""

    def plant(case: Case, other: Case) -> None:
        volume = read_volume(case.files[role], allow_constant=True)
        write_volume(case.files[role], change(np.array(volume.data)), volume.affine)

    return plant


def image(role: str, change: Callable[[nib.Nifti1Image], nib.Nifti1Image]) -> Callable:
    """Plant a change of a file's voxels and header."""

    def plant(case: Case, other: Case) -> None:
        path = case.files[role]
        loaded = nib.load(path)
        held = nib.Nifti1Image(np.array(loaded.dataobj), loaded.affine, loaded.header)
        nib.save(change(held), path)

    return plant


def affines(change: Callable[[np.ndarray], np.ndarray]) -> Callable:
    """Plant another affine in every file."""

    def plant(case: Case, other: Case) -> None:
        for path in case.files.values():
            volume = read_volume(path, allow_constant=True)
            write_volume(path, np.array(volume.data), change(volume.affine))

    return plant


def delete(case: Case, other: Case) -> None:
    case.images["t1"].unlink()


def truncate(case: Case, other: Case) -> None:
    content = case.images["flair"].read_bytes()
    case.images["flair"].write_bytes(content[: len(content) // 2])


def into_text(case: Case, other: Case) -> None:
    case.images["t2"].write_text("Sign in to download this file.")


def set_forms(qform: Callable[[np.ndarray], np.ndarray]) -> Callable:
    def change(scan: nib.Nifti1Image) -> nib.Nifti1Image:
        scan.set_qform(qform(scan.affine), code=1)
        scan.set_sform(scan.affine, code=1)
        return scan

    return change


def without_position(scan: nib.Nifti1Image) -> nib.Nifti1Image:
    for set_form in (scan.set_sform, scan.set_qform):
        set_form(scan.affine, code=0)
    return scan


def repeated(times: int) -> Callable:
    def change(scan: nib.Nifti1Image) -> nib.Nifti1Image:
        return nib.Nifti1Image(np.stack([np.asarray(scan.dataobj)] * times, axis=-1), scan.affine)

    return change


def with_nan(*, inside: bool) -> Callable:
    def change(data: np.ndarray) -> np.ndarray:
        data = data.astype(np.float32)
        if inside:
            data[tuple(side // 2 for side in data.shape)] = np.nan
        else:
            data[data == 0] = np.nan
        return data

    return change


def cropped(scan: nib.Nifti1Image) -> nib.Nifti1Image:
    return scan.slicer[2:, 1:, :]


def without_affine(scan: nib.Nifti1Image) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.asarray(scan.dataobj), np.eye(4))


def moved(role: str, mm: tuple[float, float, float]) -> Callable:
    """Plant a shift of a file's voxels by mm along the array's axes."""

    def plant(case: Case, other: Case) -> None:
        volume = read_volume(case.files[role])
        steps = np.round(np.array(mm) / volume.spacing).astype(int)
        write_volume(case.files[role], np.roll(volume.data, steps, axis=(0, 1, 2)), volume.affine)

    return plant


def soft(data: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(data.astype(np.float32), 0.7)


def labelled(data: np.ndarray) -> np.ndarray:
    parts, _ = ndimage.label(data)
    return (data * (1 + parts % 3)).astype(np.uint8)


def in_the_corner(data: np.ndarray) -> np.ndarray:
    mask = np.zeros_like(data)
    mask[1:7, 1:7, 1:7] = 1
    return mask


def with_specks(data: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    mask = np.zeros_like(data)
    mask[data > 0] = rng.random(int(data.sum())) < 0.05
    return mask


def inverted(data: np.ndarray) -> np.ndarray:
    return np.where(data > 0, data.max() + 1 - data, 0)


def clipped(data: np.ndarray) -> np.ndarray:
    return np.minimum(data, int(np.percentile(data[data > 0], 97)))


def in_8_bits(data: np.ndarray) -> np.ndarray:
    return np.rint(data * (255 / data.max())).astype(np.uint8)


def normalised(data: np.ndarray) -> np.ndarray:
    brain = data > 0
    return np.where(brain, (data - data[brain].mean()) / data[brain].std(), 0).astype(np.float32)


def exchanged(first: str, second: str) -> Callable:
    def plant(case: Case, other: Case) -> Case:
        return replace(case, images={**case.images, first: case.images[second], second: case.images[first]})

    return plant


def copied(role: str, source: str) -> Callable:
    def plant(case: Case, other: Case) -> None:
        shutil.copyfile((case if source != role else other).files[source], case.files[role])

    return plant


def all_copied(case: Case, other: Case) -> None:
    for role in MODALITIES:
        shutil.copyfile(other.files[role], case.files[role])


def saved_as(*roles: str) -> Callable:
    """Plant scans of the other case, saved with other intensities so that no voxel is equal."""

    def plant(case: Case, other: Case) -> None:
        for role in roles:
            volume = read_volume(other.files[role])
            noise = np.random.default_rng(0).normal(0, 0.5, volume.shape)
            data = (volume.data * 1.7 + noise * (volume.data > 0)).astype(np.float32)
            write_volume(case.files[role], data, volume.affine)

    return plant


def resampled(case: Case, other: Case) -> None:
    loaded = nib.load(other.files["t1"])
    data = ndimage.zoom(np.asarray(loaded.dataobj, dtype=np.float32), 0.8, order=1)
    affine = loaded.affine @ np.diag([*(np.array(loaded.shape) / data.shape), 1])
    write_volume(case.files["t1"], np.where(data < 1, 0, data), affine)


def with_skull(case: Case, other: Case) -> Case:
    rng = np.random.default_rng(0)
    for path in case.images.values():
        volume = read_volume(path)
        bright = float(np.percentile(volume.data[volume.data > 0], 50))
        head = ndimage.binary_dilation(volume.data > 0, iterations=round(12 / max(volume.spacing)))
        shell = head & (volume.data == 0)
        data = volume.data + shell * rng.normal(bright, bright / 5, volume.shape)
        data = np.abs(data + rng.normal(0, bright / 40, volume.shape))
        write_volume(path, np.rint(data).astype(np.int16), volume.affine)
    return replace(case, brain_mask=None)


def without_top(case: Case, other: Case) -> None:
    for path in case.files.values():
        loaded = nib.load(path)
        axis = int(np.flatnonzero(nib.io_orientation(loaded.affine)[:, 0] == 2)[0])
        towards = nib.io_orientation(loaded.affine)[axis, 1] > 0
        half = loaded.shape[axis] * 11 // 20
        index = [slice(None)] * 3
        index[axis] = slice(None, half) if towards else slice(-half, None)
        kept = loaded.slicer[tuple(index)]
        nib.save(nib.Nifti1Image(np.array(kept.dataobj), kept.affine), path)


def turned(degrees: float) -> Callable:
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return lambda affine: turn @ affine


def scaled(*factors: float) -> Callable:
    return lambda affine: affine @ np.diag([*factors, 1.0])


FAULTS: dict[str, Fault] = {
    "a missing file": Fault(delete, "missing", role="t1"),
    "a truncated file": Fault(truncate, "unreadable", role="flair"),
    "a text file": Fault(into_text, "unreadable", role="t2"),
    "several volumes": Fault(image("t1", repeated(2)), "four-d", role="t1"),
    "one volume in 4D": Fault(image("t1", repeated(1)), "one-volume", "note", "t1", fixable=True),
    "no position": Fault(image("t1", without_position), "no-position", "warning", "t1"),
    "a qform that mirrors": Fault(
        image("t1", set_forms(lambda affine: affine @ np.diag([-1, 1, 1, 1]))), "forms", role="t1", fixable=True
    ),
    "NaN in the brain": Fault(voxels("flair", with_nan(inside=True)), "nan", role="flair"),
    "NaN around the brain": Fault(voxels("flair", with_nan(inside=False)), "nan", role="flair", fixable=True),
    "one value everywhere": Fault(voxels("t2", lambda data: np.full_like(data, 7)), "constant", role="t2"),
    "a cropped scan": Fault(image("t1", cropped), "scan-grid", "warning", "t1"),
    "a cropped mask": Fault(image("mask", cropped), "mask-grid", fixable=True),
    "a mask without affine": Fault(image("mask", without_affine), "mask-grid", fixable=True),
    "a cropped brain mask": Fault(image("brain_mask", cropped), "mask-grid", role="brain_mask", fixable=True),
    "a brain mask without affine": Fault(
        image("brain_mask", without_affine), "mask-grid", role="brain_mask", fixable=True
    ),
    "a brain mask in the corner": Fault(voxels("brain_mask", in_the_corner), "brain-mask-outside", role="brain_mask"),
    "an interpolated mask": Fault(voxels("mask", soft), "soft-mask", fixable=True),
    "a mask of 0 and 255": Fault(voxels("mask", lambda data: data * 255), "scaled-mask", fixable=True),
    "a mask of labels": Fault(voxels("mask", labelled), "labels-mask", "note"),
    "a normalised mask": Fault(voxels("mask", lambda data: (data - 0.1) / 0.3), "other-mask"),
    "an empty mask": Fault(voxels("mask", np.zeros_like), "empty-mask", "warning"),
    "an empty brain mask": Fault(voxels("brain_mask", np.zeros_like), "empty-brain-mask", role="brain_mask"),
    "a brain mask as mask": Fault(copied("mask", "brain_mask"), "large-mask"),
    "an inverted mask": Fault(voxels("mask", lambda data: 1 - data), "large-mask"),
    "a mask in the corner": Fault(voxels("mask", in_the_corner), "mask-outside"),
    "specks": Fault(voxels("mask", with_specks), "specks", "warning"),
    "a mask mirrored along the first axis": Fault(voxels("mask", lambda data: data[::-1]), "mirrored-mask"),
    "a mask mirrored along the second axis": Fault(voxels("mask", lambda data: data[:, ::-1]), "mirrored-mask"),
    "a mask mirrored along the third axis": Fault(voxels("mask", lambda data: data[:, :, ::-1]), "mirrored-mask"),
    "a mask turned by half": Fault(voxels("mask", lambda data: data[::-1, ::-1]), "mirrored-mask"),
    "a shifted mask": Fault(moved("mask", (6, -6, 4)), "shifted-mask"),
    "the mask of another patient": Fault(copied("mask", "mask"), "foreign-mask", "warning"),
    "flair and t1 exchanged": Fault(exchanged("flair", "t1"), "exchanged", role="flair"),
    "t1 and t2 exchanged": Fault(exchanged("t1", "t2"), "contrast", role="t2"),
    "an inverted t2": Fault(voxels("t2", inverted), "contrast", role="t2"),
    "an inverted t1": Fault(voxels("t1", inverted), "contrast", role="t1"),
    "a mirrored scan": Fault(voxels("t1", lambda data: data[::-1]), "mirrored-scan", role="t1"),
    "a scan upside down": Fault(voxels("t2", lambda data: data[:, :, ::-1]), "mirrored-scan", role="t2"),
    "a shifted scan": Fault(moved("t2", (0, 10, 0)), "shifted-scan", "warning", "t2"),
    "another patient's t2": Fault(saved_as("t2"), "foreign-scan", "warning", "t2"),
    "a clipped scan": Fault(voxels("flair", clipped), "clipped", "warning", "flair"),
    "8 bits": Fault(voxels("t2", in_8_bits), "few-levels", "note", "t2"),
    "a normalised scan": Fault(voxels("t1", normalised), "negative", "note", "t1"),
    "a skull": Fault(with_skull, "skull", "note", ""),
    "the top cut off": Fault(without_top, "cut-off", "warning", "flair"),
    "an oblique scan": Fault(affines(turned(12)), "oblique", "note", ""),
    "thick slices": Fault(affines(scaled(1, 1, 4)), "thick-slices", "note", ""),
    "voxels too large": Fault(affines(scaled(1.5, 1.5, 1.5)), "odd-spacing", "warning", "flair"),
    "a brain too long": Fault(affines(scaled(1, 1.6, 1)), "odd-extent", "warning", "flair"),
    "micrometres": Fault(affines(scaled(0.1, 0.1, 0.1)), "size", "warning", "flair"),
    "another patient's scan": Fault(copied("t2", "t2"), "duplicate", role="t2"),
    "a patient twice": Fault(all_copied, "duplicate", role=""),
    "one scan as two modalities": Fault(copied("t1", "t2"), "duplicate", role="t2"),
    "a scan saved again": Fault(saved_as(*MODALITIES), "alike", "warning", ""),
    "a scan resampled": Fault(resampled, "alike", "warning", "t1"),
}

RAW_FAULTS: dict[str, Fault] = {  # of cases as a scanner gives them: with skull, each scan on its own grid
    "flair and t1 of heads exchanged": Fault(exchanged("flair", "t1"), "exchanged", "warning", "flair"),
    "t1 and t2 of heads exchanged": Fault(exchanged("t1", "t2"), "contrast", "warning", "t2"),
    "a raw flair of two positions": Fault(
        image("flair", set_forms(lambda affine: affine @ np.diag([-1, 1, 1, 1]))), "forms", role="flair", fixable=True
    ),
}
