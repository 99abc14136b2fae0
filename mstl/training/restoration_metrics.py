"""How well hidden pixels are restored: mean absolute error and structural similarity, where hidden and in the brain.

Images are `(N, H, W, C)` in the scale [low, high] of a generator: -1 to 1, or 0 to 1; `low` is background. Of the
hidden squares those pixels count that lie in the brain, where any channel of the target is above background: restoring
air is no merit. With `everywhere` all hidden pixels count. A mean is that of all pixels of all batches that count.
"""
from __future__ import annotations

from mstl._keras import keras, tf

SSIM_WINDOW = 11  # pixels of the Gaussian window of structural similarity, sigma 1.5
UNIT = (0.0, 1.0)
SIGNED = (-1.0, 1.0)
BACKGROUND_MARGIN = 1e-6  # of the scale's width: rounding in the scaling leaves background where it was


Counted = tuple[tf.Tensor, tf.Tensor]  # values of pixels, and weights 0 and 1 of those that count, float32


class HiddenError(keras.metrics.Mean):
    """Mean over the batches so far of `hidden_errors`."""

    def __init__(self, scale: tuple[float, float], *, name: str = "hidden_mae") -> None:
        super().__init__(name=name, dtype="float32")
        self.scale = scale

    def update_state(self, target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor) -> None:
        """Add a batch; hidden `(N, H, W, 1)` of 0 and 1."""
        super().update_state(*hidden_errors(target, restored, hidden, scale=self.scale))


class HiddenSimilarity(keras.metrics.Mean):
    """Mean over the batches so far of `hidden_similarities`."""

    def __init__(self, scale: tuple[float, float], *, name: str = "hidden_ssim") -> None:
        super().__init__(name=name, dtype="float32")
        self.scale = scale

    def update_state(self, target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor) -> None:
        """Add a batch; hidden `(N, H, W, 1)` of 0 and 1."""
        super().update_state(*hidden_similarities(target, restored, hidden, scale=self.scale))


def hidden_errors(
    target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor, *, scale: tuple[float, float], everywhere: bool = False
) -> Counted:
    """Absolute error of each pixel, mean over channels, in units of the scale's width: of images in [0, 1]."""
    low, high = scale
    error = tf.reduce_mean(tf.abs(tf.cast(target, tf.float32) - tf.cast(restored, tf.float32)), axis=-1)
    return error / (high - low), _where(target, hidden, scale=scale, everywhere=everywhere)


def hidden_similarities(
    target: tf.Tensor, restored: tf.Tensor, hidden: tf.Tensor, *, scale: tuple[float, float], everywhere: bool = False
) -> Counted:
    """Structural similarity (SSIM) of the 11 x 11 window around each pixel, mean over channels.

    Pixels nearer to the border than a window reaches are left out. Source: Wang et al. 2004, doi
    10.1109/TIP.2003.819861.
    """
    low, high = scale
    images = [tf.cast(image, tf.float32) - low for image in (target, restored)]
    similarity = tf.image.ssim(
        *images, max_val=high - low, filter_size=SSIM_WINDOW, filter_sigma=1.5, return_index_map=True
    )
    border = SSIM_WINDOW // 2
    where = _where(target, hidden, scale=scale, everywhere=everywhere)
    return similarity, where[:, border:-border, border:-border]


def _where(target: tf.Tensor, hidden: tf.Tensor, *, scale: tuple[float, float], everywhere: bool) -> tf.Tensor:
    """Weights 0 and 1 `(N, H, W)` float32 of the pixels that count."""
    low, high = scale
    where = hidden[..., 0] > 0.5
    if not everywhere:
        where &= tf.reduce_any(tf.cast(target, tf.float32) > low + BACKGROUND_MARGIN * (high - low), axis=-1)
    return tf.cast(where, tf.float32)
