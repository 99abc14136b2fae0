"""Small pictures with a bright spot each, and their masks."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mstl.data.case import Case
from mstl.data.cohort import Cohort

SIZE = (40, 56)  # rows, columns


def spot(size: tuple[int, int] = SIZE, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 whose lower edge is black, and the mask 0/1 of the bright spot in it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[: size[0], : size[1]]
    middle = rng.uniform(0.35, 0.65, 2) * size
    mask = ((rows - middle[0]) / size[0]) ** 2 + ((columns - middle[1]) / size[1]) ** 2 < 0.02
    grey = 60 + 30 * rows / size[0] + 120 * mask + rng.normal(0, 6, size)
    grey[rows[:, 0] > 0.9 * size[0]] = 0
    return np.clip(grey, 0, 255).astype(np.uint8), mask.astype(np.uint8)


def write_pictures(
    folder: Path, names: Sequence[tuple[str, str]] = (("a", "1"), ("a", "2"), ("b", "1")), *,
    sizes: Sequence[tuple[int, int]] = (), white: int = 1,
) -> Cohort:  # fmt: skip
    """Write a picture and a mask a (subject, session) as PNG; lesions have the value `white`."""
    cases = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, (subject, session) in enumerate(names):
        image, mask = spot(sizes[number] if sizes else SIZE, seed=number)
        paths = {"oct": folder / f"{subject}{session}.png", "mask": folder / f"{subject}{session}_mask.png"}
        Image.fromarray(image).save(paths["oct"])
        Image.fromarray(mask * np.uint8(white)).save(paths["mask"])
        cases.append(Case.of_files(paths, subject=subject, session=session))
    cohort = Cohort(cases)
    cohort.to_csv(folder / "cohort.csv")
    return cohort
