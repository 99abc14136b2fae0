"""Sliding windows: a mean over windows, whose weights sum to one at each voxel."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.errors import InputError
from mstl.evaluation.sliding_window import axis_windows, sliding_window

SHAPE = (11, 14, 9)


def image(shape=SHAPE, *, seed=0, channels=2):
    """Noise that is nowhere 0."""
    return np.random.default_rng(seed).uniform(0.1, 1, (*shape, channels)).astype(np.float16)


def pointwise(windows):
    """Two probabilities that depend on nothing but a voxel's own first channel."""
    return np.stack([1 - windows[..., 0], windows[..., 0]], axis=-1)


class Recorder:
    """A model that remembers the shapes of what it saw."""

    def __init__(self, model=pointwise):
        self.model, self.shapes = model, []

    def __call__(self, windows):
        assert windows.dtype == np.float32
        self.shapes.append(windows.shape)
        return self.model(windows)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(1, 9)] * 3),
    st.floats(0, 0.9),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_windows_of_a_pointwise_model_give_what_one_pass_gives(shape, window, overlap, multiple, batch_size):
    volume = image(shape)
    choice = {"window": window, "overlap": overlap, "multiple": multiple, "batch_size": batch_size}
    probability = sliding_window(pointwise, volume, classes=2, **choice)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, pointwise(volume.astype(np.float32)), atol=1e-6)
    assert probability.min() >= 0
    assert probability.max() <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 0.95))
def test_weights_sum_to_one_at_each_voxel_and_windows_overlap_as_asked(length, side, overlap):
    side = min(length, side)
    windows = axis_windows(length, side, overlap)
    total = np.zeros(length)
    for start, weights in windows:
        total[start : start + side] += weights
    np.testing.assert_allclose(total, 1)
    starts = [start for start, _ in windows]
    assert (starts[0], starts[-1] + side) == (0, length)
    assert np.all(np.diff(starts) <= max(1, np.ceil(side * (1 - overlap))))


def test_the_middle_of_a_window_counts_more_than_its_rim():
    (_, first), (_, second) = axis_windows(12, 8, 0.5)
    assert np.array_equal(first[:4], np.ones(4))
    assert np.all(np.diff(first[4:]) < 0)
    np.testing.assert_allclose(first[4:], second[:4][::-1])


def test_without_overlap_windows_tile_the_volume():
    model = Recorder()
    sliding_window(model, image((8, 12, 4)), window=(4, 4, 4), overlap=0, classes=2)
    assert model.shapes == [(1, 4, 4, 4, 2)] * 6


def test_windows_at_the_border_are_shifted_inside():
    number = np.arange(1, 1 + np.prod(SHAPE), dtype=np.float32).reshape(*SHAPE, 1)
    model = Recorder(lambda windows: windows * (windows > 0) / number.size)
    probability = sliding_window(model, number, window=(8, 8, 8), overlap=0.5, classes=1)
    np.testing.assert_allclose(probability, number / number.size, rtol=1e-5)
    assert len(model.shapes) == 2 * 3 * 2


def test_a_volume_smaller_than_the_window_is_padded_with_background():
    seen = []
    sliding_window(lambda windows: seen.append(windows) or windows, image((3, 9, 4), channels=1), window=(6, 8, 8),
                   overlap=0, classes=1)  # fmt: skip
    assert [windows.shape for windows in seen] == [(1, 6, 8, 8, 1)] * 2
    inner = seen[0][0, 1:4, :, 2:6]
    assert inner.all()
    assert np.count_nonzero(seen[0]) == inner.size


def test_sides_are_rounded_up_to_what_the_model_needs():
    model = Recorder()
    sliding_window(model, image((20, 20, 20)), window=(5, 8, 9), overlap=0, classes=2, multiple=4)
    assert set(model.shapes) == {(1, 8, 8, 12, 2)}


def test_no_window_is_one_pass_over_the_padded_volume():
    model = Recorder()
    probability = sliding_window(model, image(), window=None, classes=2, multiple=8)
    assert model.shapes == [(1, 16, 16, 16, 2)]
    assert np.array_equal(probability, pointwise(image().astype(np.float32)))


def test_windows_come_in_batches():
    model = Recorder()
    sliding_window(model, image((8, 12, 4)), window=(4, 4, 4), overlap=0, classes=2, batch_size=4)
    assert [shape[0] for shape in model.shapes] == [4, 2]


@pytest.mark.parametrize("classes", [1, 3])
def test_what_has_no_brain_is_background_and_costs_nothing(classes):
    volume = np.zeros((40, 8, 8, 1), np.float16)
    volume[2:6, 2:6, 2:6] = volume[34:38, 2:6, 2:6] = 1
    model = Recorder(lambda windows: np.full((*windows.shape[:4], classes), 1 / max(classes, 2), np.float32))
    probability = sliding_window(model, volume, window=(8, 8, 8), overlap=0, classes=classes)
    assert len(model.shapes) == 2
    none = np.eye(max(classes, 2), dtype=np.float32)[0][-classes:] if classes > 1 else np.zeros(1)
    assert np.array_equal(probability[16:24], np.broadcast_to(none, (8, 8, 8, classes)))
    assert np.all(probability[2:6] == 1 / max(classes, 2))
    empty = sliding_window(model, volume * 0, window=None, classes=classes)
    assert np.array_equal(empty, np.broadcast_to(none, (*volume.shape[:3], classes)))
    assert len(model.shapes) == 2


def test_windows_stay_at_the_brain():
    volume = np.zeros((64, 64, 64, 1), np.float16)
    volume[20:44, 20:44, 50:60] = 1
    model = Recorder(lambda windows: windows)
    probability = sliding_window(model, volume, window=(16, 16, 16), classes=1)
    np.testing.assert_allclose(probability, volume, atol=1e-6)
    assert len(model.shapes) == 3 * 3 * 1


@pytest.mark.parametrize("overlap", [-0.1, 1, 1.5, float("nan")])
def test_an_overlap_that_is_no_part_of_a_side_is_refused(overlap):
    with pytest.raises(InputError, match="at least 0 and below 1"):
        sliding_window(pointwise, image(), window=(4, 4, 4), classes=2, overlap=overlap)


@pytest.mark.parametrize("window", [(4, 4), (4, 0, 4), (4, 4, -4), (4, 4.5, 4)])
def test_sides_that_are_not_three_positive_numbers_are_refused(window):
    with pytest.raises(InputError, match="three positive sides"):
        sliding_window(pointwise, image(), window=window, classes=2)


def test_windows_cover_the_brain_that_is_named_where_values_are_0():
    volume = image((1, 12, 16))
    volume[:, :, 8:] = 0
    options = {"window": (1, 4, 4), "classes": 1, "brain": np.ones(volume.shape[:3], bool)}
    found = sliding_window(half_as_bright, volume, **options)
    np.testing.assert_allclose(found, half_as_bright(np.float32(volume)), atol=1e-6)
    options["brain"][:, :, 4:] = False
    assert not sliding_window(half_as_bright, volume, **options)[:, :, 8:].any()


def half_as_bright(windows):
    return windows[..., :1] / 2 + 0.25
