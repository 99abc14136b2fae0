"""Signal of a synthetic glioma's parts in each modality."""
from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mstl.data.heads.scanner import Contrast
from mstl.data.heads.tumours import Tumour

# Distance from white matter, relative to that of an MS lesion in the same scan: oedema holds more free water and
# a solid rim less; necrosis lies between oedema and fluid.
_OEDEMA: Mapping[str, float] = MappingProxyType({"flair": 1.35, "t1": 0.65, "t1ce": 0.65, "t2": 1.05})
_RIM: Mapping[str, float] = MappingProxyType({"flair": 0.85, "t1": 0.75, "t1ce": 0.75, "t2": 0.6})


def blend_tumour(
    signal: np.ndarray, tumour: Tumour, contrast: Contrast, *, modality: str, rng: np.random.Generator
) -> None:
    """Replace tissue by tumour, in place, by its parts of the voxel."""
    fraction = tumour.fraction
    where = fraction > 0
    texture = tumour.texture[where]
    distance = contrast.lesion - 1
    spread = np.exp(rng.normal(0, 0.06, 2))
    swollen = 1 + distance * _OEDEMA[modality] * spread[0] * tumour.oedema_strength[where]
    rim = 1 + distance * _RIM[modality] * spread[1] * (1 + 0.2 * texture)
    if modality == "t1ce":
        rim = tumour.enhancement * (1 + 0.12 * texture)
    liquid = np.clip(tumour.fluidity + 0.12 * texture, 0, 1)
    necrosis = 1 + distance + liquid * (contrast.csf - 1 - distance)
    parts = ((tumour.necrosis, necrosis), (tumour.enhancing, rim), (tumour.oedema, swollen))
    mixed = (1 - fraction[where]) * signal[where]
    for part, value in parts:
        mixed += part[where] * np.maximum(value, 0)
    signal[where] = mixed
