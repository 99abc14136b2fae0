"""Words of file names: each stands for one column."""
import re

import pytest

from mstl.data.case import FILES
from mstl.data.layouts.words import COLUMN_OF, best_word, column_of, expression_of


def test_every_column_has_words_and_every_word_a_column():
    assert set(COLUMN_OF.values()) == set(FILES)


@pytest.mark.parametrize(
    ("text", "column"),
    [("FLAIR", "flair"), ("T1w", "t1"), ("t1gd", "t1ce"), ("T1-Gd", "t1ce"), ("T2w", "t2"), ("ADC", ""), ("CT", "")],
)
def test_a_whole_text_names_a_column_in_upper_or_lower_case(text, column):
    assert column_of(text) == column


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"t1": 0, "mask": 3, "brain_mask": 5}, ("brain_mask", "brain_mask")),
        ({"t1": 0, "mask": 3}, ("mask", "mask")),
        ({"t2": 0, "t2_flair": 0, "flair": 3}, ("t2_flair", "flair")),
        ({"t1": 4, "t2": 9}, ("t1", "t1")),
        ({"gd": 0, "t1w": 4}, ("t1w", "t1ce")),
        ({"gd": 0, "flair": 4}, ("flair", "flair")),
        ({"gado": 0}, ("gado", "t1ce")),
        ({"oct": 0, "t2": 9}, ("t2", "t2")),
        ({"oct": 0}, ("oct", "oct")),
    ],
)
def test_of_several_words_the_one_counts_that_says_most(places, expected):
    assert best_word(places) == expected


@pytest.mark.parametrize("word", COLUMN_OF)
def test_every_word_is_found_by_its_expression_with_other_joints(word):
    for joint in "_-. ":
        assert re.fullmatch(expression_of(word), word.replace("_", joint))
