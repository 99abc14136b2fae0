"""Scanner profiles of synthetic scans: geometry, contrast, noise."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import HEAD_CENTRE
from mstl.errors import InputError

SKULL = "-skull"  # behind a profile's name: with the head around the brain


class Contrast(NamedTuple):
    """Signal of each tissue relative to white matter; `lesion` at its usual strength, inside white matter."""

    grey: float
    deep_grey: float
    csf: float
    lesion: float


# Medians of two 3 T cases of MS, tissues told apart by a mixture model (Lesjak et al. 2017,
# 10.1007/s12021-017-9348-7).
THREE_TESLA: Mapping[str, Contrast] = MappingProxyType({
    "flair": Contrast(1.19, 1.02, 0.25, 1.45),
    "t1": Contrast(0.73, 0.87, 0.13, 0.72),
    "t1ce": Contrast(0.77, 0.88, 0.22, 0.75),
    "t2": Contrast(1.42, 1.08, 3.1, 1.85),
})
# Low field: short T1 leaves less contrast between grey and white, FLAIR's fluid is darkened less well.
LOW_FIELD: Mapping[str, Contrast] = MappingProxyType({
    "flair": Contrast(1.10, 1.03, 0.42, 1.35),
    "t1": Contrast(0.82, 0.91, 0.30, 0.80),
    "t1ce": Contrast(0.84, 0.92, 0.36, 0.82),
    "t2": Contrast(1.28, 1.08, 2.3, 1.55),
})


@dataclass(frozen=True)
class Scanner:
    """A protocol: voxels of `spacing` mm along `axes` (nibabel's letters) over `field_of_view` mm.

    They are turned by `rotation` degrees about x, y, z; `noise` and `bias` are relative to white matter.
    `skull` leaves the head around the brain; without it scans are brain-extracted.
    """

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    axes: str = "RAS"
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    field_of_view: tuple[float, float, float] = (180.0, 216.0, 180.0)
    noise: float = 0.035
    bias: float = 0.05
    contrasts: Mapping[str, Contrast] = field(default_factory=lambda: THREE_TESLA)
    skull: bool = False

    def grid(self) -> Grid:
        """The lattice of the scan, centred on the head."""
        shape = tuple(round(mm / step) for mm, step in zip(self.field_of_view, self.spacing, strict=True))
        flips = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(self.axes), shape)[:3, :3]
        turn = Rotation.from_euler("xyz", self.rotation, degrees=True).as_matrix()
        affine = np.eye(4)
        affine[:3, :3] = turn @ flips @ np.diag(self.spacing)
        affine[:3, 3] = HEAD_CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        return Grid(shape, affine)

    @property
    def sections(self) -> tuple[int, int, int]:
        """Thinner sections that a voxel is averaged from, by axis: at most 1 mm each in thick slices."""
        thinnest = min(self.spacing)
        return tuple(int(np.ceil(step - 1e-6)) if step > 1.2 * thinnest else 1 for step in self.spacing)


@dataclass(frozen=True)
class RawScanner:
    """A clinical session: `scanner` with changes for each modality, made on a lattice of `world` mm.

    Between two scans the patient turns by about `turn` degrees about each axis and moves by `shift` mm
    (standard deviations).
    """

    scanner: Scanner
    world: float = 1.0
    turn: float = 1.5
    shift: float = 2.0


SCANNERS: Mapping[str, Scanner] = MappingProxyType({
    "research": Scanner(),
    "clinical-thick": Scanner((1.0, 1.0, 3.0), "LPS", field_of_view=(180.0, 216.0, 174.0), noise=0.03),
    "oblique": Scanner((1.0, 1.0, 1.5), "LPS", (-12.0, 2.0, 3.0), (184.0, 220.0, 192.0)),
    "low-field": Scanner(
        (1.5, 1.5, 2.0), "LAS", noise=0.07, bias=0.10, contrasts=LOW_FIELD
    ),
    "quick": Scanner((2.0, 2.0, 2.0), noise=0.03),
})

RAW_SCANNERS: Mapping[str, RawScanner] = MappingProxyType({
    "clinical-raw": RawScanner(
        Scanner((0.9, 0.9, 5.5), "LAS", (-8.0, 0.0, 0.0), (190.0, 230.0, 154.0), bias=0.2, skull=True)
    ),
    "quick-raw": RawScanner(
        Scanner((2.0, 2.0, 6.0), "LAS", (-8.0, 0.0, 0.0), (190.0, 230.0, 156.0), bias=0.2, skull=True), world=2.0
    ),
})


def with_skull(name: str) -> str:
    """The name under which a scanner leaves the head around the brain; a raw one does so under its own."""
    return name if name in RAW_SCANNERS or name.endswith(SKULL) else name + SKULL


def find_scanner(name: str) -> Scanner | RawScanner:
    """A profile of `SCANNERS` or `RAW_SCANNERS` by name; one of the first may have "-skull" behind it.

    Raises `InputError` that lists the names.
    """
    if name in RAW_SCANNERS:
        return RAW_SCANNERS[name]
    plain = name.removesuffix(SKULL)
    if plain not in SCANNERS:
        raise InputError(
            f"Scanner {name!r} is not known. Choose one of {', '.join(SCANNERS)}, "
            f"one of these with {SKULL} behind it, or {' or '.join(RAW_SCANNERS)}."
        )
    return replace(SCANNERS[plain], skull=True) if name != plain else SCANNERS[plain]
