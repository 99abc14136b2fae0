"""The weight of a lesion's voxel is what the slices that are drawn have of background for each."""
from types import SimpleNamespace

import pytest

from mstl.errors import InputError
from mstl.training.pos_weight import even_cut, pos_weight_of

FIRST = SimpleNamespace(shape=(5, 10, 10), lesion_voxels=[0, 10, 10, 0, 0], brain_voxels=[0, 40, 50, 40, 30])
SECOND = SimpleNamespace(shape=(3, 10, 20), lesion_voxels=[0, 0, 20], brain_voxels=[50, 60, 70])


@pytest.mark.parametrize(
    ("keep", "slices"),
    [
        ("all", 5 * 100 + 3 * 200),
        ("brain", 4 * 100 + 3 * 200),
        ("lesion", 2 * 100 + 200),
        ("balanced", 2 * 100 + 200 + 3 / 4 * (2 * 100 + 2 * 200)),
    ],
)
def test_it_is_the_background_for_each_lesion_voxel_of_the_slices_drawn(keep, slices):
    assert pos_weight_of([FIRST, SECOND], keep=keep) == pytest.approx((slices - 40) / 40)


def test_fewer_slices_without_lesion_than_with_are_all_drawn():
    case = SimpleNamespace(shape=(3, 10, 10), lesion_voxels=[5, 5, 0], brain_voxels=[50, 50, 50])
    assert pos_weight_of([case], keep="balanced") == pos_weight_of([case], keep="all") == 29


def test_it_stays_within_reason():
    rare = SimpleNamespace(shape=(2, 100, 100), lesion_voxels=[1, 0], brain_voxels=[9, 9])
    large = SimpleNamespace(shape=(1, 4, 4), lesion_voxels=[12], brain_voxels=[16])
    assert pos_weight_of([rare]) == 100
    assert pos_weight_of([large]) == 1


def test_cases_without_lesion_are_refused():
    empty = SimpleNamespace(shape=(1, 4, 4), lesion_voxels=[0], brain_voxels=[16])
    with pytest.raises(InputError, match=r"No training case has a lesion voxel.*Give it, as pos_weight=25"):
        pos_weight_of([empty])


def test_a_voxel_as_likely_lesion_as_not_is_cut_in_two():
    assert even_cut(None) == even_cut(1.0) == 0.5
    assert even_cut(25.0) == pytest.approx(25 / 26)
