"""Trees of public sets of multiple sclerosis: MSSEG 2016, ISBI 2015, MICCAI 2008, and the two sets of Ljubljana."""
from __future__ import annotations

from mstl.data.layouts.found import CONSENSUS, Layout, Rule, by_rules

_PREPROCESSED, _RAW = ("preprocessed",), ("raw",)

# Commowick et al. 2018, doi 10.1038/s41598-018-31911-7: seven raters and their consensus, all on the FLAIR's grid.
# A patient is a folder Center_01/Patient_01, numbered anew in Training and Testing, or (first release) 01016SACH.
_MSSEG_PATIENT = r"(?P<subject>(?:(?:Training|Testing)/)?Center_\d+/Patient_\d+|\d{5}[A-Z]{4}(?:_\d)?)/(?:[^/]+/)?"
_MSSEG_IMAGES = {"flair": "flair", "t1": "t1", "gado": "t1ce", "t1gado": "t1ce", "t2": "t2"}
_MSSEG_NAME = r"(?:3D)?(?P<what>FLAIR|T1|T1GADO|GADO|T2|DP|PD)"
MSSEG2016 = Layout(
    by_rules(
        Rule(_MSSEG_PATIENT + _MSSEG_NAME + "_preprocessed", _MSSEG_IMAGES, _PREPROCESSED),
        Rule(_MSSEG_PATIENT + _MSSEG_NAME, _MSSEG_IMAGES, _RAW),
        Rule(_MSSEG_PATIENT + "Consensus", "mask", rater=CONSENSUS),
        Rule(_MSSEG_PATIENT + r"ManualSegmentation_(?P<rater>\d+)", "mask"),
        Rule(_MSSEG_PATIENT + "(?:Brain_?Mask|Mask_registered)", "brain_mask"),
    ),
    example="Training/Center_01/Patient_01/Preprocessed_Data/FLAIR_preprocessed.nii.gz",
    variants=(*_PREPROCESSED, *_RAW),
)

# Carass et al. 2017, doi 10.1016/j.neuroimage.2016.12.064: several time points a subject, two raters, whose masks
# lie on the preprocessed images' grid only.
_ISBI_VISIT = r"(?P<subject>(?:training|test)\d+)_(?P<session>\d+)_"
_ISBI_IMAGES = {"flair": "flair", "mprage": "t1", "t1": "t1", "t2": "t2"}
_ISBI_NAME = r"(?P<what>flair|mprage|t1|t2|pd)"
ISBI2015 = Layout(
    by_rules(
        Rule(_ISBI_VISIT + _ISBI_NAME + "_pp", _ISBI_IMAGES, _PREPROCESSED),
        Rule(_ISBI_VISIT + _ISBI_NAME, _ISBI_IMAGES, _RAW),
        Rule(_ISBI_VISIT + r"mask(?P<rater>\d+)", "mask", _PREPROCESSED),
    ),
    example="training01/preprocessed/training01_01_flair_pp.nii",
    variants=(*_PREPROCESSED, *_RAW),
)

# Styner et al. 2008, MIDAS Journal 638: NRRD pairs; the cases of UNC were outlined a second time, by CHB.
_MICCAI_CASE = r"(?P<subject>(?:CHB|UNC)_(?:train|test\d*)_Case\d+)_"
MICCAI2008 = Layout(
    by_rules(
        Rule(_MICCAI_CASE + "(?P<what>FLAIR|T1|T2)", {"flair": "flair", "t1": "t1", "t2": "t2"}),
        Rule(_MICCAI_CASE + "lesion", "mask"),
        Rule(_MICCAI_CASE + "lesion_by(?:CHB|UNC)", "mask", rater="2"),
    ),
    example="CHB_train_Case01/CHB_train_Case01_FLAIR.nhdr",
)

# Lesjak et al. 2017, doi 10.1007/s12021-017-9348-7, and (longitudinal) 2016, doi 10.1007/s12021-016-9301-1; trees of
# github.com/muschellij2/open_ms_data and of the archives it was made from, where raw/ lies in a patient's folder.
_OPEN_PATIENT = r"(?P<subject>patient\d+)/"
_OPEN_RAW = r"(?=(?:raw/patient\d+|patient\d+/raw)/)(?:raw/)?" + _OPEN_PATIENT + "(?:raw/)?"
_OPEN_STUDY = r"(?:patient\d+_)?(?P<session>study\d+)_(?P<what>FLAIR|T1W|T1WKS|T2W)(?:reg)?"
_OPEN_IMAGE = r"(?:patient\d+_)?(?P<what>FLAIR|T1W|T1WKS|T2W)"
_OPEN_MASK = r"(?:patient\d+_)?consensus_gt"
_OPEN_BRAIN = r"(?:patient\d+_)?brainmask"
_OPEN_IMAGES = {"flair": "flair", "t1": "t1", "t1w": "t1", "t1wks": "t1ce", "t1post": "t1ce", "t2": "t2", "t2w": "t2"}
_LONG, _LONG_RAW = ("longitudinal-coregistered",), ("longitudinal-raw",)
_MNI, _RESAMPLED, _COREGISTERED = ("MNI",), ("coregistered_resampled",), ("coregistered",)
_CHANGE = "marks how lesions changed between two studies, not the lesions"
OPEN_MS = Layout(
    by_rules(
        Rule(_OPEN_PATIENT + "(?P<what>FLAIR|T1|T1POST|T2)_[^/]*", _OPEN_IMAGES, _MNI),
        Rule(_OPEN_PATIENT + "GOLD_STANDARD_[^/]*", "mask", _MNI, rater=CONSENSUS),
        Rule(_OPEN_RAW + _OPEN_STUDY, _OPEN_IMAGES, _LONG_RAW),
        Rule(_OPEN_PATIENT + _OPEN_STUDY, _OPEN_IMAGES, _LONG),
        Rule(r"longitudinal/(?:coregistered/)?" + _OPEN_PATIENT + _OPEN_BRAIN, "brain_mask", _LONG, every_session=True),
        Rule(_OPEN_PATIENT + r"(?:raw/)?(?:patient\d+_)?gt", "", reason=_CHANGE),
        Rule(_OPEN_RAW + _OPEN_IMAGE, _OPEN_IMAGES, _RAW),
        Rule(_OPEN_RAW + _OPEN_MASK, "mask", _RAW, rater=CONSENSUS),
        Rule("coregistered_resampled/" + _OPEN_PATIENT + _OPEN_IMAGE, _OPEN_IMAGES, _RESAMPLED),
        Rule("coregistered_resampled/" + _OPEN_PATIENT + _OPEN_MASK, "mask", _RESAMPLED, rater=CONSENSUS),
        Rule("coregistered_resampled/" + _OPEN_PATIENT + _OPEN_BRAIN, "brain_mask", _RESAMPLED),
        # all that follows is on the FLAIR's grid, which is the raw FLAIR's too
        Rule(_OPEN_PATIENT + _OPEN_IMAGE, _OPEN_IMAGES, _COREGISTERED),
        Rule(_OPEN_PATIENT + _OPEN_MASK, "mask", (*_COREGISTERED, *_RAW), rater=CONSENSUS),
        Rule(_OPEN_PATIENT + _OPEN_BRAIN, "brain_mask", (*_COREGISTERED, *_RAW)),
    ),
    example="cross_sectional/MNI/patient01/FLAIR_*.nii.gz",
    variants=(*_MNI, *_RESAMPLED, *_COREGISTERED, *_RAW, *_LONG, *_LONG_RAW),
)
