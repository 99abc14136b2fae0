"""An interactive viewer of one case: its probability over its scan in three planes, without network."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy import ndimage

from mstl.data.grid import Grid, resample
from mstl.errors import InputError
from mstl.reporting.slices import foreground, shaded

_PARAMETERS = re.compile(r"brainsprite\((\{.*?\})\);")
_STYLE = (
    "<style>html,body{margin:0;background:#000;color:#c9ced6;font:13px system-ui,sans-serif;overflow:hidden}"
    "canvas{display:block}div>div{padding:2px 12px}p{margin:0}</style>"
)


@dataclass(frozen=True)
class Viewer:
    """A complete HTML document, and the width of its picture divided by its height."""

    html: str
    aspect: float


def probability_viewer(
    image: np.ndarray, probability: np.ndarray, *, grid: Grid, voxel_mm: float = 2.0
) -> Viewer:
    """Document that shows `probability` (0 to 1) over `image`, both on `grid`, resampled to `voxel_mm`.

    Patient right is on the left (radiological), as on the overlay sheets. The document holds its scripts and
    pictures itself. Built with `nilearn.plotting.view_img` (brainsprite); raises `InputError` where the
    installed nilearn writes its viewer in a way that cannot be read.
    """
    from nilearn.plotting import view_img

    target = _upright(grid, foreground(image), voxel_mm)
    scan = resample(shaded(image), grid, target)
    chance = resample(np.asarray(probability, dtype=np.float32), grid, target)
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0]) @ target.affine  # nilearn shows ascending x: here, towards left
    focus = np.unravel_index(ndimage.uniform_filter(chance, 5).argmax(), chance.shape)
    view = view_img(
        nib.Nifti1Image(chance, mirrored), bg_img=nib.Nifti1Image(scan, mirrored),
        cut_coords=tuple((mirrored @ [*focus, 1])[:3]), threshold=0.05, vmin=0, vmax=1, symmetric_cmap=False,
        cmap="inferno", black_bg=True, resampling_interpolation="nearest", dim=0,
    )
    x, y, z = target.shape
    return Viewer(_self_contained(view.html), (2 * x + y) / (1.1 * max(y, z)))


def _upright(grid: Grid, tissue: np.ndarray, voxel_mm: float) -> Grid:
    """Grid along the world's axes around the tissue; its first axis runs from right to left."""
    corners = np.argwhere(tissue[::3, ::3, ::3]) * 3
    world = (grid.affine @ np.c_[corners, np.ones(len(corners))].T)[:3]
    low, high = world.min(axis=1) - 4, world.max(axis=1) + 4
    affine = np.diag([-voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = high[0], low[1], low[2]
    return Grid(tuple(int(side) for side in np.ceil((high - low) / voxel_mm)), affine)


def _self_contained(html: str) -> str:
    """Without the link to a favicon on the network; labels and coordinates for a picture mirrored in x."""
    found = _PARAMETERS.search(html)
    if found is None:
        raise InputError("The viewer of this nilearn cannot be adapted. Install nilearn 0.12 or a later one.")
    parameters = json.loads(found[1])
    parameters |= {"radiological": True, "smooth": True, "colorCrosshair": "#56b4e9", "sizeFont": 0.05}
    parameters["affine"][0] = [-value for value in parameters["affine"][0]]
    html = html[: found.start(1)] + json.dumps(parameters) + html[found.end(1):]
    return re.sub(r"<link\b[^>]*>", "", html).replace("</head>", _STYLE + "</head>", 1)
