"""Hide parts of an image, for a network that learns to restore them without labels.

Pure functions `(image, rng, *, ...) -> (corrupted, hidden)`: `image` is float32 `(H, W, C)`, `corrupted` a copy
with `fill` in every channel of the hidden pixels, `hidden` bool `(H, W)`. The method is that of context encoders,
Pathak et al. 2016, arXiv 1604.07379; the checkerboard of 16 pixels with fill +1 is that of the 2021 thesis work.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real

import numpy as np

from mstl.data.case import nearest
from mstl.errors import InputError

TILE, FILL, SHARE = 16, 1.0, 0.5
Corrupted = tuple[np.ndarray, np.ndarray]


def checkerboard(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    tile: int = TILE,
    phase: tuple[int, int] | None = (0, 0),
    fill: float = FILL,
) -> Corrupted:
    """Hide every other square of a checkerboard of `tile` pixels.

    At `phase` (0, 0) the square in the first corner (row 0, column 0) is hidden. A phase (down, right) shifts the
    board by so many pixels: (tile, 0) and (0, tile) hide what (0, 0) shows. None draws the phase from `rng`.
    Raises `InputError` for a tile below 1, a fill that is not finite, or an image of another rank than 3.
    """
    _check(tile=tile, fill=fill)
    height, width = _sides(image)
    down, right = rng.integers(2 * tile, size=2) if phase is None else phase
    rows, columns = (np.arange(height) - down) // tile % 2, (np.arange(width) - right) // tile % 2
    return _filled(image, rows[:, None] == columns, fill)


def blocks(
    image: np.ndarray, rng: np.random.Generator, *, tile: int = TILE, share: float = SHARE, fill: float = FILL
) -> Corrupted:
    """Hide squares of `tile` pixels at random places until at least `share` of the image is hidden.

    A square's centre is a pixel that is still visible; what reaches beyond the image is cut off. Raises
    `InputError` as `checkerboard` does, and for a share that is not between 0 and 1.
    """
    _check(tile=tile, share=share, fill=fill)
    return _filled(image, _squares(np.ones(_sides(image), bool), rng, tile, share), fill)


def brain_blocks(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    tile: int = TILE,
    share: float = SHARE,
    fill: float = FILL,
    background: float = 0.0,
) -> Corrupted:
    """Hide squares of `tile` pixels centred in the brain until at least `share` of the brain is hidden.

    The brain is where any channel differs from `background`; where there is none nothing is hidden. Raises
    `InputError` as `blocks` does.
    """
    _check(tile=tile, share=share, fill=fill)
    _sides(image)
    return _filled(image, _squares((image != background).any(axis=-1), rng, tile, share), fill)


def _squares(area: np.ndarray, rng: np.random.Generator, tile: int, share: float) -> np.ndarray:
    """Squares with visible pixels of `area` as centres, until `share` of it lies in them: bool `(H, W)`."""
    hidden = np.zeros(area.shape, bool)
    centres = rng.permutation(np.flatnonzero(area))
    wanted = share * len(centres)
    count = 0
    for centre in centres:
        if count >= wanted:
            break
        row, column = divmod(int(centre), area.shape[1])
        if hidden[row, column]:
            continue
        top, left = row - tile // 2, column - tile // 2
        square = slice(max(0, top), top + tile), slice(max(0, left), left + tile)
        count += np.count_nonzero(area[square] & ~hidden[square])
        hidden[square] = True
    return hidden


def _filled(image: np.ndarray, hidden: np.ndarray, fill: float) -> Corrupted:
    corrupted = np.array(image, np.float32)
    np.copyto(corrupted, np.float32(fill), where=hidden[..., None])
    return corrupted, hidden


def _sides(image: np.ndarray) -> tuple[int, int]:
    if np.ndim(image) != 3:
        raise InputError(f"Image has shape {np.shape(image)}, expected (H, W, C). Give one slice with its channels.")
    return image.shape[:2]


def _check(*, tile: int, fill: float, share: float = SHARE) -> None:
    if not isinstance(tile, Integral) or tile < 1:
        raise InputError(f"tile is {tile}, expected whole pixels, at least 1. Give such a tile.")
    if not isinstance(share, Real) or not 0 < share < 1:
        raise InputError(f"share is {share}, expected a number between 0 and 1. Give the part to hide.")
    if not isinstance(fill, Real) or not isfinite(fill):
        raise InputError(f"fill is {fill}, expected a finite number. Give the value of hidden pixels.")


KINDS: dict[str, Callable[..., Corrupted]] = {
    "checkerboard": checkerboard,
    "random-checkerboard": checkerboard,
    "blocks": blocks,
    "brain-blocks": brain_blocks,
}


@dataclass(frozen=True)
class Corruption:
    """How images are corrupted; call it with `(image, rng)`.

    kind: "checkerboard" (phase 0), "random-checkerboard" (a phase for each image), "blocks" or "brain-blocks".
    tile: side of a square in pixels. fill: value of hidden pixels. share: part to hide, of blocks only.
    Raises `InputError` for a kind that is unknown and numbers out of range.
    """

    kind: str = "checkerboard"
    tile: int = TILE
    fill: float = FILL
    share: float = SHARE

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"Corruption {self.kind!r} is unknown{nearest(str(self.kind), tuple(KINDS))}. "
                f"Choose one of {', '.join(KINDS)}."
            )
        _check(tile=self.tile, share=self.share, fill=self.fill)

    def __call__(self, image: np.ndarray, rng: np.random.Generator, *, background: float = 0.0) -> Corrupted:
        """Corrupted float32 `(H, W, C)` and hidden bool `(H, W)` of an image whose background has that value."""
        options = {"tile": self.tile, "fill": self.fill}
        if self.kind == "random-checkerboard":
            options["phase"] = None
        if self.kind in ("blocks", "brain-blocks"):
            options["share"] = self.share
        if self.kind == "brain-blocks":
            options["background"] = background
        return KINDS[self.kind](image, rng, **options)
