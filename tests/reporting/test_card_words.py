"""Sentences of a card: numbers in words, and what there is to be wary of."""
import pytest

from mstl.reporting.card_words import (
    budget_words,
    counted,
    decision_words,
    how_good,
    learned_words,
    limits,
    score_rows,
    score_text,
    side_words,
)
from mstl.reporting.held_out import SHOWN

SIDE = {
    "subjects": 2, "cases": 3, "datasets": ["isbi"], "spacing_mm": {"kinds": [{"mm": [1, 1, 5.5], "cases": 3}]},
    "shapes": None, "unit": "ml", "lesions": {"low": 1.2, "median": 4.0, "high": 15000.0}, "without_lesion": 1,
    "brain": ["given mask"],
}  # fmt: skip
ONE = {"subjects": 30, "median": 0.6, "mean": 0.58, "sd": None, "low": 0.1, "high": 0.8}
FOUND = {
    "scores": dict.fromkeys(SHOWN, ONE), "unit": "ml", "halves": None,
    "empty_reference": {"cases": 0, "without_false_lesions": 0},
}  # fmt: skip
FACTS = {
    "data": {"train": SIDE | {"subjects": 50}}, "scores": FOUND, "task": {"brain": ""}, "network": {"bayesian": False}
}  # fmt: skip
BUDGET = {
    "epochs": 3, "finished": True, "best_epoch": 2, "best_dice": 0.5, "seconds": 90.0,
    "devices": {"kind": "GPU", "count": 1},
    "settings": {"epochs": 3, "steps_per_epoch": 4, "batch_size": 8, "seed": 1, "loss": "ce", "optimizer": "adam",
                 "learning_rate": 1e-3, "decay": "cosine", "augment": "flips", "precision": "float32"},
}  # fmt: skip


def test_counts_have_their_plural():
    assert [counted(number, "case") for number in (0, 1, 2000)] == ["0 cases", "1 case", "2,000 cases"]


def test_a_side_tells_subjects_voxels_and_lesions():
    assert side_words(SIDE) == (
        "2 subjects, 3 cases; dataset isbi; voxels 1 x 1 x 5.5 mm; brains by given mask; lesions of 1.2 to 15,000 ml, "
        "median 4; 1 case without lesion."
    )


def test_a_side_that_is_empty_or_gone_says_so():
    assert side_words({"subjects": 0}) == "none."
    assert "not known" in side_words({"subjects": 4})


def test_spacings_of_several_kinds_and_ranges_are_told():
    kinds = {"kinds": [{"mm": [1, 1, 1], "cases": 2}, {"mm": [1, 1, 3], "cases": 1}]}
    assert "voxels 1 x 1 x 1 (2) and 1 x 1 x 3 (1) mm" in side_words(SIDE | {"spacing_mm": kinds})
    extent = {"low": [0.5, 0.5, 1], "high": [1, 1, 6]}
    assert "voxels from 0.5 x 0.5 x 1 to 1 x 1 x 6 mm" in side_words(SIDE | {"spacing_mm": extent})


def test_synthetic_subjects_are_called_so():
    assert learned_words({"subjects": 5, "datasets": ["phantom"]}) == "It learned from 5 synthetic subjects."
    assert learned_words({"subjects": 1, "datasets": ["phantom", "isbi"]}) == "It learned from 1 subject."


def test_a_default_threshold_is_not_sold_as_a_choice():
    assert decision_words(None, classes=1) == [
        "A voxel is lesion from probability 0.5 on, without clean-up. Nothing was chosen on validation subjects: this "
        "is the default."
    ]
    assert decision_words(None, classes=4)[0].startswith("The most probable class")


def test_a_chosen_threshold_says_on_whom_and_how_good():
    record = {"threshold": 0.35, "minimum_ml": 0.01, "mean_dice": [0.6, 0.7], "mean_dice_uncleaned": [0.65], "cases": 4}
    said = " ".join(decision_words(record | {"flip": True}, classes=1))
    assert "from probability 0.35 on; without components below 0.01 ml" in said
    assert "on 4 validation cases (0.700 there, 0.650 without clean-up)" in said
    assert "That was with `--flip`" in said
    del record["mean_dice_uncleaned"]
    assert len(decision_words(record | {"threshold": None}, classes=4)) == 2


@pytest.mark.parametrize(("seconds", "words"), [(90, "90 seconds"), (600, "10 minutes"), (9000, "2.5 hours")])
def test_a_budget_is_told_in_units_of_its_size(seconds, words):
    assert budget_words(BUDGET | {"seconds": seconds})[0] == (
        f"3 epochs of 3, 4 batches each, batch size 8; {words} on 1 GPU; seed 1."
    )


def test_a_budget_tells_which_weights_were_kept():
    assert "epoch 2 were kept: its Dice on validation voxels, 0.500" in budget_words(BUDGET)[1]
    without = budget_words(BUDGET | {"best_epoch": None, "best_dice": None, "seconds": None, "finished": False})
    assert "no validation subjects" in without[1]
    assert "(stopped)" in without[0]


def test_every_score_has_a_row_and_what_is_undefined_a_dash():
    rows = score_rows(FOUND)
    assert len(rows) == len(SHOWN)
    assert (rows[0]["heading"], rows[0]["median"], rows[0]["sd"]) == ("Dice", "0.600", "–")
    assert score_text(float("nan")) == "–"


def test_few_tested_are_said_to_say_little():
    few = FOUND | {"scores": {"dice": ONE | {"subjects": 3}}}
    assert how_good(few, {}).endswith("from 0.100 to 0.800. So few say little about others.")
    assert "So few" not in how_good(FOUND, {})
    assert "None of the test subjects has a lesion" in how_good({"scores": {"dice": ONE | {"subjects": 0}}}, {})
    assert "There were no test subjects" in how_good(None, {"subjects": 0})


def test_a_large_tested_model_has_the_limits_of_all_models():
    assert [text[:22] for text in limits(FACTS)] == ["In the worst test subj", "It was not tested on o"]


def test_what_to_be_wary_of_is_told_where_it_is_so():
    half = {"parted_at": 5.0, "smaller": ONE | {"subjects": 15}, "larger": ONE | {"median": 0.7, "subjects": 15}}
    found = FOUND | {"halves": half, "empty_reference": {"cases": 3, "without_false_lesions": 1}}
    train = {"subjects": 4, "datasets": ["phantom"], "brain": ["hd-bet"]}
    wary = {"data": {"train": train}, "scores": found, "task": {"brain": "auto"}, "network": {"bayesian": True}}
    said = " ".join(limits(wary))
    told = (
        "never seen a real patient", "learned from 4 subjects", "0.600 in the 15 with at most 5 ml",
        "In 2 of 3 test cases without lesions", "another than in training (hd-bet)", "certain and wrong",
    )  # fmt: skip
    assert not [words for words in told if words not in said]
    assert "not tested on held-out subjects" in " ".join(limits(wary | {"scores": None}))
