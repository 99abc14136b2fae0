"""Kernels and statistics changed to fit: another number of input channels, 2D to 3D."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from mstl.errors import TransferError

CHANNELS = ("sum", "mean", "repeat", "truncate")
INFLATIONS = ("inflate:centre", "inflate:mean")
NONE = "error"

Change = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int, ...]


def check_adapt(adapt: str | Iterable[str]) -> tuple[str, ...]:
    """The rules in `adapt` as a tuple; raises `TransferError` for one that does not exist, or two of a kind."""
    rules = tuple(rule.replace(" ", "") for rule in ([adapt] if isinstance(adapt, str) else adapt))
    unknown = [rule for rule in rules if rule not in (*CHANNELS, *INFLATIONS, NONE)]
    if unknown or any(len(set(rules) & set(kind)) > 1 for kind in (CHANNELS, INFLATIONS)):
        raise TransferError(
            f"adapt is {', '.join(rules)}; expected 'error', or one of {', '.join(CHANNELS)} (channels), one of "
            f"{', '.join(INFLATIONS)} (2D to 3D), or one of each."
        )
    return rules


def find_change(
    source: Shape, target: Shape, rules: tuple[str, ...], *, axis: int | None, variances: bool = False
) -> tuple[Change, str] | None:
    """The function that brings an array of shape `source` to `target`, and its name; None where no rule does.

    `axis` is that of the image's own channels (see `mstl.models.entry`), None for a tensor that does not meet them:
    only there may their number change. `variances`: the array holds logarithms of a kernel's variances.
    """
    shape, steps = source, []
    for find in (_inflation, _variance_change if variances else _channel_change):
        if (step := find(shape, target, rules, axis)) is not None:
            steps.append(step)
            shape = step[2]
    if shape != target or not steps:
        return None
    return partial(_through, changes=[change for change, _, _ in steps]), ", ".join(name for _, name, _ in steps)


def _inflation(source: Shape, target: Shape, rules: tuple[str, ...], _: int | None) -> tuple[Change, str, Shape] | None:
    """Change, its name and the shape after it, for a 2D kernel that is to be a 3D one."""
    how = next((rule for rule in rules if rule in INFLATIONS), None)
    if how is None or (len(source), len(target)) != (4, 5):
        return None
    return partial(inflate_kernel, depth=target[0], how=how), how, (target[0], *source)


def _channel_change(
    source: Shape, target: Shape, rules: tuple[str, ...], axis: int | None
) -> tuple[Change, str, Shape] | None:
    """The same for another number of input channels."""
    how = next((rule for rule in rules if rule in CHANNELS), None)
    if how is None or axis is None or source == target or len(source) != len(target):
        return None
    if how == "truncate" and target[axis] > source[axis]:
        return None
    change = adapt_statistics if len(source) == 1 else partial(adapt_channels, axis=axis)
    after = [*source]
    after[axis] = target[axis]
    return partial(change, channels=target[axis], how=how), f"{how} of channels", tuple(after)


def _variance_change(
    source: Shape, target: Shape, rules: tuple[str, ...], axis: int | None
) -> tuple[Change, str, Shape] | None:
    """As `_channel_change`, for logarithms of variances."""
    step = _channel_change(source, target, rules, axis)
    if step is None:
        return None
    channels, how = target[axis], next(rule for rule in rules if rule in CHANNELS)
    return partial(adapt_variances, channels=channels, how=how, axis=axis), step[1], step[2]


def _through(array: np.ndarray, *, changes: list[Change]) -> np.ndarray:
    for change in changes:
        array = change(array)
    return array


def adapt_channels(kernel: np.ndarray, channels: int, *, how: str, axis: int = -2) -> np.ndarray:
    """A kernel for another number of input channels, which lie along `axis`: `(k..., in, out)` by default.

    "sum" shares the sum over channels among the new ones: an image whose channels are all equal gives the
    same output as before. The others keep the sum of squares, hence the output's variance where channels are
    independent and of unit variance: "mean" gives every new channel the mean kernel, "repeat" goes through
    the old ones again and again, "truncate" takes the first (at most as many as there are).
    """
    old = kernel.shape[axis]
    if how == "sum":
        return np.repeat(kernel.sum(axis=axis, keepdims=True) / channels, channels, axis=axis).astype(kernel.dtype)
    if how == "mean":
        new = np.repeat(kernel.mean(axis=axis, keepdims=True), channels, axis=axis)
    else:
        new = np.take(kernel, np.arange(channels) % old, axis=axis)
    energy = float(np.square(new, dtype=np.float64).sum())
    scale = np.sqrt(np.square(kernel, dtype=np.float64).sum() / energy) if energy > 0 else 1.0
    return (new * scale).astype(kernel.dtype)


def adapt_variances(logarithms: np.ndarray, channels: int, *, how: str, axis: int = -2) -> np.ndarray:
    """Logarithms of a kernel's variances for another number of input channels along `axis`.

    The variances of a voxel's weights keep their sum, hence what they add to the output's variance. "sum" and "mean"
    give every channel the mean variance, "repeat" and "truncate" those of the channels that the kernel takes.
    """
    variances, old = np.exp(logarithms, dtype=np.float64), logarithms.shape[axis]
    if how in ("sum", "mean"):
        new = np.repeat(variances.mean(axis=axis, keepdims=True), channels, axis=axis)
    else:
        new = np.take(variances, np.arange(channels) % old, axis=axis)
    return np.log(new * (variances.sum() / new.sum())).astype(logarithms.dtype)


def adapt_statistics(vector: np.ndarray, channels: int, *, how: str) -> np.ndarray:
    """A normalisation's parameter `(in,)` for another number of channels: their mean, or repeated, or the first."""
    if how in ("sum", "mean"):
        return np.full(channels, vector.mean(), dtype=vector.dtype)
    return vector[np.arange(channels) % len(vector)]


def inflate_kernel(kernel: np.ndarray, depth: int, *, how: str) -> np.ndarray:
    """A 2D kernel `(h, w, in, out)` as a 3D one `(depth, h, w, in, out)` of the same response.

    "inflate:centre" puts it into the middle section, with zeros around: a stack of images gives the 2D outputs.
    "inflate:mean" spreads it evenly: a volume of equal sections does. Carreira & Zisserman 2017, arXiv 1705.07750.
    """
    if how == "inflate:mean":
        return np.repeat(kernel[None] / depth, depth, axis=0).astype(kernel.dtype)
    new = np.zeros((depth, *kernel.shape), kernel.dtype)
    new[depth // 2] = kernel
    return new
