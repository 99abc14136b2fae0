"""How well hidden pixels are restored: mean absolute error and structural similarity, where hidden and in the brain.

Images are `(N, H, W, C)` in the scale [low, high] of a generator: -1 to 1, or 0 to 1; `low` is background. Of the
hidden squares those pixels count that lie in the brain, where any channel of the target is above background: restoring
air is no merit. With `everywhere` all hidden pixels count. Sums run over an epoch's pixels and are divided afterwards.
"""
from __future__ import annotations

from mstl._keras import keras, tf

SSIM_WINDOW = 11  # pixels of the Gaussian window of structural similarity, sigma 1.5
UNIT = (0.0, 1.0)
SIGNED = (-1.0, 1.0)
BACKGROUND_MARGIN = 1e-6  # of the scale's width: rounding in the scaling leaves background where it was


class HiddenError(keras.metrics.Mean):
    """Mean absolute error of the hidden pixels of the brain, in units of the scale's width: of images in [0, 1]."""

    def __init__(self, scale: tuple[float, float], *, everywhere: bool = False, name: str = "hidden_mae") -> None:
        super().__init__(name=name, dtype="float32")
        self.scale, self.everywhere = scale, everywhere

    def update_state(self, target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor) -> None:
        """Add a batch; hidden `(N, H, W, 1)` of 0 and 1."""
        low, high = self.scale
        error = tf.reduce_mean(tf.abs(tf.cast(target, tf.float32) - tf.cast(restored, tf.float32)), axis=-1)
        where = counted(target, hidden, scale=self.scale, everywhere=self.everywhere)
        super().update_state(error / (high - low), sample_weight=where)


class HiddenSimilarity(keras.metrics.Mean):
    """Mean structural similarity (SSIM) at the hidden pixels of the brain.

    The similarity of a pixel is that of the 11 x 11 window around it; pixels nearer to the border than a window
    reaches are left out. Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861.
    """

    def __init__(self, scale: tuple[float, float], *, everywhere: bool = False, name: str = "hidden_ssim") -> None:
        super().__init__(name=name, dtype="float32")
        self.scale, self.everywhere = scale, everywhere

    def update_state(self, target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor) -> None:
        """Add a batch; hidden `(N, H, W, 1)` of 0 and 1."""
        low, high = self.scale
        images = [tf.cast(image, tf.float32) - low for image in (target, restored)]
        similarity = tf.image.ssim(
            *images, max_val=high - low, filter_size=SSIM_WINDOW, filter_sigma=1.5, return_index_map=True
        )
        border = SSIM_WINDOW // 2
        where = counted(target, hidden, scale=self.scale, everywhere=self.everywhere)
        super().update_state(similarity, sample_weight=where[:, border:-border, border:-border])


def counted(target: tf.Tensor, hidden: tf.Tensor, *, scale: tuple[float, float], everywhere: bool) -> tf.Tensor:
    """Weights 0 and 1 `(N, H, W)` float32 of the pixels that count."""
    low, high = scale
    where = hidden[..., 0] > 0.5
    if not everywhere:
        where &= tf.reduce_any(tf.cast(target, tf.float32) > low + BACKGROUND_MARGIN * (high - low), axis=-1)
    return tf.cast(where, tf.float32)
