"""Smooth random fields."""
import numpy as np

from mstl.data.heads.fields import draw_field

POSITIONS = (np.arange(60.0), np.arange(50.0), np.arange(40.0))


def _values(seed: int = 0, scale: float = 4.0) -> np.ndarray:
    return draw_field(np.random.default_rng(seed), (60, 50, 40), scale=scale)(POSITIONS)


def test_a_field_is_about_standard_normal():
    values = _values()
    assert values.shape == (60, 50, 40)
    assert values.dtype == np.float32
    assert abs(values.mean()) < 0.2
    assert 0.85 < values.std() < 1.15


def test_a_larger_scale_is_smoother():
    fine, coarse = (np.abs(np.diff(_values(scale=scale), axis=0)).mean() for scale in (3.0, 12.0))
    assert coarse < 0.5 * fine


def test_a_field_is_a_function_of_position_alone():
    field = draw_field(np.random.default_rng(1), (60, 50, 40), scale=5.0)
    whole = field(POSITIONS)
    part = field(tuple(along[3:20] for along in POSITIONS))
    np.testing.assert_array_equal(part, whole[3:20, 3:20, 3:20])


def test_equal_seeds_draw_equal_fields():
    np.testing.assert_array_equal(_values(7), _values(7))
    assert not np.array_equal(_values(7), _values(8))
