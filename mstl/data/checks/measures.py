"""What the doctor measures of a case: every file is read once, and only small numbers are kept."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from mstl.data.case import MODALITIES, Case
from mstl.data.checks.coarse import shrink
from mstl.data.checks.finding import Finding
from mstl.data.checks.foreground import Foreground, find_foreground
from mstl.data.checks.head import head_signals
from mstl.data.checks.pose import Fit, fit_mask
from mstl.data.checks.reading import file_finding, header_findings, possible_grids
from mstl.data.formats.pictures import is_picture
from mstl.data.grid import Grid, resample
from mstl.data.labels import proposed_labels
from mstl.data.volume import Volume, read_volume, without_white
from mstl.errors import InputError

SPECK_VOXELS = 3  # a lesion of fewer voxels is a speck
CUT = 0.5  # of the foreground's largest section: where the array ends in more, the brain is cut off
_VALUES = 100_000  # of a scan, looked at for how many differ
_SHOWN_VALUES = 6


@dataclass(frozen=True, eq=False)
class ScanMeasures:
    """A scan in a few numbers.

    extent_mm, centre_mm: of the foreground's box, towards R, A, S. cut: sides where the array ends within the
    foreground, such as "S". levels: how many values differ in a sample of the foreground. clipped: share of the
    foreground at the highest value; negative: share below 0. coarse: see `coarse.shrink`. head_signals: see
    `head.head_signals`, of scans with skull.
    """

    path: Path
    grid: Grid
    sha256: str
    extracted: bool
    foreground_ml: float
    extent_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float]
    cut: str
    low: float
    high: float
    negative: float
    levels: int
    clipped: float
    coarse: np.ndarray | None
    head_signals: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class MaskMeasures:
    """A mask in a few numbers.

    values: some of those that differ, from the lowest to the highest; kind: "binary", "scaled" (0 and one other),
    "soft" (within 0 to 1), "labels" (several whole numbers) or "other"; labels: voxels of each label, where the values
    can be labels. outside: share of lesion that lies on no foreground of the scan. twins: modalities on its grid. fit:
    how it fits its twins; stored_fit: how its array would fit the scan of equal shape whose affine is another one, and
    resampled_fit where its own affine is believed. Of a brain mask overlaps say the same two: its Dice with the
    foreground of the first scan.
    """

    path: Path
    grid: Grid
    kind: str
    values: tuple[float, ...]
    voxels: int
    ml: float
    lesions: int
    specks: int
    outside: float | None
    twins: tuple[str, ...]
    fit: Fit | None = None
    stored_fit: Fit | None = None
    resampled_fit: Fit | None = None
    overlaps: tuple[float, float] | None = None
    labels: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CaseMeasures:
    """All that is known of a case once its files were read; `findings` are on files that could not be.

    unread: modalities that could not be read, with the grids that they may lie on, () where that is unknown.
    """

    name: str
    subject: str
    session: str
    scans: Mapping[str, ScanMeasures] = field(default_factory=dict)
    mask: MaskMeasures | None = None
    brain_mask: MaskMeasures | None = None
    findings: tuple[Finding, ...] = ()
    unread: Mapping[str, tuple[Grid, ...]] = field(default_factory=dict)


def measure_case(case: Case) -> CaseMeasures:
    """Read every file of a case once; what cannot be read becomes a finding, nothing is raised."""
    volumes, failures = _read_files(case)
    grids = [volume.grid for volume in volumes.values()]
    findings = [
        file_finding(case.name, role, case.files[role], message, grids=grids) for role, message in failures.items()
    ]
    findings += [one for role in volumes for one in header_findings(case.name, role, case.files[role])]
    scans = {role: (volume, find_foreground(volume)) for role, volume in volumes.items() if role in MODALITIES}
    heads = {role: scan for role, scan in scans.items() if not is_picture(case.images[role])}
    return CaseMeasures(
        case.name,
        case.subject,
        case.session,
        {role: _measure_scan(*scan) for role, scan in scans.items()},
        _measure_mask(volumes["mask"], heads) if "mask" in volumes else None,
        _measure_mask(volumes["brain_mask"], heads, poses=False) if "brain_mask" in volumes else None,
        tuple(findings),
        {role: possible_grids(case.files[role]) for role in failures if role in MODALITIES},
    )


def _read_files(case: Case) -> tuple[dict[str, Volume], dict[str, str]]:
    """The volumes of a case by role, and of those that cannot be read why."""
    volumes, failures = {}, {}
    for role, path in case.files.items():
        try:
            volume = read_volume(path, allow_constant=role not in MODALITIES)
            volumes[role] = volume if role in MODALITIES else without_white(volume)
        except InputError as error:
            failures[role] = str(error)
    return volumes, failures


def _measure_scan(volume: Volume, foreground: Foreground) -> ScanMeasures:
    thinned = volume.data[tuple(slice(None, None, step) for step in foreground.stride)]
    values = thinned[foreground.inside]
    high = volume.data.max()
    sample = values[:: max(len(values) // _VALUES, 1)]
    extent, centre, cut = _extent(foreground, volume.grid)
    return ScanMeasures(
        path=volume.path,
        grid=volume.grid,
        sha256=voxel_hash(volume.data),
        extracted=foreground.extracted,
        foreground_ml=foreground.ml,
        extent_mm=extent,
        centre_mm=centre,
        cut=cut,
        low=float(volume.data.min()),
        high=float(high),
        negative=float(np.mean(values < 0)) if len(values) else 0.0,
        levels=len(np.unique(sample)),
        clipped=float(np.mean(values == high)) if len(values) else 0.0,
        coarse=shrink(volume, foreground),
        head_signals=None if foreground.extracted else head_signals(volume, foreground),
    )


def voxel_hash(data: np.ndarray) -> str:
    """SHA-256 of the voxels in the order i, j, k fastest first, and of their shape and type."""
    digest = hashlib.sha256(f"{data.shape} {data.dtype.str}".encode())
    digest.update(data.ravel(order="F"))
    return digest.hexdigest()


def _extent(foreground: Foreground, grid: Grid) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """Lengths and centre of the foreground's box in mm towards R, A, S; the sides where the array ends within it."""
    inside, stride = foreground.inside, np.array(foreground.stride)
    lengths, middle, faces = [0.0, 0.0, 0.0], np.zeros(3), ""
    for axis, (world, sense) in enumerate(nib.io_orientation(grid.affine)):
        area = inside.sum(axis=tuple(other for other in range(3) if other != axis))
        found = np.flatnonzero(area)
        if len(found):
            lengths[int(world)] = float((found[-1] - found[0] + 1) * stride[axis] * grid.spacing[axis])
            middle[axis] = (found[0] + found[-1]) / 2 * stride[axis]
            ends = ("LR", "PA", "IS")[int(world)][:: int(sense)]
            faces += "".join(end for end, side in zip(ends, (0, -1), strict=True) if area[side] > CUT * area.max())
    centre = grid.affine[:3, :3] @ middle + grid.affine[:3, 3]
    return tuple(lengths), tuple(float(place) for place in centre), faces


def _measure_mask(
    volume: Volume, scans: Mapping[str, tuple[Volume, Foreground]], *, poses: bool = True
) -> MaskMeasures:
    kind, values = mask_kind(volume.data)
    cut = 0.5 if kind != "scaled" else max(values) / 2
    mask = (volume.data >= cut).view(np.uint8)
    twins = {name: scan for name, scan in scans.items() if volume.grid.difference(scan[0].grid) is None}
    voxels = int(np.count_nonzero(mask))
    lesions, specks = _count_lesions(mask) if poses else (1, 0)
    places = np.flatnonzero(mask.ravel(order="F"))  # in the order of memory, which is far quicker
    outside = [_outside(places, *scan) for scan in twins.values()] if voxels else []
    measures = {
        "path": volume.path, "grid": volume.grid, "kind": kind, "values": values, "voxels": voxels,
        "ml": voxels * volume.grid.voxel_ml, "lesions": lesions,
        "specks": specks, "outside": min(outside, default=None), "twins": tuple(twins),
        "labels": _count_labels(volume.data, kind),
    }  # fmt: skip
    if poses and twins:
        measures["fit"] = fit_mask(mask, twins)
    elif poses and scans:
        measures["stored_fit"], measures["resampled_fit"] = _fits_of_stranger(mask, volume.grid, scans)
    elif scans and not twins:
        measures["overlaps"] = _overlaps_of_stranger(mask, volume.grid, *next(iter(scans.values())))
    return MaskMeasures(**measures)


def mask_kind(data: np.ndarray) -> tuple[str, tuple[float, ...]]:
    """What kind of mask an array is by its values, and some of them."""
    rest = data[(data != 0) & (data != 1)]
    common = [value for value in (0.0, 1.0) if np.any(data == value)]
    values = np.union1d(common, np.unique(rest))
    spread = np.linspace(0, len(values) - 1, min(len(values), _SHOWN_VALUES)).round().astype(int)
    shown = tuple(float(value) for value in values[spread])
    if not rest.size:
        return "binary", shown
    if len(values) <= 2 and values[0] == 0:
        return ("soft" if values[-1] < 1 else "scaled"), shown
    if proposed_labels(values.tolist()):
        return "labels", shown
    return ("soft" if values[0] >= 0 and values[-1] <= 1 else "other"), shown


def _count_labels(data: np.ndarray, kind: str) -> dict[int, int]:
    """Voxels of every value of a mask but 0; none where a value can be no label."""
    if kind in ("soft", "other"):
        return {}
    values, counts = np.unique(data[data != 0], return_counts=True)
    possible = bool(proposed_labels(values.tolist()))
    return dict(zip(map(int, values), map(int, counts), strict=True)) if possible else {}


def _count_lesions(mask: np.ndarray) -> tuple[int, int]:
    """Connected components (26 neighbours), and how many of them are specks."""
    box = ndimage.find_objects(mask)
    if not box or box[0] is None:
        return 0, 0
    labels, count = ndimage.label(mask[box[0]], structure=np.ones((3, 3, 3)))
    return count, int(np.count_nonzero(np.bincount(labels.ravel(order="K"))[1:] < SPECK_VOXELS))


def _outside(places: np.ndarray, scan: Volume, foreground: Foreground) -> float:
    """Share of a mask's voxels, flat indices with the first axis fastest, that lie on background."""
    values = scan.data.ravel(order="F")[places].astype(np.float32)
    return float(np.mean(np.abs(values - foreground.background) <= foreground.threshold))


def _fits_of_stranger(
    mask: np.ndarray, grid: Grid, scans: Mapping[str, tuple[Volume, Foreground]]
) -> tuple[Fit | None, Fit | None]:
    """How a mask on the grid of no scan fits the first one: its array as stored, and resampled."""
    first = next(iter(scans.values()))[0]
    same = {name: scan for name, scan in scans.items() if first.grid.difference(scan[0].grid) is None}
    stored = fit_mask(mask, same) if mask.shape == first.shape else None
    return stored, fit_mask(resample(mask, grid, first.grid, nearest=True), same)


def _overlaps_of_stranger(brain: np.ndarray, grid: Grid, scan: Volume, foreground: Foreground) -> tuple[float, float]:
    """Dice of a brain mask on another grid with the foreground of a scan: its array as stored, and resampled."""
    stored = _dice(brain, foreground) if brain.shape == scan.shape else 0.0
    return stored, _dice(resample(brain, grid, scan.grid, nearest=True), foreground)


def _dice(mask: np.ndarray, foreground: Foreground) -> float:
    thinned = mask[tuple(slice(None, None, step) for step in foreground.stride)] > 0
    both = np.count_nonzero(thinned & foreground.inside)
    return float(2 * both / max(np.count_nonzero(thinned) + np.count_nonzero(foreground.inside), 1))
