"""The words by which people call modalities and masks in file names."""
from __future__ import annotations

import re

_WORDS = {
    "brain_mask": "brainmask brain_mask mask_brain bet_mask brain_extraction_mask icv_mask",
    "mask": "lesion lesions lesion_mask lesionmask lesion_seg les seg segm segmentation mask gt label labels "
    "consensus consensus_gt gold_standard groundtruth ground_truth manual wmh roi tumor tumour",
    "t1ce": "t1ce t1c t1gd t1_gd t1gado t1_gado t1post t1_post t1_ce t1wce t1w_ce t1wgd t1w_gd t1wks t1_c t1km "
    "gado gd t1contrast t1_contrast",
    "flair": "flair t2flair t2_flair t2wflair t2w_flair flair3d 3dflair fla",
    "t1": "t1 t1w t1n mprage 3dt1 t1_mprage t1w_mprage",
    "t2": "t2 t2w t2_tse t2w_tse",
}
COLUMN_OF = {word: column for column, words in _WORDS.items() for word in words.split()}
# masks before images: `t1_lesion` is a mask; longer before shorter: `t2_flair` is no t2
_ORDER = ("brain_mask", "mask")


def column_of(text: str) -> str:
    """The column that a whole text names, in upper or lower case, joined by `_`, `-`, `.` or blanks; "" for none."""
    return COLUMN_OF.get(re.sub(r"[-. ]", "_", text.lower()), "")


def rank_of(word: str, start: int) -> tuple[int, int, int]:
    """What to sort by where several words fit: brain masks, masks, then the first image, the longest at its place."""
    column = COLUMN_OF[word]
    return (_ORDER.index(column), 0, -len(word)) if column in _ORDER else (len(_ORDER), start, -len(word))


def expression_of(word: str) -> str:
    """Regular expression of a word, its `_` also written `-`, `.` or blank; after a mask's, the number of its rater."""
    number = r"(?:(?:[-_. ]?rater[-_. ]?)?(?P<rater>[0-9]))?" if COLUMN_OF[word] == "mask" else ""
    return re.escape(word).replace("_", "[-_. ]") + number
