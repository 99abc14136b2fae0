"""The answer of a study: every verdict in words that say no more than was shown."""
import re

import numpy as np
import pandas as pd
import pytest

from mstl.reporting.study_answer import NO_LESION, NO_TRAINING, alarms, progress_sentence, study_answer
from mstl.reporting.study_results import study_results
from tests.study_frames import pairs_frame, study_frame

TWINS = {"scratch": None, "moved": "scratch", "locked": "scratch"}


def answer(frame, twins=TWINS, **options):
    return study_answer(study_results(frame, twins=twins, **options), finished=True)


@pytest.fixture(scope="module")
def clear():
    return study_results(study_frame({"scratch": 0, "moved": 0.06, "locked": -0.06}, patients=14), twins=TWINS)


def pair(a, b, **columns):
    names = {"a": "moved", "b": "scratch"}
    return pairs_frame(a, b, **columns).replace({"strategy": names})


def test_a_clear_winner_is_named_first_with_whom_it_beats(clear):
    first, second, _ = study_answer(clear, finished=True)
    assert first.startswith("With 20 labelled subjects “moved” has the best mean Dice of 3 strategies, 0.7")
    assert "(14 patients, 95 % interval 0." in first
    assert first.endswith("; it is shown to be better than “scratch” and “locked”.")
    assert second.startswith("“moved” is better than its twin “scratch”, the same from scratch: mean difference in ")
    assert "better in 100 % of 14 patients" in second
    assert "p < 0.001 after Holm's correction" in second
    assert "this holds for newly trained networks too (+0.0" in second


def test_ten_more_are_expected_to_bring_what_the_curve_says(clear):
    curve = clear.curve("moved")
    third = study_answer(clear, finished=True)[2]
    assert curve.reliable
    assert third == (
        f"Ten more labelled subjects are expected to raise the mean Dice of “moved” by {curve.gain:.3f} (95 % interval "
        f"{curve.gain_interval[0]:.3f} to {curve.gain_interval[1]:.3f})."
    )


def test_strategies_shown_to_be_worse_than_their_twin_raise_the_alarm_at_each_size(clear):
    found = alarms(clear)
    assert [(one.a, one.size) for one in found] == [("locked", 20), ("locked", 10), ("locked", 5)]
    assert not alarms(study_results(study_frame({"scratch": 0, "moved": 0.06}), twins=TWINS))


def test_no_evidence_is_said_and_never_called_equality():
    random = np.random.default_rng(0)
    level = random.normal(0.6, 0.1, 20)
    first, second, third = answer(pair(level + random.normal(0.002, 0.05, 20), level))
    assert "but there is no evidence that it is better than" in first
    assert "There is no evidence of a difference between" in second or "has no twin" in second
    assert "cannot be said reliably: it was trained with 1 of at least 3 sizes." in third
    better = answer(pair(level + np.where(np.arange(20) < 12, 0.02, -0.02), level))
    assert better[1].startswith("There is no evidence of a difference between “moved” and its twin “scratch”")
    assert better[1].endswith("that is no proof that they are equal.")
    assert not re.search(r"\bequal to|the same as|as good as", " ".join(better))


def test_too_few_patients_are_said_to_show_nothing():
    first, second, _ = answer(pair([0.6, 0.7, 0.8, 0.64], [0.5, 0.6, 0.7, 0.5]))
    assert first.endswith("; 4 patients are too few to show that it is better than “scratch”.")
    assert "and 4 patients could show none: mean difference in Dice +0.110" in second
    assert "proof" not in second


def test_one_training_leaves_open_what_another_would_show():
    level = np.linspace(0.4, 0.8, 15)
    first, second, _ = answer(pair(level + np.linspace(0.02, 0.05, 15), level))
    assert first.endswith("it is shown to be better than “scratch” for these trained networks.")
    assert second.endswith("; each was trained once, so that whether it holds for newly trained networks is unknown.")


def test_trainings_that_disagree_keep_the_finding_to_these_networks():
    level = np.linspace(0.4, 0.7, 15)
    frames = [pair(level + gain + np.linspace(0, 0.01, 15), level, seed=seed) for seed, gain in enumerate((0.01, 0.2))]
    first, second, _ = answer(pd.concat(frames))
    assert "for these trained networks" in first
    assert "; for newly trained networks it is not shown (-" in second


def test_ranks_and_mean_that_disagree_are_not_a_win():
    level = np.full(20, 0.5)
    change = np.full(20, -0.01) + np.linspace(0, 0.001, 20)
    change[:2] = 0.3
    first, second, _ = answer(pair(level + change, level))
    assert "no evidence that it is better" in first
    assert second.startswith("Between “moved” and its twin “scratch”, the same from scratch, most patients change one")


def test_where_scratch_is_best_the_transfers_are_summed_up():
    first, second, third = answer(study_frame({"scratch": 0.06, "moved": 0.0, "locked": -0.06}, patients=14))
    assert "“scratch” has the best mean Dice" in first
    assert second == ("“scratch” has no twin; of the 2 strategies compared with theirs none is shown to be better and "
                      "“moved” and “locked” are shown to be worse.")  # fmt: skip
    assert "the mean Dice of “scratch” by" in third


def test_a_study_without_twins_says_that_transfer_stays_open():
    _, second, _ = answer(study_frame({"x": 0.06, "y": 0.0}), twins={"x": None, "y": None})
    assert second == "No strategy could be compared with a twin from scratch, so that what transfer is worth is open."


def test_equal_strategies_share_the_first_place():
    first, second, _ = answer(pair([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]))
    assert "“moved” and “scratch” have the same mean Dice, the best of 2 strategies: 0.600 (3 patients" in first
    assert "no evidence of a difference" in second


def test_one_strategy_alone_is_compared_with_nothing():
    first, second, _ = answer(study_frame({"moved": 0}))
    assert "only “moved” has scores" in first
    assert "there is nothing to compare it with" in first
    assert "is open" in second


def test_strategies_tested_on_other_patients_have_no_best():
    found = answer(pd.concat([pairs_frame([0.5, 0.6], [0.5, 0.6]).query("strategy == 'a'"),
                              pairs_frame([0.1] * 4, [0.9] * 4).query("strategy == 'b' and subject > 'p001'")]))
    assert found == ["With 5 labelled subjects the strategies have no tested patient in common, so that none can be "
                     "called the best."]


def test_distances_are_better_when_lower():
    frame = study_frame({"scratch": 0, "moved": -0.06}, patients=14).rename(columns={"dice": "hausdorff95_mm"})
    first, second, _ = answer(frame, score="hausdorff95_mm")
    assert "“moved” has the best mean HD95 (mm)" in first
    assert "is better than its twin “scratch”" in second
    assert "mean difference in HD95 (mm) -0.0" in second


def test_a_study_without_results_says_why():
    empty = study_frame({"scratch": 0, "moved": 0}).assign(empty_reference=1)
    assert answer(empty) == [NO_LESION]
    assert study_answer(None, finished=False) == [NO_TRAINING]


def test_an_unfinished_study_says_so():
    assert progress_sentence({"jobs": 6, "done": 6, "failed": 0}) == ""
    words = progress_sentence({"jobs": 6, "done": 4, "failed": 1})
    assert words.startswith("This study is not finished: 4 of 6 trainings are done; 1 failed. ")
    assert "1 of 1 training is" not in words


def test_of_many_strategies_those_beaten_are_counted_and_the_others_named():
    gains = {"scratch": 0, **{f"s{number}": 0.01 * number for number in range(1, 5)}, "moved": 0.2, "even": 0.19}
    first = answer(study_frame(gains, patients=14))[0]
    assert first.endswith("; it is shown to be better than 5 of the other 6, but not than “even”.")


def test_of_one_transfer_that_is_behind_the_verdict_is_told():
    level = np.linspace(0.4, 0.7, 15)
    worse = answer(pair(level - np.linspace(0.02, 0.05, 15), level))[1]
    assert worse == "“scratch” has no twin; “moved” is shown to be worse than its twin “scratch”."
    open_ = answer(pair(level + np.where(np.arange(15) < 7, 0.02, -0.02), level))[1]
    assert open_ == (
        "“scratch” has no twin; there is no evidence of a difference between “moved” and its twin “scratch”."
    )


def test_the_best_over_common_patients_is_said_to_be_that():
    frame = study_frame({"scratch": 0, "moved": 0.06}, patients=14)
    part = frame[(frame["strategy"] == "moved") | (frame["subject"] > "p03")]
    first = answer(part)[0]
    assert "“moved” has the best mean Dice of 2 strategies over the 10 patients that all have in common" in first
    assert "(its own mean is 0.7" in first
    assert "(14 patients" in first


def test_many_that_are_not_beaten_are_counted_too():
    gains = {"scratch": 0, **{f"s{number}": 0.1 + number / 10000 for number in range(6)}}
    first = answer(study_frame(gains, patients=14, sizes=(5,)))[0]
    assert re.search(r"better than “scratch”.*, but not than the remaining 5\.$", first)
