"""One small scan in every format that is read, written by nibabel and SimpleITK alone."""
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from mstl.data.formats import WRITTEN
from mstl.data.formats.pictures import PICTURES

AFFINE = np.array([[-0.9, 0.05, 0.2, 80.25], [0.04, 1.1, -0.6, -60.5], [0.1, 0.3, 5.4, -41.125], [0, 0, 0, 1]])
VALUES = np.arange(5 * 6 * 4, dtype=np.int16).reshape(5, 6, 4) % 97
_NIBABEL = {
    "one.nii": nib.Nifti1Image,
    "one.nii.gz": nib.Nifti1Image,
    "two.nii": nib.Nifti2Image,
    "two.nii.gz": nib.Nifti2Image,
    "pair.hdr": nib.Nifti1Pair,
    "packed.hdr.gz": nib.Nifti1Pair,
    "pair2.hdr": nib.Nifti2Pair,
    "spm.hdr": nib.Spm99AnalyzeImage,
    "analyze.hdr": nib.AnalyzeImage,
    "surfer.mgh": nib.MGHImage,
    "surfer.mgz": nib.MGHImage,
}
_ITK = {
    "plain.nrrd": False,
    "packed.nrrd": True,
    "plain.nhdr": False,
    "packed.nhdr": True,
    "plain.mha": False,
    "packed.mha": True,
    "meta.mhd": False,
    "packed.mhd": True,
}
NAMES = (*_NIBABEL, *_ITK)
OF_VOLUMES = tuple(suffix for suffix in WRITTEN if suffix not in PICTURES)  # suffixes that hold any grid


def write_one(folder: Path, name: str, data: np.ndarray = VALUES, affine: np.ndarray = AFFINE) -> Path:
    """Write the scan `name` of `NAMES`; of an Analyze pair only `spm.hdr` has the affine, in its `.mat`."""
    path = folder / name
    if name in _NIBABEL:
        nib.save(_NIBABEL[name](data, affine), path)
        return path
    image = sitk.GetImageFromArray(np.asfortranarray(data).T)
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path), useCompression=_ITK[name])
    return path
