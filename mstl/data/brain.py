"""Brain extraction: where the brain is in a scan, or in several co-registered ones, and how that was found."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstl.data.brain_extracted import extracted_brain
from mstl.data.brain_network import network_brain
from mstl.data.brain_tools import TOOLS, ToolError, found_tools, run_tool
from mstl.data.grid import resample
from mstl.data.volume import Volume
from mstl.errors import InputError

EXTRACTED = "already extracted"
BUILT_IN = "built-in"
DOUBTFUL_ML = 1800.0  # few brains are larger, most heads are
HEAD_TO_BRAIN = 1.25  # a head is 1.6 times as large as its brain, or more
METHODS = ("auto", EXTRACTED, *TOOLS, BUILT_IN)


@dataclass(frozen=True, eq=False)
class BrainMask:
    """A brain mask uint8 and how it was found: "already extracted", the name of a tool, or "built-in".

    Where a tool was on the PATH but failed, `note` says which and why; else it is empty.
    """

    mask: Volume
    method: str
    note: str = ""


def extract_brain(images: Volume | Sequence[Volume], *, method: str = "auto") -> Volume:
    """The mask alone of `find_brain_mask`: uint8 0 and 1 on the grid of the (first) image."""
    return find_brain_mask(images, method=method).mask


def find_brain_mask(images: Volume | Sequence[Volume], *, method: str = "auto") -> BrainMask:
    """Find the brain in an image, or one brain in several co-registered images of one world; each its own grid.

    The mask lies on the grid of the (first) image. `method` "auto" takes the first of these that works: an image
    whose background is one value around a brain was extracted already; a tool on the PATH (`mri_synthstrip`,
    `hd-bet`, `bet`; it sees the first image only); the network that comes with mstl, which sees all of them. A
    name of `METHODS` insists on one. Raises `InputError` for another name, where no brain is found, and where
    the method that was insisted on fails.
    """
    images = (images,) if isinstance(images, Volume) else tuple(images)
    if method not in METHODS:
        raise InputError(f"Brain extraction '{method}' is unknown. Choose one of {', '.join(METHODS)}.")
    if not images:
        raise InputError("Brain extraction was given no image; at least one is expected.")
    if method == "auto":
        return _first_that_works(images)
    if method == EXTRACTED:
        mask = _extracted(images)
        if mask is None:
            name = images[0].path or "The image"
            raise InputError(f"{name} shows no extracted brain. Leave the method to 'auto'.")
    elif method == BUILT_IN:
        mask = network_brain(images)
    else:
        mask = run_tool(method, images[0])
    return BrainMask(mask, method)


def _first_that_works(images: tuple[Volume, ...]) -> BrainMask:
    mask = _extracted(images)
    if mask is not None:
        return BrainMask(mask, EXTRACTED)
    failures = []
    for tool in found_tools():
        try:
            return BrainMask(run_tool(tool, images[0]), tool, "; ".join(failures))
        except ToolError as error:
            failures.append(str(error))
    return BrainMask(network_brain(images), BUILT_IN, "; ".join(failures))


def _extracted(images: tuple[Volume, ...]) -> Volume | None:
    """The brain of the first image that was extracted already, on the grid of the first of all."""
    first = images[0]
    for image in images:
        brain = extracted_brain(image)
        if brain is not None and not _is_head(image, brain):
            data = resample(brain.view(np.uint8), image.grid, first.grid, nearest=True)
            return Volume(data, first.affine, first.path)
    return None


def _is_head(image: Volume, region: np.ndarray) -> bool:
    """Whether a region too large for most brains is a small head in air of one value: the network finds less in it."""
    found_ml = image.grid.volume_ml(region)
    if found_ml < DOUBTFUL_ML:
        return False
    return found_ml > HEAD_TO_BRAIN * image.grid.volume_ml(network_brain((image,)).data)
