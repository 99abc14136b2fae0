"""Train the network of brain extraction on random heads: the weights that ship as `weights/brain-extraction.h5`.

Usage: python benchmarks/pretrain_brain.py FOLDER [--heads 160] [--minutes 50] [--jobs 1] [--out FILE.h5]
       [--begin FILE.h5] [--rate 1e-3]

FOLDER keeps the label maps of the heads and, after each epoch, the network (`last.h5`). The last tenth of the heads is
scored after each epoch and never trained on. The learning rate falls with the time that is left.
"""
from __future__ import annotations

import argparse
import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from brain_contrasts import draw_sample
from brain_heads import LabelMap, draw_label_map

from mstl.files import sha256, whole_file

FILTERS = (8, 24, 48, 48, 48)
WARM_UP = 50  # steps
SAMPLES = 50  # drawn for an epoch; each is learned from twice, the second time as in a mirror and brighter or darker
HELD_OUT = 8  # samples scored after each epoch


def main() -> None:
    options = parse()
    count, held_out = options.heads, options.heads // 10
    options.folder.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        pool.map(functools.partial(make_head, options.folder), range(count), chunksize=1)
        draw = functools.partial(sample, options.folder, 0, count - held_out)
        test = functools.partial(sample, options.folder, count - held_out, count)
        fixed = list(pool.imap(test, range(10**6, 10**6 + HELD_OUT)))
        train(lambda epoch: pool.imap(draw, range(epoch * SAMPLES, (epoch + 1) * SAMPLES)), fixed, options)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB, sha256 {sha256(options.out)}")


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--heads", type=int, default=160)
    arguments.add_argument("--minutes", type=float, default=50)
    arguments.add_argument("--begin", type=Path, help="weights to begin with")
    arguments.add_argument("--rate", type=float, default=1e-3, help="learning rate at the begin")
    arguments.add_argument("--jobs", type=int, default=1, help="processes that draw samples")
    arguments.add_argument("--out", type=Path, default=Path("weights/brain-extraction.h5"))
    return arguments.parse_args()


def train(draw: Callable[[int], Iterator], fixed: list, options: argparse.Namespace) -> None:
    """Learn until the minutes are over; `draw` gives the samples of an epoch, `fixed` are scored."""
    model, rng, started = compiled(), np.random.default_rng(0), time.perf_counter()
    if options.begin:
        model.load_weights(options.begin)
    steps, epoch, drawn = 0, 0, draw(0)
    while (done := (time.perf_counter() - started) / 60 / options.minutes) < 1:
        epoch, now, losses = epoch + 1, drawn, []
        drawn = draw(epoch)  # while the network learns from what was drawn before
        for image, target in now:
            done = min((time.perf_counter() - started) / 60 / options.minutes, 1)
            model.optimizer.learning_rate = (
                options.rate * min((steps + 1) / WARM_UP, 1) * (0.5 + 0.5 * np.cos(np.pi * done))
            )
            brighter = image[::-1] ** np.float32(np.exp(rng.normal(0, 0.2)))
            for one, other in ((image, target), (brighter, target[::-1])):
                losses.append(model.train_on_batch(one[None, ..., None], other[None, ..., None]))
                steps += 1
        save(model, options.folder / "last.h5")
        scores = [dice(model.predict_on_batch(x[None, ..., None])[0, ..., 0] > 0.5, y > 0.5) for x, y in fixed]
        held_out = f"held-out Dice {np.median(scores):.4f}, least {min(scores):.4f}"
        minutes = (time.perf_counter() - started) / 60
        print(f"{minutes:.1f} min, {steps} steps: loss {np.mean(losses):.4f}, {held_out}", flush=True)
    save(model, options.out)


def make_head(folder: Path, number: int) -> None:
    path = folder / f"head-{number:04d}.npz"
    if not path.exists():
        head = draw_label_map(number)
        with whole_file(path) as temporary:
            np.savez_compressed(temporary, labels=head.labels, depth=head.depth)


@functools.cache
def read_head(path: Path) -> LabelMap:
    with np.load(path) as arrays:
        return LabelMap(arrays["labels"], arrays["depth"])


def sample(folder: Path, first: int, last: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and target of one of the heads `first` to `last`; equal seeds give equal samples."""
    rng = np.random.default_rng([seed, 12])
    return draw_sample(rng, read_head(folder / f"head-{rng.integers(first, last):04d}.npz"))


def build_network():
    """A 3D U-Net, (N, D, H, W, 1) to the probability of brain; sides multiples of 16.

    The finest level has one convolution to each side and no normalisation, for it takes most of the time.
    """
    from mstl._keras import keras

    layers = keras.layers

    def convolved(x, filters: int):
        finest = filters == FILTERS[0]
        for _ in range(1 if finest else 2):
            x = layers.Conv3D(filters, 3, padding="same", kernel_initializer="he_normal")(x)
            x = x if finest else layers.GroupNormalization(8)(x)
            x = layers.LeakyReLU(0.1)(x)
        return x

    inputs = x = layers.Input((None, None, None, 1))
    skips = []
    for filters in FILTERS[:-1]:
        x = convolved(x, filters)
        skips.append(x)
        x = layers.MaxPooling3D()(x)
    x = convolved(x, FILTERS[-1])
    for filters, skip in zip(FILTERS[-2::-1], skips[::-1], strict=True):
        x = layers.UpSampling3D()(layers.Conv3D(filters, 1)(x))
        x = convolved(layers.Concatenate()([x, skip]), filters)
    x = layers.Conv3D(1, 1, activation="sigmoid", dtype="float32")(x)
    return keras.Model(inputs, x, name="brain_extraction")


def compiled():
    from mstl._keras import keras, tf

    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = build_network()
    keras.mixed_precision.set_global_policy("float32")

    def loss(target, probability):
        overlap = 2 * tf.reduce_sum(target * probability) + 1.0
        soft_dice = overlap / (tf.reduce_sum(target**2) + tf.reduce_sum(probability**2) + 1.0)
        entropy = tf.reduce_mean(keras.losses.binary_crossentropy(target, probability))
        return 2 * entropy + 1 - soft_dice

    model.compile(keras.optimizers.Adam(clipnorm=1.0), loss)
    return model


def save(model, path: Path) -> None:
    """The whole network in float32, without its optimizer."""
    plain = build_network()
    plain.set_weights(model.get_weights())
    with whole_file(path) as temporary:
        plain.save(temporary, include_optimizer=False)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    total = one.sum() + other.sum()
    return 2 * float((one & other).sum()) / float(total) if total else 1.0


if __name__ == "__main__":
    main()
