"""Trees of files as public sets lay them on disk: empty ones, and such of a synthetic head in the real formats."""
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np

from mstl.data.grid import itk_image
from mstl.data.layouts.found import suffix_of


def grow(root: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def plant(path: Path, *columns: str, seed: int = 0) -> None:
    """Write the synthetic head's volume of a column, of several columns a 4D file, in the format of the suffix."""
    volumes = [_head()[column] for column in columns]
    data = np.stack([volume.data for volume in volumes], -1) if len(columns) > 1 else volumes[0].data
    if columns == ("mask",) and seed:
        data = np.roll(data, seed, axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix_of(path.name) == ".nhdr":
        import SimpleITK as sitk

        sitk.WriteImage(itk_image(data, volumes[0].affine), str(path))
    else:
        nib.save(nib.Nifti1Image(data, volumes[0].affine), path)


def plant_isbi(root: Path) -> None:
    """Two visits of a subject of ISBI 2015, FLAIR and T1, each with masks by two raters."""
    folder = root / "training01"
    for visit in ("01", "02"):
        for what, column in (("flair", "flair"), ("mprage", "t1")):
            plant(folder / f"preprocessed/training01_{visit}_{what}_pp.nii", column)
        for rater in (1, 2):
            plant(folder / f"masks/training01_{visit}_mask{rater}.nii", "mask", seed=rater)


@cache
def _head() -> dict:
    """Volumes of every column on one grid of 4 mm."""
    from mstl.data.phantom import make_phantom
    from mstl.data.volume import Volume

    phantom = make_phantom(seed=1, scanner="quick", modalities=("flair", "t1", "t1ce", "t2"), lesion_ml=20)
    volumes = {**phantom.images, "mask": phantom.mask, "brain_mask": phantom.brain_mask}
    scale = np.diag([2.0, 2.0, 2.0, 1.0])
    return {
        name: Volume(np.ascontiguousarray(volume.data[::2, ::2, ::2]), volume.affine @ scale)
        for name, volume in volumes.items()
    }
