"""Ranks under resampling: shares that sum to one, clear winners stay, equal ones share, the few are not judged."""
import numpy as np
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.evaluation.rank_stability import rank_stability
from tests.study_frames import pairs_frame, study_frame


def test_a_clear_winner_is_always_first_and_rows_come_by_rank():
    table = rank_stability(study_frame({"scratch": 0.0, "gan": 0.1, "oct": -0.1}, patients=10, sizes=(5, 10)))
    assert table["size"].tolist() == [5] * 3 + [10] * 3
    assert table["strategy"].tolist() == ["gan", "scratch", "oct"] * 2
    assert table["rank"].tolist() == [1, 2, 3] * 2
    assert (table["first"] == [1, 0, 0] * 2).all()
    assert (table["mean_rank"] == table["rank"]).all()


def test_shares_of_ranks_sum_to_one_both_ways():
    table = rank_stability(study_frame(dict.fromkeys("abcd", 0.0), patients=9, sizes=(5,)))
    shares = table[["rank_1", "rank_2", "rank_3", "rank_4"]].to_numpy()
    assert shares.sum(axis=0) == pytest.approx(np.ones(4))
    assert shares.sum(axis=1) == pytest.approx(np.ones(4))
    assert table["mean_rank"].to_numpy() == pytest.approx(shares @ [1, 2, 3, 4])
    assert (table["first"] == table["rank_1"]).all()
    assert (table["rank_low"] <= table["rank_high"]).all()


def test_the_share_of_firsts_is_what_counting_all_cohorts_gives():
    table = rank_stability(pairs_frame([0.5, 0.9], [0.6, 0.6]), resamples=20000).set_index("strategy")
    # of four cohorts of two: one of the first patient alone, where b wins; in the others a
    assert table["first"].to_dict() == pytest.approx({"a": 0.75, "b": 0.25}, abs=0.01)


def test_equal_strategies_share_all_ranks():
    table = rank_stability(pairs_frame([0.5, 0.7, 0.9], [0.5, 0.7, 0.9]))
    assert table["rank"].tolist() == [1.5, 1.5]
    assert table["first"].tolist() == [0.5, 0.5]
    assert table["mean_rank"].tolist() == [1.5, 1.5]


def test_lower_is_better_turns_the_ranks():
    table = rank_stability(pairs_frame([5, 7, 9], [6, 8, 10]), lower_is_better=True)
    assert table["strategy"].tolist() == ["a", "b"]


def test_only_what_all_strategies_of_a_size_have_is_ranked():
    frame = study_frame({"a": 0.0, "b": 0.02, "c": 0.04}, patients=8, sizes=(5, 10))
    frame = frame[(frame["strategy"] != "c") | (frame["size"] == 5)]
    frame = frame[(frame["strategy"] != "a") | (frame["subject"] != "p03")]
    table = rank_stability(frame)
    assert table.groupby("size")["strategy"].count().to_dict() == {5: 3, 10: 2}
    assert set(table["patients"]) == {7}
    assert table.loc[table["size"] == 10, "rank_3"].isna().all()


def test_one_patient_or_none_in_common_gives_no_shares():
    table = rank_stability(pairs_frame([0.5], [0.4]))
    assert table["rank"].tolist() == [1, 2]
    assert table[["first", "mean_rank"]].isna().all(axis=None)
    apart = pairs_frame([0.5, 0.6], [0.4, 0.5])
    apart.loc[apart.index[[0, 3]], "dice"] = np.nan
    table = rank_stability(apart)
    assert table["patients"].tolist() == [0, 0]
    assert table[["rank", "first"]].isna().all(axis=None)


def test_the_same_table_in_any_order_gives_the_same_ranks():
    frame = study_frame({"a": 0.0, "b": 0.01}, patients=8)
    pd.testing.assert_frame_equal(rank_stability(frame), rank_stability(frame.sample(frac=1, random_state=0)))
    assert not rank_stability(frame).equals(rank_stability(frame, seed=1))


def test_too_few_draws_and_unknown_scores_are_refused():
    with pytest.raises(InputError, match="resamples is 10"):
        rank_stability(pairs_frame([0.5], [0.4]), resamples=10)
    with pytest.raises(InputError, match="Did you mean dice"):
        rank_stability(pairs_frame([0.5], [0.4]), score="dce")
