"""Random changes of intensity for MRI slices and volumes of any range and any number of channels.

albumentations' own pixel transforms expect values in [0, 1] and clip there. These work on z-scored images
with negative values too. They change the foreground (voxels that are not 0) of every channel on its own and
leave the background 0. Random numbers come from the transform's own generator, so a seed governs them.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from mstl.data._albumentations import A
from mstl.data.smooth_field import control_points, smooth_field

Range = tuple[float, float]


class ForegroundTransform(A.ImageOnlyTransform):
    """An image-only transform of a float32 `(H, W, C)` image, channel by channel, whose zeros stay zeros.

    A volume `(D, H, W, C)` is changed as a whole, not slice by slice. Subclasses give `draw(channels)`, the random
    numbers of one call, one row a channel, and `change(channel, draw)`, which returns the changed channel `(H, W)`
    or `(D, H, W)`.
    """

    class InitSchema(A.ImageOnlyTransform.InitSchema):
        """Ranges are checked where they are drawn from."""

        limits: Any

    def __init__(self, limits: Any = None, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.limits = limits

    def draw(self, channels: int) -> np.ndarray:
        """Numbers of `limits` drawn uniformly, shape `(channels,)`."""
        return self.random_generator.uniform(*self.limits, size=channels)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw once a call; `shape` is that of the image."""
        shape = params["shape"]
        return {"draws": self.draw(shape[2] if len(shape) == 3 else 1)}

    def apply(self, img: np.ndarray, draws: np.ndarray, **params: Any) -> np.ndarray:
        """Change every channel that has a foreground."""
        result = np.atleast_3d(img).astype(np.float32)
        for index, draw in enumerate(draws):
            channel = np.ascontiguousarray(result[..., index])
            foreground = channel != 0
            if foreground.any():
                result[..., index] = self.change(channel, draw) * foreground
        return result.reshape(img.shape)

    def apply_to_volume(self, volume: np.ndarray, draws: np.ndarray, **params: Any) -> np.ndarray:
        """Change every channel of `(D, H, W, C)` that has a foreground."""
        return self.apply(volume, draws)


class ChannelContrast(ForegroundTransform):
    """Gamma, contrast and brightness of each channel: `limits` are the ranges (gamma, gain, offset).

    Gamma acts between minimum and maximum of the foreground, gain about its mean, offset is in its standard
    deviations. A gamma is drawn on a logarithmic scale.
    """

    def __init__(
        self, limits: tuple[Range, Range, Range] = ((0.7, 1.5), (0.75, 1.3), (-0.3, 0.3)), p: float = 0.5
    ) -> None:
        super().__init__(limits=limits, p=p)

    def draw(self, channels: int) -> np.ndarray:
        """Gamma, gain and offset of each channel, shape `(channels, 3)`."""
        gamma, gain, offset = (self.random_generator.uniform(0, 1, channels) for _ in range(3))
        (dark, bright), (weak, strong), (low, high) = self.limits
        gamma, gain = dark * (bright / dark) ** gamma, weak + (strong - weak) * gain
        return np.stack([gamma, gain, low + (high - low) * offset], axis=1)

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Gamma between the foreground's extremes, then gain about its mean, then the offset."""
        gamma, gain, offset = (float(number) for number in draw)
        inside = channel[channel != 0]
        low, high, spread = float(inside.min()), float(inside.max()), float(inside.std())
        if high > low:
            share = np.clip((channel - low) / (high - low), 0, 1)
            power = cv2.pow(share.reshape(len(share), -1), gamma).reshape(share.shape)
            channel = power * (high - low) + low
        mean = float(inside.mean())
        return mean + gain * (channel - mean) + offset * spread


class ChannelNoise(ForegroundTransform):
    """Gaussian noise; `limits` is the range of its standard deviation over that of the foreground."""

    def __init__(self, limits: Range = (0.0, 0.15), p: float = 0.5) -> None:
        super().__init__(limits=limits, p=p)

    def draw(self, channels: int) -> np.ndarray:
        """Level and seed of the noise of each channel, shape `(channels, 2)`."""
        seeds = self.random_generator.integers(2**31, size=channels)
        return np.stack([super().draw(channels), seeds], axis=1)

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Add noise of the drawn level."""
        noise = np.random.default_rng(int(draw[1])).standard_normal(channel.shape, dtype=np.float32)
        return channel + np.float32(draw[0] * channel[channel != 0].std()) * noise


class ChannelBlur(ForegroundTransform):
    """Gaussian blur of each channel; `limits` is the range of sigma in pixels."""

    def __init__(self, limits: Range = (0.4, 1.2), p: float = 0.5) -> None:
        super().__init__(limits=limits, p=p)

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Blur by the drawn sigma."""
        if channel.ndim == 3:
            return gaussian_filter(channel, float(draw), truncate=3)
        return cv2.GaussianBlur(channel, (0, 0), float(draw))


class LowResolution(ForegroundTransform):
    """A scan of lower resolution: every channel shrunk by a factor of `limits`, then enlarged again."""

    def __init__(self, limits: Range = (1.2, 2.5), p: float = 0.5) -> None:
        super().__init__(limits=limits, p=p)

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Average over the larger pixels, then interpolate between them."""
        if channel.ndim == 3:
            small = [max(1, round(side / float(draw))) for side in channel.shape]
            shrunk = _resized(channel, small, interpolation=cv2.INTER_AREA)
            return _resized(shrunk, channel.shape, interpolation=cv2.INTER_LINEAR)
        height, width = channel.shape
        small = (max(1, round(width / float(draw))), max(1, round(height / float(draw))))
        shrunk = cv2.resize(channel, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)


def _resized(volume: np.ndarray, sides: Sequence[int], *, interpolation: int) -> np.ndarray:
    """Resize `(D, H, W)` to `sides`, one axis after another, each as the rows of a picture."""
    for axis, side in enumerate(sides):
        lines = np.moveaxis(volume, axis, 0)
        picture = np.ascontiguousarray(lines).reshape(len(lines), -1)
        picture = cv2.resize(picture, (picture.shape[1], side), interpolation=interpolation)
        volume = np.moveaxis(picture.reshape(side, *lines.shape[1:]), 0, axis)
    return volume


class ChannelBias(ForegroundTransform):
    """A smooth field of gain in each channel, as coils leave it: `limits` is the range of its logarithm.

    It is drawn at control points, `CELLS` intervals along each side, and acts on the distance from the
    foreground's minimum, so that it suits z-scores too.
    """

    CELLS = 2

    def __init__(self, limits: Range = (-0.4, 0.4), p: float = 0.5) -> None:
        super().__init__(limits=limits, p=p)

    def draw(self, channels: int) -> np.ndarray:
        """The logarithms at the control points of each channel, shape `(channels, n, n, n)`."""
        return self.random_generator.uniform(*self.limits, size=(channels, *3 * (control_points(self.CELLS),)))

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Multiply by the field; a slice by the field's first plane of control points."""
        low = channel[channel != 0].min()
        field = smooth_field(draw if channel.ndim == 3 else draw[0], channel.shape)
        return (channel - low) * np.exp(field) + low


class ChannelCurve(ForegroundTransform):
    """Another contrast between tissues: a random increasing curve of each channel's intensities.

    Distances between the foreground's quantiles (`LEVELS`) are each multiplied by a factor of `limits`, drawn on a
    logarithmic scale; mean and standard deviation of the foreground are kept. What is brighter stays brighter.
    In the spirit of Billot et al. 2023, doi 10.1016/j.media.2023.102789.
    """

    LEVELS = (0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1)

    def __init__(self, limits: Range = (0.4, 2.5), p: float = 0.5) -> None:
        super().__init__(limits=limits, p=p)

    def draw(self, channels: int) -> np.ndarray:
        """A factor for each gap between quantiles of each channel."""
        low, high = np.log(self.limits)
        return np.exp(self.random_generator.uniform(low, high, size=(channels, len(self.LEVELS) - 1)))

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Stretch and squeeze between the quantiles, then restore mean and standard deviation."""
        foreground = channel != 0
        inside = channel[foreground]
        quantiles = np.quantile(inside, self.LEVELS)
        moved = np.cumsum(np.concatenate([quantiles[:1], np.diff(quantiles) * draw]))
        curved = np.interp(inside, quantiles, moved)
        result = np.zeros_like(channel)
        gain = inside.std() / max(curved.std(), np.finfo(np.float32).tiny)
        result[foreground] = inside.mean() + gain * (curved - curved.mean())
        return result


class ModalityDropout(ForegroundTransform):
    """Missing modalities: each channel but the first becomes 0 with probability `limits`.

    A network trained so can be given the first modality alone. For images without neighbouring slices as channels.
    """

    def __init__(self, limits: float = 0.5, p: float = 1.0) -> None:
        super().__init__(limits=limits, p=p)

    def draw(self, channels: int) -> np.ndarray:
        """Whether each channel stays."""
        stays = self.random_generator.random(channels) >= self.limits
        stays[0] = True
        return stays

    def change(self, channel: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """The channel, or zeros."""
        return channel * np.float32(draw)
