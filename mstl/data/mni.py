"""MNI152 space: where a brain lies in the template's world."""
from __future__ import annotations

from functools import lru_cache

import numpy as np

from mstl.data.registration import Alignment, align
from mstl.data.volume import Volume


@lru_cache(maxsize=1)
def template() -> Volume:
    """The brain of the ICBM 2009a symmetric T1 template, 1 mm, float32, 0 around it; ships inside nilearn.

    Fonov et al. 2011, doi 10.1016/j.neuroimage.2010.07.033.
    """
    from nilearn import datasets

    image = datasets.load_mni152_template(resolution=1)
    return Volume(np.asarray(image.dataobj, dtype=np.float32), image.affine)


def align_to_mni(scan: Volume, brain: np.ndarray) -> Alignment:
    """The affine registration (12 parameters, mutual information) of a brain to the MNI152 template.

    `brain`: bool, shape of the scan; what lies outside does not count.
    """
    inside = np.where(brain, np.asarray(scan.data, dtype=np.float32), np.float32(0))
    return align(Volume(inside, scan.affine, scan.path), template(), affine=True)
