"""The words by which people call modalities and masks in file names."""
from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS = {
    "brain_mask": "brainmask brain_mask mask_brain bet_mask brain_extraction_mask icv_mask",
    "mask": "lesion lesions lesion_mask lesionmask lesion_seg les seg segm segmentation mask gt label labels "
    "consensus consensus_gt gold_standard groundtruth ground_truth manual wmh roi tumor tumour",
    "t1ce": "t1ce t1c t1gd t1gado t1post t1contrast t1km t1wks t1wce t1wgd t1_c t1_ce t1_gd t1_gado t1_post "
    "t1_contrast t1w_c t1w_ce t1w_gd t1w_gado t1w_post t1w_contrast post_t1 post_t1w gd gado gadolinium ce",
    "flair": "flair t2flair t2_flair t2wflair t2w_flair flair3d 3dflair fla",
    "t1": "t1 t1w t1n t1pre t1_pre mprage 3dt1 t1_mprage t1w_mprage",
    "t2": "t2 t2w t2_tse t2w_tse",
    "oct": "oct bscan b_scan",
}
COLUMN_OF = {word: column for column, words in _WORDS.items() for word in words.split()}
_AGENTS = {"gd", "gado", "gadolinium", "ce"}  # make t1 anywhere beside them t1ce, but flair not
_LAST = {*_AGENTS, "oct"}  # which may be a month
_ORDER = ("brain_mask", "mask")


def column_of(text: str) -> str:
    """The column that a whole text names, in upper or lower case, joined by `_`, `-`, `.` or blanks; "" for none."""
    return COLUMN_OF.get(re.sub(r"[-. ]", "_", text.lower()), "")


def best_word(places: Mapping[str, int]) -> tuple[str, str]:
    """Of the words that fit a name, with the place where each begins, the one that says most, and its column.

    Masks come before images (`t1_lesion` is a mask), brain masks first; of images the leftmost counts, there the
    longest (`t2_flair` is no t2); a contrast agent alone and `oct` come last.
    """
    word = min(places, key=lambda word: _rank(word, places[word]))
    column = COLUMN_OF[word]
    return word, "t1ce" if column == "t1" and _AGENTS.intersection(places) else column


def _rank(word: str, start: int) -> tuple[int, int, int]:
    column = COLUMN_OF[word]
    if column in _ORDER:
        return _ORDER.index(column), 0, -len(word)
    return len(_ORDER) + (word in _LAST), start, -len(word)


def expression_of(word: str) -> str:
    """Regular expression of a word, its `_` also written `-`, `.` or blank; after a mask's, the number of its rater."""
    number = r"(?:(?:[-_. ]?rater[-_. ]?)?(?P<rater>[0-9]))?" if COLUMN_OF[word] == "mask" else ""
    return re.escape(word).replace("_", "[-_. ]") + number
