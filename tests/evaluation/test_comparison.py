"""A comparison says in words what its numbers show, and no more."""
import json
from dataclasses import FrozenInstanceError

import pytest

from mstl.evaluation.comparison import Comparison
from mstl.evaluation.variation import Variation

NAN = float("nan")


def comparison(**changes):
    """gan clearly better than scratch."""
    around = (0.01, 0.05)
    numbers = {
        "a": "gan", "b": "scratch", "size": 10, "score": "dice", "lower_is_better": False, "baseline": True,
        "patients": 20, "missing": 0, "mean_a": 0.62, "mean_b": 0.59, "difference": 0.03, "interval": around,
        "interval_trained_anew": around, "p": 0.001, "p_holm": 0.004, "smallest_p": 1e-5, "family": 4, "effect": 0.8,
        "probability": 0.85, "probability_interval": (0.65, 0.95),
        "variation": Variation(1e-3, 1e-4, 1e-5, 1e-3, around),
    }  # fmt: skip
    return Comparison(**numbers | changes)


def losing(**changes):
    numbers = {"mean_a": 0.56, "difference": -0.03, "interval": (-0.05, -0.01), "interval_trained_anew": (-0.05, -0.01),
               "effect": -0.8, "probability": 0.15}  # fmt: skip
    return comparison(**numbers | changes)


UNSURE = {"p": 0.4, "p_holm": 0.9, "interval": (-0.01, 0.07), "interval_trained_anew": (-0.02, 0.08)}


def test_a_shown_gain_is_said_with_its_intervals():
    found = comparison()
    assert (found.verdict, found.negative_transfer, found.holds_trained_anew) == ("better", False, True)
    assert found.words == (
        "With 10 labelled subjects gan is better than scratch: mean dice 0.620 against 0.590, difference +0.030 (95 % "
        "interval +0.010 to +0.050 for new patients; +0.010 to +0.050 for newly trained networks too), gan better in "
        "17 of 20 patients, signed-rank p = 0.004 after Holm's correction for 4 comparisons."
    )


def test_worse_than_the_baseline_is_negative_transfer_and_worse_than_another_is_not():
    assert losing().negative_transfer
    assert losing().words.startswith("Negative transfer: with 10 labelled subjects gan is worse than scratch")
    other = losing(baseline=False, b="imagenet")
    assert (other.verdict, other.negative_transfer) == ("worse", False)
    assert other.words.startswith("With 10 labelled subjects gan is worse than imagenet")


def test_a_lower_distance_is_better():
    found = losing(score="hausdorff95_mm", lower_is_better=True, effect=0.8, probability=0.85)
    assert found.verdict == "better"
    assert "lower is better, difference -0.030" in found.words


def test_no_evidence_is_called_so_and_never_equality():
    found = comparison(**UNSURE)
    assert found.verdict == "no evidence"
    assert found.words.startswith("No evidence of a difference between gan and scratch with 10 labelled subjects: ")
    assert "equal" not in found.words


def test_what_only_the_correction_takes_away_is_said():
    assert "once 4 comparisons are corrected for:" in comparison(p=0.03, p_holm=0.09).words
    assert "corrected" not in comparison(**UNSURE).words


def test_patients_too_few_to_show_anything_are_named():
    found = comparison(patients=5, smallest_p=0.25, p=0.0625, p_holm=0.25)
    assert found.verdict == "too few patients"
    assert "5 patients could show none (p cannot be below 0.25)" in found.words


def test_ranks_against_the_mean_are_no_verdict_for_either():
    found = comparison(difference=-0.001)
    assert found.verdict == "mixed"
    assert "differ, but most patients one way and the mean the other" in found.words


def test_a_gain_that_new_trainings_may_undo_is_reserved():
    found = comparison(interval_trained_anew=(-0.01, 0.07))
    assert not found.holds_trained_anew
    assert found.words.endswith("; it is not shown to hold for newly trained networks.")
    once = comparison(interval_trained_anew=(NAN, NAN))
    assert once.words.endswith("; whether it holds for newly trained networks is unknown, as each was trained once.")
    assert "nan" not in once.words


def test_without_a_common_case_nothing_is_claimed():
    none = dict.fromkeys(("mean_a", "mean_b", "difference", "p", "p_holm", "smallest_p", "effect", "probability"), NAN)
    found = comparison(patients=0, missing=7, **none, interval=(NAN, NAN), interval_trained_anew=(NAN, NAN))
    assert (found.verdict, found.negative_transfer) == ("not compared", False)
    assert found.words == (
        "gan and scratch cannot be compared with 10 labelled subjects: they have no scored test case in common."
    )
    assert found.notes == ("7 test cases that only one of the two has scored are left out",)


@pytest.mark.parametrize(("changes", "words"), [
    ({"missing": 3}, "3 test cases that only one of the two has scored are left out"),
    ({"patients": 2}, "2 patients: no bootstrap interval"),
    ({"patients": 1}, "1 patient: no bootstrap interval"),
    ({"patients": 8}, "8 patients: bootstrap intervals of fewer than 10 are too narrow"),
    ({"interval": (0.02, 0.02)}, "all patients differ by the same"),
    ({"interval_trained_anew": (NAN, NAN)}, "trained once each"),
    ({"variation": Variation(1, 1, NAN, 1, (0, 1))}, "trained on the same subjects"),
])  # fmt: skip
def test_notes_say_what_limits_the_numbers(changes, words):
    assert any(note.startswith(words) for note in comparison(**changes).notes)
    assert comparison().notes == ()


def test_a_patient_with_equal_scores_counts_half_in_the_words():
    assert "gan better in 16.5 of 20 patients" in comparison(probability=0.825).words


def test_a_row_is_flat_and_strict_json():
    row = comparison(interval_trained_anew=(NAN, NAN)).as_row()
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["interval_low"], row["interval_trained_anew_low"]) == (0.01, None)
    assert (row["variance_seeds"], row["verdict"]) == (1e-4, "better")


def test_a_comparison_is_fixed():
    with pytest.raises(FrozenInstanceError):
        comparison().p = 0.0
