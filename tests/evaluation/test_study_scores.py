"""The scores of a study as arrays: what is paired with what, what is left out and counted, what is refused."""
import numpy as np
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.evaluation.study_scores import StudyScores
from tests.study_frames import pairs_frame, study_frame

GAINS = {"scratch": 0.0, "gan": 0.02}


def test_a_patient_is_the_mean_of_his_sessions_then_of_seeds_and_folds():
    frame = pd.DataFrame(
        [("a", 5, 0, 0, "p-1", "p", 0.2), ("a", 5, 0, 0, "p-2", "p", 0.4), ("a", 5, 0, 1, "p-1", "p", 0.9),
         ("b", 5, 0, 0, "p-1", "p", 0.1), ("b", 5, 0, 0, "p-2", "p", 0.2), ("b", 5, 0, 1, "p-1", "p", 0.5)],
        columns=["strategy", "size", "fold", "seed", "case", "subject", "dice"],
    )  # fmt: skip
    pair = StudyScores.of(frame).pair("a", "b", size=5)
    assert pair.mean_a == pytest.approx([(0.3 + 0.9) / 2])
    assert pair.mean_b == pytest.approx([(0.15 + 0.5) / 2])
    assert pair.cells[:, :, 0] == pytest.approx(np.array([[0.15, 0.4]]))
    assert pair.differences == pytest.approx([0.275])


def test_only_cases_that_both_have_scored_in_one_training_are_paired_and_the_others_counted():
    frame = study_frame(GAINS, patients=6)
    lost = (frame["strategy"] == "gan") & (frame["size"] == 10) & (frame["fold"] == 0) & (frame["seed"] == 1)
    frame.loc[frame.index[lost][0], "dice"] = np.nan
    whole = StudyScores.of(frame[~lost]).pair("gan", "scratch", size=10)
    single = StudyScores.of(frame).pair("gan", "scratch", size=10)
    assert (single.missing, whole.missing) == (1, 3)
    assert len(single.subjects) == len(whole.subjects) == 6
    assert np.isnan(whole.cells[0, 1]).all()
    kept = frame[~lost & (frame["size"] == 10) & ~((frame["fold"] == 0) & (frame["seed"] == 1))]
    means = kept.groupby(["subject", "strategy"])["dice"].mean().unstack()
    assert whole.differences == pytest.approx((means["gan"] - means["scratch"]).to_numpy())


def test_cases_with_an_empty_reference_are_left_out_and_counted():
    frame = study_frame(GAINS, patients=6).assign(empty_reference=0)
    frame.loc[frame["subject"] == "p03", "empty_reference"] = 1
    frame.loc[frame["subject"] == "p04", "dice"] = np.nan
    scores = StudyScores.of(frame)
    assert scores.empty == 1
    assert scores.unscored == 2 * 3 * 2
    assert scores.pair("gan", "scratch", size=5).subjects == ("p00", "p01", "p02", "p05")


def test_cases_of_one_name_and_two_subjects_are_two_cases():
    frame = pairs_frame([0.5, 0.6, 0.7], [0.4, 0.4, 0.4]).assign(case="scan")
    assert StudyScores.of(frame).pair("a", "b", size=5).differences == pytest.approx([0.1, 0.2, 0.3])


def test_the_order_of_the_rows_changes_nothing():
    frame = study_frame(GAINS, patients=6, sessions=2)
    one, other = StudyScores.of(frame), StudyScores.of(frame.sample(frac=1, random_state=1))
    assert (one.strategies, one.sizes, one.subjects) == (other.strategies, other.sizes, other.subjects)
    assert np.array_equal(one.values, other.values, equal_nan=True)


def test_numbers_read_as_text_are_the_same_study():
    frame = study_frame(GAINS, patients=4, sizes=(5, 10))
    texts = frame.assign(size=frame["size"].astype(str), seed=frame["seed"].astype(float))
    one, other = StudyScores.of(frame), StudyScores.of(texts)
    assert other.sizes == (5, 10)
    assert np.array_equal(one.values, other.values, equal_nan=True)


@pytest.mark.parametrize(("score", "given", "lower"), [
    ("dice", None, False), ("hausdorff95_mm", None, True), ("lesion_false_discovery", None, True), ("dice", True, True),
    ("hausdorff95_mm", False, False),
])
def test_distances_are_known_to_be_better_when_lower(score, given, lower):
    frame = pairs_frame([0.5], [0.4]).rename(columns={"dice": score})
    assert StudyScores.of(frame, score=score, lower_is_better=given).lower_is_better is lower


def test_the_table_has_a_row_a_patient():
    table = StudyScores.of(pairs_frame([0.5, 0.6], [0.4, 0.7])).pair("a", "b", size=5).table()
    assert list(table) == ["subject", "a", "b", "difference"]
    assert table["difference"].tolist() == [0.1, -0.1]


@pytest.mark.parametrize(("change", "options", "words"), [
    (lambda frame: frame, {"score": "dyce"}, "Column 'dyce' is not in the study. Did you mean dice"),
    (lambda frame: frame.drop(columns="subject"), {}, "Column 'subject' is not in the study"),
    (lambda frame: frame, {"score": "case"}, "Column 'case' holds text, expected numbers"),
    (lambda frame: frame.assign(size="all"), {}, "Column 'size' holds 'all', expected whole numbers"),
    (lambda frame: frame.assign(fold=0.5), {}, "Column 'fold' holds '0.5', expected whole numbers"),
    (lambda frame: frame.assign(seed=[0, None, 0, 0]), {}, "Column 'seed' has empty fields"),
    (lambda frame: frame.assign(dice=np.inf), {}, "Column 'dice' holds infinite values"),
    (lambda frame: frame.assign(dice=np.nan), {}, "No case of 4 rows has a dice"),
    (lambda frame: frame.assign(empty_reference=1), {}, "No case of 4 rows has a dice"),
    (lambda frame: frame.iloc[:0], {}, "No case of 0 rows has a dice"),
    (lambda frame: pd.concat([frame, frame.iloc[:1]]), {}, "Two rows have the same strategy, size, fold, seed"),
])  # fmt: skip
def test_a_table_that_is_no_study_is_refused(change, options, words):
    with pytest.raises(InputError, match=words):
        StudyScores.of(change(pairs_frame([0.5, 0.6], [0.4, 0.5])), **options)


def test_unknown_strategies_and_sizes_are_refused_with_the_nearest():
    scores = StudyScores.of(study_frame({"scratch": 0, "imagenet": 0}, patients=4))
    with pytest.raises(InputError, match=r"Strategy 'imagnet' is not in the study\. Did you mean imagenet"):
        scores.pair("imagnet", "scratch", size=5)
    with pytest.raises(InputError, match=r"Size '7' is not in the study\. There are: 5, 10, 20"):
        scores.pair("imagenet", "scratch", size=7)
