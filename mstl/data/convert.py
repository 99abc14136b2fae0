"""Conversion of scans between formats: one file, or all below a folder, each voxel at its place."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np

from mstl.data.formats import WRITTEN, open_scan, suffix_of, write_scan
from mstl.data.formats.pictures import is_picture
from mstl.data.formats.scan import Scan, check_3d
from mstl.data.jobs import check_jobs
from mstl.data.selector import volume_of
from mstl.errors import InputError


@dataclass(frozen=True)
class Conversion:
    """What became of the scans below a folder: files written, files that were there already, reasons of failures."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    failed: dict[Path, str]


def convert(source: str | Path, target: str | Path) -> None:
    """Write the scan `source`, or one volume of a 4D file (`x.nii.gz#N`), in the format of `target`'s suffix.

    Corners of the grid lie where they lay within 1e-4 mm; values are equal, float64 in MGH but for float32's rounding;
    dtypes as `mstl.data.formats.write_scan` says, scaled files as float32. NaN and constant scans pass. Raises
    `InputError` where `source` cannot be read, `target` exists, or its format cannot hold dtype or grid.
    """
    target = Path(target)
    if target.exists():
        raise InputError(f"{target} exists. Remove it first, or choose another name.")
    scan = open_scan(source)
    check_3d(scan, source)
    write_scan(target, scan.values(volume_of(source)), scan.affine)


def find_scans(root: str | Path, *, without: str | Path | None = None) -> list[Path]:
    """Scans of any known format below `root`, sorted; hidden ones and those in its folder `without` are left out.

    A pair is one scan, its header's. Pictures and MATLAB files are scans where there are no others: beside volumes they
    are previews and matrices. Raises `InputError` where there is no folder, or no scan in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is no folder. Give a scan, or a folder of scans.")
    paths = _volumes_or_pictures(root)
    headers = {_stem(path) for path in paths if ".hdr" in suffix_of(path)}
    results = None if without is None else Path(without).absolute()
    if results is not None and root.absolute().is_relative_to(results):
        results = None
    scans = [path for path in paths if path.is_file() and not _left_out(path, root, headers, results)]
    if not scans:
        raise InputError(f"{root} holds no scan. Files that end in .nii.gz, .nrrd, .mha and the like are looked for.")
    return scans


def _volumes_or_pictures(root: Path) -> list[Path]:
    """Files below `root` with the suffix of a scan; pictures among them only where there is nothing else."""
    paths = [path for path in sorted(root.rglob("*")) if suffix_of(path) and volume_of(path) is None]
    return [path for path in paths if not is_picture(path)] or paths


def convert_tree(
    source: str | Path,
    target: str | Path,
    *,
    suffix: str = ".nii.gz",
    jobs: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Conversion:
    """Convert every scan below the folder `source` into `target`, in equal folders under equal names with `suffix`.

    A 4D file becomes a file a volume: `name_0`, `name_1` and so on. A file that is there already is kept, so that a
    second call takes up what is missing; one that cannot be converted is listed with its reason and stops no other.
    `jobs`: files at a time (joblib). `progress` is called with a scan's name when it is done. Raises `InputError`
    for an unknown suffix, where there is no scan, or where `target` is a file.
    """
    check_jobs(jobs)
    if suffix not in WRITTEN:
        raise InputError(f"Suffix {suffix!r} cannot be written. Choose one of {', '.join(WRITTEN)}.")
    source, target = Path(source), Path(target)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; the scans of a folder need a folder to go to. Choose another name.")
    scans = find_scans(source, without=target)
    names = {scan: _stem(target / scan.relative_to(source)) for scan in scans}
    times = Counter(names.values())
    failed = {
        scan: f"{scan} is one of {times[name]} files that would all become {name}{suffix}. Rename them."
        for scan, name in names.items()
        if times[name] > 1
    }
    tasks = [
        joblib.delayed(_convert_scan)(scan, name, suffix, failed.get(scan, "")) for scan, name in names.items()
    ]
    written, kept = [], []
    for scan, new, old, reason in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
        written += new
        kept += old
        if reason:
            failed[scan] = reason
        if progress is not None:
            progress(scan.name)
    return Conversion(tuple(sorted(written)), tuple(sorted(kept)), dict(sorted(failed.items())))


def _convert_scan(scan: Path, name: Path, suffix: str, reason: str) -> tuple[Path, list[Path], list[Path], str]:
    """The scan, what was written of it, what was there already, and why it failed ("" where it did not).

    Nothing is tried where there is a `reason` already.
    """
    written, kept = [], []
    if reason:
        return scan, written, kept, reason
    try:
        opened = open_scan(scan)
        if len(opened.shape) < 3:
            check_3d(opened, scan)
        targets = [name.with_name(f"{name.name}{suffix}")]
        if opened.volumes > 1:
            targets = [name.with_name(f"{name.name}_{number}{suffix}") for number in range(opened.volumes)]
        kept = [path for path in targets if path.exists()]
        if len(kept) < len(targets):
            for path, data in zip(targets, _volumes(opened), strict=True):
                if path not in kept:
                    write_scan(path, data, opened.affine)
                    written.append(path)
    except (InputError, OSError) as error:
        return scan, written, kept, " ".join(str(error).split())
    return scan, written, kept, ""


def _volumes(scan: Scan) -> list[np.ndarray]:
    """All volumes of a file that is read once, however it is packed."""
    data = scan.values(None).reshape(*scan.shape[:3], scan.volumes, order="F")
    return [data[..., number] for number in range(scan.volumes)]


def _left_out(path: Path, root: Path, headers: set[Path], results: Path | None) -> bool:
    """Whether a file is hidden, half of a pair whose header stands for it, or lies among the results."""
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    half = ".img" in suffix_of(path) and _stem(path) in headers
    return hidden or half or (results is not None and path.absolute().is_relative_to(results))


def _stem(path: Path) -> Path:
    """The path without the suffix of its format."""
    return path.with_name(path.name[: -len(suffix_of(path))])
