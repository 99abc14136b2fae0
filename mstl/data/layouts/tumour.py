"""The tree of a public set of brain tumours: BraTS 2020."""
from __future__ import annotations

from mstl.data.layouts.found import Layout, Rule, by_rules

# Bakas et al. 2018, arXiv 1811.02629. The segmentation of case 355 has kept the name that it had at its hospital.
_PATIENT = r"(?P<subject>BraTS20_(?:Training|Validation|Testing)_\d+)"
BRATS2020 = Layout(
    by_rules(
        Rule(_PATIENT + "_(?P<what>flair|t1|t1ce|t2)", {name: name for name in ("flair", "t1", "t1ce", "t2")}),
        Rule(_PATIENT + "_seg", "mask"),
        Rule(r"(?P<subject>BraTS20_Training_355)/W39_1998\.09\.19_Segm", "mask"),
    ),
    example="BraTS20_Training_001/BraTS20_Training_001_flair.nii.gz",
    remark="Masks hold labels 1, 2 and 4: 'mstl prepare --labels 1,2,4' keeps the classes, --binarise-masks takes the "
    "whole tumour.",
)
