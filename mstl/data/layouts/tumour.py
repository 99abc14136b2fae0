"""Trees of public sets of brain tumours: BraTS by the names of 2020, of 2021, and of 2023 and after."""
from __future__ import annotations

from mstl.data.layouts.found import Layout, Rule, by_rules

_IMAGES = {name: name for name in ("flair", "t1", "t1ce", "t2")}
_REMARK = (
    "Masks hold labels {}: 'mstl prepare --labels {}' keeps the classes, --binarise-masks takes the whole tumour."
)

# Bakas et al. 2018, arXiv 1811.02629. The segmentation of case 355 has kept the name that it had at its hospital.
_PATIENT = r"(?P<subject>BraTS20_(?:Training|Validation|Testing)_\d+)"
BRATS2020 = Layout(
    by_rules(
        Rule(_PATIENT + "_(?P<what>flair|t1|t1ce|t2)", _IMAGES),
        Rule(_PATIENT + "_seg", "mask"),
        Rule(r"(?P<subject>BraTS20_Training_355)/W39_1998\.09\.19_Segm", "mask"),
    ),
    example="BraTS20_Training_001/BraTS20_Training_001_flair.nii.gz",
    remark=_REMARK.format("1, 2 and 4", "1,2,4"),
)

# Baid et al. 2021, arXiv 2107.02314.
_PATIENT_2021 = r"(?P<subject>BraTS2021_\d+)"
BRATS2021 = Layout(
    by_rules(Rule(_PATIENT_2021 + "_(?P<what>flair|t1|t1ce|t2)", _IMAGES), Rule(_PATIENT_2021 + "_seg", "mask")),
    example="BraTS2021_00000/BraTS2021_00000_flair.nii.gz",
    remark=_REMARK.format("1, 2 and 4", "1,2,4"),
)

# De Verdier et al. 2024, arXiv 2405.18368: a patient's visits are numbered after its name, of whatever tumour (GLI
# glioma, MEN meningioma, MET metastases, PED of children, SSA of Africa); native and enhanced t1 are t1n and t1c.
_VISIT_2023 = r"(?P<subject>BraTS-[A-Z]+-\d+)-(?P<session>\d+)-"
BRATS2023 = Layout(
    by_rules(
        Rule(_VISIT_2023 + "(?P<what>t2f|t1n|t1c|t2w)", {"t2f": "flair", "t1n": "t1", "t1c": "t1ce", "t2w": "t2"}),
        Rule(_VISIT_2023 + "seg", "mask"),
    ),
    example="BraTS-GLI-00000-000/BraTS-GLI-00000-000-t2f.nii.gz",
    remark=_REMARK.format("1, 2 and 3 (4 too where a cavity was left by surgery)", "1,2,3"),
)
