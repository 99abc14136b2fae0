"""Images of an eye in the forms in which people have them, tiny: pictures in folders, and MATLAB files."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZE = (12, 16)


def grey(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Pixels uint8 from 1 to 254 that differ by seed."""
    return np.random.default_rng(seed).integers(1, 255, size).astype(np.uint8)


def fluid(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A mask uint8 of 0 and 1."""
    mask = np.zeros(size, np.uint8)
    mask[3:7, 4:9] = 1
    return mask


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    """Write pixels as they are, by Pillow alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def grow_oct(root: Path, names: Sequence[str] = ("img_0", "img_10", "img_11")) -> Path:
    """The tree of PNG files."""
    for number, name in enumerate(names):
        save(root / "image_png_256_gray" / f"{name}.png", grey(number))
        save(root / "fluid_png_256_binary" / f"{name}.png", fluid())
    return root


def subject_arrays(sections: int = 5) -> dict[str, np.ndarray]:
    """A subject's arrays: reader 1 drew sections 1 and 3 (3 is without fluid), reader 2 drew 1 and 2."""
    shape = (*SIZE, sections)
    arrays = {"images": np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)}
    for name, drawn in (("manualFluid1", (1, 3)), ("manualFluid2", (1, 2))):
        arrays[name] = np.full(shape, np.nan)
        arrays[name][..., list(drawn)] = 0
    arrays["manualFluid1"][2:6, 3:9, 1] = 7
    arrays["manualFluid1"][0, 0, 1] = np.nan
    arrays["manualFluid2"][2:6, 4:10, 1:3] = [0.3, 0.29]
    return arrays


def save_subject(path: Path, arrays: dict[str, np.ndarray] | None = None, *, hdf5: bool = False) -> Path:
    """Write a MATLAB file, of version 5 or 7.3."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = subject_arrays() if arrays is None else arrays
    if not hdf5:
        savemat(path, arrays, do_compression=True)
        return path
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, data in arrays.items():
            file[name] = data.T
    return path
