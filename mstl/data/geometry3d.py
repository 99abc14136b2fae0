"""Random geometry of volumes: mirrored along an axis; turned, scaled and bent in one resampling."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from mstl.data._albumentations import A
from mstl.data.smooth_field import control_points
from mstl.data.warp import Triple, Warp
from mstl.errors import InputError


class FlipAxis(A.Transform3D):
    """Mirror a volume along one axis: 0 is D, 1 is H, 2 is W (left and right of a prepared case)."""

    class InitSchema(A.Transform3D.InitSchema):
        """The axis is checked where it is given."""

        axis: Any

    def __init__(self, axis: int = 2, p: float = 0.5) -> None:
        super().__init__(p=p)
        if axis not in (0, 1, 2):
            raise InputError(f"axis is {axis}, expected 0, 1 or 2. Choose one.")
        self.axis = axis

    def apply_to_volume(self, volume: np.ndarray, **params: Any) -> np.ndarray:
        """Mirror `(D, H, W)` or `(D, H, W, C)`."""
        return np.flip(volume, self.axis)


class Deform(A.Transform3D):
    """Turn, scale and bend a volume `(D, H, W, C)` and its mask `(D, H, W)`, each with probability `each`.

    Angles about the three axes are within `degrees`, `scale` is a range (above 1 enlarges), drawn on a logarithmic
    scale. A smooth displacement is drawn at control points, `CELLS` intervals along each side: up to `elastic` of an
    interval along each axis; below 1/6 nothing can fold. `spacing` (D, H, W) in mm makes turns right where voxels are
    no cubes. All is one interpolation, linear for images, nearest neighbour for masks; what enters from beyond the
    volume is 0. With `crop` only that many voxels in the middle are kept.

    Raises `InputError` for numbers out of range.
    """

    CELLS = 4

    class InitSchema(A.Transform3D.InitSchema):
        """What is given is checked by the constructor."""

        degrees: Any
        scale: Any
        elastic: Any
        each: Any
        spacing: Any
        crop: Any

    def __init__(
        self,
        degrees: float = 10.0,
        scale: tuple[float, float] = (0.85, 1.2),
        elastic: float = 0.15,
        each: float = 0.5,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        crop: Sequence[int] | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.degrees, self.scale, self.elastic, self.each = degrees, tuple(scale), elastic, each
        self.spacing = tuple(float(side) for side in spacing)
        self.crop = None if crop is None else tuple(int(side) for side in crop)
        if degrees < 0 or not 0 < self.scale[0] <= self.scale[1] or elastic < 0 or not 0 <= each <= 1:
            raise InputError(
                f"degrees is {degrees}, scale {scale}, elastic {elastic}, each {each}; expected at least 0, a rising "
                "range above 0, at least 0, and a probability. Give such numbers."
            )

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw once a call; `warp` is None where nothing is to be done."""
        shape = data["volume"].shape[:3]
        sides = self.crop or shape
        random = self.random_generator
        turned, scaled, bent = random.random(3) < self.each
        angles = random.uniform(-self.degrees, self.degrees, 3) * turned
        logs = np.log(self.scale)
        matrix = self._matrix(angles, float(np.exp(random.uniform(*logs) * scaled)))
        control = random.uniform(-1, 1, (*3 * (control_points(self.CELLS),), 3)) * self._amplitude(sides)
        bend = np.moveaxis(control @ matrix.T, -1, 0) if bent else None
        warp = Warp(matrix, bend, shape, sides) if turned or scaled or bent else None
        return {"warp": warp, "sides": sides}

    def _matrix(self, angles: Sequence[float], zoom: float) -> np.ndarray:
        """Offsets in voxels of the result to offsets in voxels of the volume."""
        spacing = np.array(self.spacing)
        return Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing / spacing[:, None] / zoom

    def _amplitude(self, sides: Sequence[int]) -> np.ndarray:
        """How far a voxel is bent at most, in voxels along each axis."""
        return self.elastic * np.array(sides, float) / self.CELLS

    def border(self, sides: Sequence[int]) -> Triple:
        """How many voxels beyond a patch of `sides` this may reach into on each side, whatever is drawn."""
        half = (np.array(sides, float) - 1) / 2
        corners = product((-self.degrees, 0, self.degrees), repeat=3)
        matrices = [self._matrix(angles, min(1, self.scale[0])) for angles in corners]
        reach = np.max([np.abs(matrix) @ (half + self._amplitude(sides)) for matrix in matrices], axis=0)
        return tuple(np.ceil(reach - half).astype(int).tolist())

    def apply_to_volume(self, volume: np.ndarray, warp: Warp | None, sides: Triple, **params: Any) -> np.ndarray:
        """The drawn view of `(D, H, W, C)`."""
        return centre_of(volume, sides) if warp is None else warp.linear(volume)

    def apply_to_mask3d(self, mask3d: np.ndarray, warp: Warp | None, sides: Triple, **params: Any) -> np.ndarray:
        """The same view of `(D, H, W)`."""
        return centre_of(mask3d, sides) if warp is None else warp.nearest(mask3d)


def centre_of(volume: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """The window of `sides` in the middle of a volume that is not smaller."""
    starts = [(length - side) // 2 for length, side in zip(volume.shape, sides, strict=False)]
    return volume[tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))]
