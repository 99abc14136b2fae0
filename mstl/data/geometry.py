"""Two transforms of albumentations that give the same result sooner, as they are most of a slice's time."""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mstl.data._albumentations import A

OPENCV_CHANNELS = 4  # what OpenCV takes in one call
TURNS = (None, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


def _direct(image: np.ndarray) -> bool:
    return image.ndim == 2 or image.shape[2] <= OPENCV_CHANNELS


class RandomRotate90(A.RandomRotate90):
    """Quarter turns by OpenCV, which moves pixels of several channels about five times faster."""

    def apply(self, img: np.ndarray, factor: int, **params: Any) -> np.ndarray:
        """Turn `(H, W)` or `(H, W, C)` counterclockwise by `factor` quarters."""
        if factor == 0 or not _direct(img):
            return super().apply(img, factor, **params)
        sides = img.shape[:2] if factor == 2 else img.shape[1::-1]
        return cv2.rotate(img, TURNS[factor]).reshape(*sides, *img.shape[2:])


class Affine(A.Affine):
    """Affine transform without checks that cost a third of its time; what enters at the border is 0."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        """Warp `(H, W)` or `(H, W, C)` by linear interpolation."""
        if not _direct(img):
            return super().apply(img, **params)
        return _warp(img, self.interpolation, **params)

    def apply_to_mask(self, mask: np.ndarray, **params: Any) -> np.ndarray:
        """Warp a mask by nearest neighbour."""
        if not _direct(mask):
            return super().apply_to_mask(mask, **params)
        return _warp(mask, self.mask_interpolation, **params)


def _warp(
    image: np.ndarray, flags: int, *, matrix: np.ndarray, output_shape: tuple[int, int], **params: Any
) -> np.ndarray:
    warped = cv2.warpAffine(image, matrix[:2], output_shape[::-1], flags=flags)
    return warped.reshape(*output_shape, *image.shape[2:])
