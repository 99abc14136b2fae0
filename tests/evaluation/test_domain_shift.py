"""The maximum mean discrepancy: that of the formula, by blocks of any size; and domains compared by it."""
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from mstl.data.prepare import prepare
from mstl.errors import InputError
from mstl.evaluation.domain import Domain
from mstl.evaluation.domain_features import Features
from mstl.evaluation.domain_shift import compare_domains, mmd2

NUMBERS = st.floats(-5, 5, allow_subnormal=False)


@st.composite
def two_sets(draw, smallest=2):
    n, m, d = draw(st.integers(smallest, 12)), draw(st.integers(smallest, 12)), draw(st.integers(1, 4))
    return draw(arrays(float, (n, d), elements=NUMBERS)), draw(arrays(float, (m, d), elements=NUMBERS))


def formula(x, y, kernel, biased):
    """Both estimates as Gretton et al. write them, from whole kernel matrices of scikit-learn."""
    function = {"rbf": rbf_kernel, "linear": linear_kernel}[kernel]
    xx, yy, xy = function(x, x), function(y, y), function(x, y)
    if biased:
        return xx.mean() + yy.mean() - 2 * xy.mean()
    n, m = len(x), len(y)
    return (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(), kernel=st.sampled_from(["rbf", "linear"]), biased=st.booleans(), block=st.integers(1, 15))
def test_it_is_what_the_formula_says_whatever_the_blocks(sets, kernel, biased, block):
    found = mmd2(*sets, kernel=kernel, biased=biased, block_size=block)
    assert found == pytest.approx(formula(*sets, kernel, biased), abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(), kernel=st.sampled_from(["rbf", "linear"]), biased=st.booleans())
def test_it_is_the_same_both_ways(sets, kernel, biased):
    x, y = sets
    options = {"kernel": kernel, "biased": biased}
    assert mmd2(x, y, **options) == pytest.approx(mmd2(y, x, **options), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(smallest=1), kernel=st.sampled_from(["rbf", "linear"]))
def test_the_biased_estimate_is_never_below_zero_and_zero_between_a_set_and_itself(sets, kernel):
    x, y = sets
    assert mmd2(x, y, kernel=kernel, biased=True) >= -1e-12
    assert mmd2(x, x, kernel=kernel, biased=True) == pytest.approx(0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(), kernel=st.sampled_from(["rbf", "linear"]), shift=st.sampled_from([-1e3, 0.5, 1e5]))
def test_moving_both_sets_together_changes_nothing(sets, kernel, shift):
    x, y = sets
    assert mmd2(x + shift, y + shift, kernel=kernel) == pytest.approx(mmd2(x, y, kernel=kernel), abs=1e-6)


def test_it_grows_as_the_sets_move_apart():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 200, 8))
    values = [mmd2(x, y + shift) for shift in (0, 0.3, 0.6, 1.2)]
    assert values == sorted(values)
    assert abs(values[0]) < 0.01 < values[1]


def test_half_precision_is_computed_in_double():
    x = np.full((3, 2), 1000, np.float16) + np.arange(3, dtype=np.float16)[:, None]
    assert mmd2(x, x + np.float16(4), kernel="linear", biased=True) == pytest.approx(32)


@pytest.mark.parametrize(("x", "y", "biased", "words"), [
    (np.zeros((1, 3)), np.zeros((5, 3)), False, "1 and 5 samples are too small: the unbiased estimate needs 2"),
    (np.zeros((4, 3)), np.zeros((0, 3)), True, "one sample or more"),
    (np.zeros((4, 3)), np.zeros((4, 2)), False, r"shapes \(4, 3\) and \(4, 2\) cannot be compared"),
    (np.zeros(4), np.zeros(4), False, "cannot be compared"),
    (np.zeros((4, 0)), np.zeros((4, 0)), False, "cannot be compared"),
    (np.zeros((4, 3)), np.full((4, 3), np.nan), False, "Second set holds values that are not finite"),
    (np.full((4, 3), np.inf), np.zeros((4, 3)), False, "First set holds values that are not finite"),
])
def test_sets_that_cannot_be_compared_are_refused(x, y, biased, words):
    with pytest.raises(InputError, match=words):
        mmd2(x, y, biased=biased)


FEATURES = Features(patch=(2, 2, 2), samples=20)


def test_two_modalities_of_the_same_subjects_are_compared_by_swapping_them(tiny_prepared):
    done = []
    domains = [f"{tiny_prepared.folder}:{name}" for name in ("flair", "t1")]
    shift = compare_domains(*domains, features=FEATURES, progress=done.append)
    assert (shift.paired, shift.test.partitions, shift.test.exact) == (3, 4, True)
    assert shift.gamma == 1 / 8
    assert shift.mmd2 == pytest.approx(mmd2(shift.a.values, shift.b.values), abs=1e-12)
    assert shift.mmd2_biased == pytest.approx(mmd2(shift.a.values, shift.b.values, biased=True), abs=1e-12)
    assert done == [case.name for case in tiny_prepared] * 2 + ["kernel"]
    assert shift.notes == ()


def test_a_modality_is_nearer_to_itself_than_to_another(tiny_prepared):
    flair, t1 = (f"{tiny_prepared.folder}:{name}" for name in ("flair", "t1"))
    assert abs(compare_domains(flair, flair, features=FEATURES).mmd2) < 0.02 < 3 * compare_domains(
        flair, t1, features=FEATURES
    ).mmd2


def test_names_that_two_cohorts_share_by_chance_are_other_persons_where_that_is_said(tiny_prepared):
    shift = compare_domains(tiny_prepared, tiny_prepared, features=FEATURES, paired=False)
    assert (shift.paired, shift.test.partitions) == (0, 10)


def test_activations_are_standardised_over_both_domains(tiny_prepared, small_run):
    subjects = [Domain.of(str(tiny_prepared.folder), subjects=[name]) for name in ("ras", "pil")]
    shift = compare_domains(*subjects, features=Features(f"{small_run}:encoder2_relu1", samples=6))
    both = np.concatenate([shift.a.values, shift.b.values])
    np.testing.assert_allclose(both.mean(axis=0), 0, atol=1e-5)
    assert set(both.std(axis=0).round(4)) <= {0, 1}
    assert (shift.test.partitions, shift.test.p) == (1, 1)


def test_the_record_is_json_of_everything_but_samples(tiny_prepared):
    domains = [f"{tiny_prepared.folder}:{name}" for name in ("flair", "t1")]
    record = compare_domains(*domains, features=FEATURES, kernel="linear").to_dict()
    assert json.loads(json.dumps(record)) == json.loads(json.dumps(record, allow_nan=False))
    assert record["a"] == {"name": "out flair", "folder": str(tiny_prepared.folder), "modalities": ["flair"],
                           "subjects": ["ras", "pil", "oblique"], "samples": 60}  # fmt: skip
    assert (record["kernel"], record["gamma"], record["p"]) == ("linear", None, record["smallest_p"])
    assert record["features"]["count"] == 8


def test_a_different_preparation_is_noted(tiny_cohort, tiny_prepared, tmp_path):
    other = prepare(tiny_cohort, tmp_path / "other", normalise="minmax")
    shift = compare_domains(tiny_prepared, other, features=FEATURES)
    assert shift.notes == (
        "out flair+t1 was prepared with normalise zscore, other flair+t1 with minmax: part of the difference may be "
        "that.",
    )


def test_a_run_that_was_trained_on_other_scans_is_noted(tiny_prepared, write_run, tmp_path):
    preparation = {**tiny_prepared.preparation, "normalise": "percentile"}
    run = write_run(tmp_path / "run", preparation, model_options={"width": 2, "depth": 1})
    both = Domain.of(tiny_prepared, subjects=["ras"]), Domain.of(tiny_prepared, subjects=["pil"])
    shift = compare_domains(*both, features=Features(f"{run}:encoder1_relu1", samples=3))
    assert [note.split(" with ")[1:] for note in shift.notes] == [
        [f"normalise zscore, {run}", "percentile: part of the difference may be that."],
    ] * 2


def test_the_same_arguments_give_the_same_numbers(tiny_prepared):
    records = [compare_domains(tiny_prepared, tiny_prepared, features=FEATURES).to_dict() for _ in range(2)]
    assert records[0] == records[1]


def test_a_domain_whose_samples_are_all_equal_is_refused(tiny_prepared, tmp_path):
    shutil.copytree(tiny_prepared.folder, tmp_path / "flat")
    for case in Domain.of(tmp_path / "flat").cases:
        np.save(case.folder / "image.npy", np.ones(case.image.shape, np.float16))
    with pytest.raises(InputError, match=r"All 60 samples of flat flair\+t1 are equal"):
        compare_domains(tiny_prepared, tmp_path / "flat", features=FEATURES)


def test_a_single_sample_of_a_domain_is_refused(tiny_prepared):
    one = Domain.of(tiny_prepared, subjects=["ras"])
    with pytest.raises(InputError, match="Sets of 1 and 1 samples are too small"):
        compare_domains(one, one, features=Features(patch=(2, 2, 2), samples=1))
