"""Words of file names: each stands for one column."""
import re

import pytest

from mstl.data.case import FILES
from mstl.data.layouts.words import COLUMN_OF, column_of, expression_of, rank_of


def test_every_column_has_words_and_every_word_a_column():
    assert set(COLUMN_OF.values()) == set(FILES)


@pytest.mark.parametrize(
    ("text", "column"),
    [("FLAIR", "flair"), ("T1w", "t1"), ("t1gd", "t1ce"), ("T1-Gd", "t1ce"), ("T2w", "t2"), ("ADC", ""), ("CT", "")],
)
def test_a_whole_text_names_a_column_in_upper_or_lower_case(text, column):
    assert column_of(text) == column


def test_masks_come_before_images_and_longer_words_before_shorter():
    assert rank_of("brain_mask", 9) < rank_of("mask", 0) < rank_of("t2_flair", 0) < rank_of("t2", 0) < rank_of("t1", 5)


@pytest.mark.parametrize("word", COLUMN_OF)
def test_every_word_is_found_by_its_expression_with_other_joints(word):
    for joint in "_-. ":
        assert re.fullmatch(expression_of(word), word.replace("_", joint))
