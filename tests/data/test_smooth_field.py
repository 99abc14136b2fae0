import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.smooth_field import control_points, smooth_field


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32), cells=st.integers(1, 5),
    sides=st.lists(st.integers(1, 20), min_size=1, max_size=3),
)
def test_a_field_stays_in_the_range_of_its_control_points(seed, cells, sides):
    control = np.random.default_rng(seed).uniform(-2, 3, len(sides) * (control_points(cells),))
    field = smooth_field(control, sides)
    assert field.shape == tuple(sides)
    assert field.dtype == np.float32
    assert control.min() - 1e-5 <= field.min() <= field.max() <= control.max() + 1e-5


def test_straight_control_points_give_a_straight_field():
    field = smooth_field(np.arange(-1, control_points(4) - 1), [33])
    assert np.allclose(field, np.linspace(0, 4, 33), atol=1e-5)


def test_a_block_is_a_part_of_the_whole():
    control = np.random.default_rng(0).random((6, 6, 6))
    block = (slice(3, 9), slice(0, 5), slice(7, 8))
    assert np.array_equal(smooth_field(control, (9, 8, 10), block), smooth_field(control, (9, 8, 10))[block])
