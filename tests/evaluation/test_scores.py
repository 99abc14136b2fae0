"""Scores: equal to MedPy and scikit-learn, invariant where they must be, one rule for empty masks."""
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from medpy.metric import binary as medpy
from scipy import ndimage
from sklearn import metrics as sk

from mstl.errors import InputError
from mstl.evaluation.scores import SCORES, read_scores, score_case, summary

SHAPE = (5, 6, 4)
MASKS = arrays(np.uint8, SHAPE, elements=st.integers(0, 1))
SPACING = (3.0, 0.8, 1.25)
DISTANCES = ("hausdorff95_mm", "surface_distance_mm")


def _blobs(seed, shape=(18, 22, 15), sigma=1.2):
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, sigma)
    return (smooth > 1.2 * smooth.std()).astype(np.uint8)


def _pairs():
    rng = np.random.default_rng(0)
    for seed in range(6):
        yield _blobs(seed), _blobs(seed) ^ (_blobs(seed + 100) & (rng.random((18, 22, 15)) < 0.6))
        yield tuple((rng.random((2, 7, 9, 8)) < rng.uniform(0.02, 0.6)).astype(np.uint8))


@pytest.mark.parametrize(("prediction", "reference"), _pairs())
def test_scores_agree_with_medpy(prediction, reference):
    scores = score_case(prediction, reference, spacing=SPACING)
    expected = {
        "dice": medpy.dc(prediction, reference),
        "iou": medpy.jc(prediction, reference),
        "precision": medpy.precision(prediction, reference),
        "sensitivity": medpy.recall(prediction, reference),
        "specificity": medpy.specificity(prediction, reference),
        "hausdorff95_mm": medpy.hd95(prediction, reference, voxelspacing=SPACING),
        "surface_distance_mm": medpy.assd(prediction, reference, voxelspacing=SPACING),
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("prediction", "reference"), _pairs())
def test_scores_agree_with_scikit_learn(prediction, reference):
    truth, guess = reference.ravel(), prediction.ravel()
    expected = {
        "dice": sk.f1_score(truth, guess),
        "iou": sk.jaccard_score(truth, guess),
        "precision": sk.precision_score(truth, guess),
        "sensitivity": sk.recall_score(truth, guess),
        "specificity": sk.recall_score(truth, guess, pos_label=0),
    }
    scores = score_case(prediction, reference, spacing=SPACING)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS)
def test_swapping_the_masks_swaps_only_what_has_a_side(first, second):
    there, back = score_case(first, second, spacing=SPACING), score_case(second, first, spacing=SPACING)
    swapped = {
        **{name: name for name in ("dice", "iou", "lesion_f1", *DISTANCES)},
        "precision": "sensitivity",
        "reference_ml": "prediction_ml",
        "reference_lesions": "predicted_lesions",
    }
    for one, other in swapped.items():
        assert there[one] == pytest.approx(back[other], nan_ok=True)
    assert there["lesion_sensitivity"] == pytest.approx(1 - back["lesion_false_discovery"], nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS)
def test_iou_follows_from_dice(prediction, reference):
    scores = score_case(prediction, reference, spacing=SPACING)
    assert scores["iou"] == pytest.approx(scores["dice"] / (2 - scores["dice"]))


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS, st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_the_order_and_direction_of_axes_do_not_matter(prediction, reference, order, flips):
    moved = [np.flip(mask.transpose(order), tuple(flips)) for mask in (prediction, reference)]
    scores = score_case(prediction, reference, spacing=SPACING)
    assert score_case(*moved, spacing=[SPACING[axis] for axis in order]) == pytest.approx(scores, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS)
def test_background_around_the_masks_changes_nothing_but_specificity(prediction, reference):
    wide = [np.pad(mask, ((2, 0), (0, 3), (1, 1))) for mask in (prediction, reference)]
    scores, padded = score_case(prediction, reference, spacing=SPACING), score_case(*wide, spacing=SPACING)
    del scores["specificity"], padded["specificity"]
    assert padded == pytest.approx(scores, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_a_perfect_prediction_has_perfect_scores(mask):
    assume(0 < mask.sum() < mask.size)
    scores = score_case(mask, mask, spacing=SPACING)
    for name in ("dice", "iou", "precision", "sensitivity", "specificity", "lesion_sensitivity", "lesion_f1"):
        assert scores[name] == 1.0
    for name in ("lesion_false_discovery", *DISTANCES):
        assert scores[name] == 0.0


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS, st.floats(0.1, 10))
def test_distances_grow_with_the_voxels_and_volumes_with_their_cube(prediction, reference, scale):
    scores = score_case(prediction, reference, spacing=SPACING)
    grown = score_case(prediction, reference, spacing=np.multiply(SPACING, scale))
    for name, power in (*((name, 1) for name in DISTANCES), ("reference_ml", 3), ("prediction_ml", 3)):
        assert grown[name] == pytest.approx(scores[name] * scale**power, nan_ok=True)


def test_distances_are_in_millimetres_along_the_right_axis():
    reference, prediction = np.zeros((2, 8, 8, 8), np.uint8)
    reference[2, 2, 2] = prediction[4, 2, 2] = 1
    for order in itertools.permutations(range(3)):
        moved = prediction.transpose(order), reference.transpose(order)
        scores = score_case(*moved, spacing=[(3, 1, 1)[axis] for axis in order])
        assert (scores["hausdorff95_mm"], scores["surface_distance_mm"]) == (6.0, 6.0)
        assert scores["reference_ml"] == pytest.approx(0.003)


def test_both_masks_empty_is_perfect_but_has_no_distance():
    scores = score_case(np.zeros(SHAPE), np.zeros(SHAPE), spacing=SPACING)
    ones = ("dice", "iou", "precision", "sensitivity", "specificity", "lesion_sensitivity", "lesion_f1")
    assert [scores[name] for name in ones] == [1.0] * 7
    assert scores["lesion_false_discovery"] == 0.0
    assert all(math.isnan(scores[name]) for name in DISTANCES)
    assert scores["empty_reference"] == 1


def test_a_false_lesion_on_an_empty_reference_scores_zero():
    prediction = np.zeros(SHAPE, np.uint8)
    prediction[1, 1, 1] = 1
    scores = score_case(prediction, np.zeros(SHAPE), spacing=SPACING)
    assert [scores[name] for name in ("dice", "iou", "precision", "lesion_f1")] == [0.0] * 4
    assert scores["lesion_false_discovery"] == scores["empty_reference"] == 1
    assert all(math.isnan(scores[name]) for name in ("sensitivity", "lesion_sensitivity", *DISTANCES))


def test_nothing_predicted_where_there_are_lesions_scores_zero():
    reference = np.zeros(SHAPE, np.uint8)
    reference[1, 1, 1] = 1
    scores = score_case(np.zeros(SHAPE), reference, spacing=SPACING)
    for name in ("dice", "iou", "sensitivity", "lesion_sensitivity", "lesion_f1", "empty_reference"):
        assert scores[name] == 0.0
    assert all(math.isnan(scores[name]) for name in ("precision", "lesion_false_discovery", *DISTANCES))


def test_a_reference_that_fills_the_volume_has_no_specificity():
    assert math.isnan(score_case(np.ones(SHAPE), np.ones(SHAPE), spacing=SPACING)["specificity"])


def test_lesions_match_by_any_shared_voxel():
    reference, prediction = np.zeros((2, 4, 4, 20), np.uint8)
    reference[1, 1, [0, 5, 6, 7, 12]] = 1  # three lesions
    prediction[1, 1, [7, 8, 9, 15, 18]] = 1  # three lesions, one shares a voxel
    scores = score_case(prediction, reference, spacing=SPACING)
    assert (scores["reference_lesions"], scores["predicted_lesions"]) == (3, 3)
    assert scores["lesion_sensitivity"] == pytest.approx(1 / 3)
    assert scores["lesion_false_discovery"] == pytest.approx(2 / 3)
    assert scores["lesion_f1"] == pytest.approx(1 / 3)


def test_one_prediction_over_two_lesions_detects_both():
    reference, prediction = np.zeros((2, 3, 3, 9), np.uint8)
    reference[1, 1, [1, 5]] = prediction[1, 1, 1:6] = prediction[0, 0, 8] = 1
    scores = score_case(prediction, reference, spacing=SPACING)
    assert (scores["lesion_sensitivity"], scores["lesion_false_discovery"]) == (1.0, 0.5)
    assert scores["lesion_f1"] == pytest.approx(2 / 3)


def test_voxels_that_touch_by_a_corner_are_one_lesion():
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1, 1, 1] = mask[2, 2, 2] = 1
    assert score_case(mask, mask, spacing=SPACING)["reference_lesions"] == 1


@pytest.mark.parametrize("bad", [np.full(SHAPE, 2), np.full(SHAPE, 0.5), np.full(SHAPE, np.nan)])
def test_values_other_than_0_and_1_are_refused(bad):
    with pytest.raises(InputError, match="Reference holds values other than 0 and 1"):
        score_case(np.ones(SHAPE), bad, spacing=SPACING)


@pytest.mark.parametrize("shapes", [((2, 3, 4), (2, 4, 3)), ((2, 3), (2, 3)), ((2, 3, 4, 1), (2, 3, 4, 1))])
def test_masks_that_are_not_3d_and_equal_in_shape_are_refused(shapes):
    with pytest.raises(InputError, match="both must be 3D and equal in shape"):
        score_case(np.zeros(shapes[0]), np.zeros(shapes[1]), spacing=SPACING)


@pytest.mark.parametrize("spacing", [(1, 1), (1, 0, 1), (1, -1, 1), (1, float("nan"), 1), 1])
def test_a_spacing_that_is_not_three_lengths_is_refused(spacing):
    with pytest.raises(InputError, match="three positive lengths"):
        score_case(np.zeros(SHAPE), np.zeros(SHAPE), spacing=spacing)


def test_the_summary_leaves_out_what_is_nan_and_says_over_how_many():
    columns = {name: [1.0, 2.0, 6.0, np.nan] for name in SCORES}
    scores = pd.DataFrame({**columns, "empty_reference": [0, 0, 0, 0]})
    statistics = summary(scores)["scores"]["hausdorff95_mm"]
    assert statistics == pytest.approx({"cases": 3, "median": 2.0, "mean": 3.0, "sd": math.sqrt(7)})


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "cannot be read"), ("case,dice\na,1\n", "lacks the columns subject"), ("# x\n", "cannot be read")],
)
def test_a_file_that_is_no_table_of_scores_is_refused(tmp_path, text, message):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_scores(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_scores(tmp_path / "scores.csv")
