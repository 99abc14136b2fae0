"""Regions: sets of labels, each scored as a mask of its own."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mstl.data.labels import to_labels
from mstl.errors import InputError
from mstl.evaluation.regions import read_regions, region_rule, regions_of, regions_path, score_regions
from mstl.evaluation.scores import score_case

CLASSES = arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 3))


@pytest.mark.parametrize(
    ("labels", "core", "enhancing"),
    [((1, 2, 4), (1, 4), (4,)), ((4, 2, 1), (1, 4), (4,)), ((1, 2, 3), (1, 3), (3,))],
)
def test_the_labels_of_brats_have_its_regions(labels, core, enhancing):
    regions = regions_of(labels)
    assert regions["whole"] == tuple(sorted(labels))
    assert (regions["core"], regions["enhancing"]) == (core, enhancing)
    assert list(regions)[: len(labels)] == [f"label {label}" for label in sorted(labels)]


def test_other_labels_have_regions_of_their_own_only():
    assert regions_of((1, 2)) == {"label 1": (1,), "label 2": (2,)}
    assert "core" not in regions_of((1, 2, 3, 4))
    assert regions_of((1, 2, 3), named={"core": (2, 3)})["core"] == (2, 3)


def test_the_decathlon_numbers_the_same_tumours_otherwise():
    assert regions_of((1, 2, 3), dataset="msd")["core"] == (2, 3)
    assert regions_of((1, 2, 3), dataset="brats2023")["core"] == (1, 3)


@pytest.mark.parametrize("members", [(), (5,), (1, 5)])
def test_regions_of_labels_that_no_mask_holds_are_refused(members):
    with pytest.raises(InputError, match="Region 'core' is of labels"):
        regions_of((1, 2, 4), named={"core": members})


@settings(max_examples=20, deadline=None)
@given(CLASSES, CLASSES)
def test_a_year_that_stores_3_for_enhancing_has_the_scores_of_one_that_stores_4(prediction, reference):
    rows = []
    for labels in ((1, 2, 4), (1, 2, 3)):
        regions = {name: regions_of(labels)[name] for name in ("whole", "core", "enhancing")}
        masks = to_labels(prediction, labels), to_labels(reference, labels)
        rows.append(score_regions(*masks, spacing=(1, 1, 2), regions=regions))
    np.testing.assert_equal(rows[0], rows[1])


@settings(max_examples=20, deadline=None)
@given(CLASSES, CLASSES)
def test_the_region_of_all_labels_is_the_whole_lesion(prediction, reference):
    (row,) = score_regions(prediction, reference, spacing=(1, 1, 2), regions={"all": (1, 2, 3)})
    assert row.pop("region") == "all"
    np.testing.assert_equal(row, score_case(prediction > 0, reference > 0, spacing=(1, 1, 2)))


def test_the_rule_names_the_labels_of_every_region():
    assert "core = 1 + 4; enhancing = 4" in region_rule(regions_of((1, 2, 4)))


def test_a_table_of_scores_is_no_table_of_regions(tmp_path):
    path = regions_path(tmp_path / "scores.csv")
    assert path == tmp_path / "scores_regions.csv"
    path.write_text("case,subject,session,dice\na,a,,1\n")
    with pytest.raises(InputError, match="lacks the columns region"):
        read_regions(path)
