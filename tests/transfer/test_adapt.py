import numpy as np
import pytest

from mstl._keras import tf
from mstl.errors import TransferError
from mstl.transfer.adapt import (
    adapt_channels,
    adapt_statistics,
    adapt_variances,
    check_adapt,
    find_change,
    inflate_kernel,
)

KEEPING = ("mean", "repeat", "truncate")


@pytest.fixture
def kernel():
    return np.random.default_rng(0).standard_normal((3, 3, 3, 5)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_sum_keeps_the_response_to_equal_channels(kernel, channels):
    image = np.random.default_rng(1).standard_normal((1, 16, 16, 1)).astype(np.float32)
    before = tf.nn.conv2d(np.repeat(image, 3, -1), kernel, 1, "SAME")
    after = tf.nn.conv2d(np.repeat(image, channels, -1), adapt_channels(kernel, channels, how="sum"), 1, "SAME")
    assert np.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize(("how", "channels"), [("mean", 1), ("mean", 5), ("repeat", 2), ("repeat", 7), ("truncate", 2)])
def test_the_others_keep_the_variance_of_the_output_for_independent_channels(kernel, how, channels):
    rng = np.random.default_rng(2)

    def variance(kernel):
        noise = rng.standard_normal((1, 200, 200, kernel.shape[-2])).astype(np.float32)
        return tf.nn.conv2d(noise, kernel, 1, "VALID").numpy().var(axis=(0, 1, 2)).sum()

    new = adapt_channels(kernel, channels, how=how)
    assert new.shape == (3, 3, channels, 5)
    assert np.square(new).sum() == pytest.approx(np.square(kernel).sum(), rel=1e-5)
    assert variance(new) == pytest.approx(variance(kernel), rel=0.03)


def test_as_many_channels_as_before_change_nothing(kernel):
    assert np.allclose(adapt_channels(kernel, 3, how="repeat"), kernel, rtol=1e-6)


@pytest.mark.parametrize("how", KEEPING)
def test_a_kernel_of_zeros_stays_zero(how):
    assert not adapt_channels(np.zeros((3, 3, 3, 2), np.float32), 2, how=how).any()


@pytest.mark.parametrize(("how", "channels"), [("sum", 1), ("mean", 5), ("repeat", 7), ("truncate", 2)])
def test_variances_keep_their_sum(kernel, how, channels):
    new = adapt_variances(kernel, channels, how=how)
    assert (new.shape, new.dtype) == ((3, 3, channels, 5), np.float32)
    assert np.exp(new).sum() == pytest.approx(np.exp(kernel).sum(), rel=1e-5)


def test_variances_are_adapted_as_variances():
    change, how = find_change((3, 3, 3, 2, 4), (3, 3, 3, 1, 4), ("sum",), axis=-2, variances=True)
    assert how == "sum of channels"
    assert np.allclose(change(np.full((3, 3, 3, 2, 4), np.log(0.5))), 0)
    assert find_change((3, 3, 3, 2, 4), (3, 3, 3, 1, 4), ("error",), axis=-2, variances=True) is None


def test_statistics_follow_their_channels():
    vector = np.array([1, 2, 6], np.float32)
    assert adapt_statistics(vector, 2, how="mean").tolist() == [3, 3]
    assert adapt_statistics(vector, 4, how="repeat").tolist() == [1, 2, 6, 1]


@pytest.mark.parametrize("how", ["inflate:centre", "inflate:mean"])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_an_inflated_kernel_keeps_the_2d_response_to_equal_sections(kernel, how, depth):
    image = np.random.default_rng(3).standard_normal((1, 12, 12, 3)).astype(np.float32)
    flat = tf.nn.conv2d(image, kernel, 1, "VALID").numpy()
    volume = np.repeat(image[:, None], 7, axis=1)
    deep = tf.nn.conv3d(volume, inflate_kernel(kernel, depth, how=how), [1] * 5, "VALID").numpy()
    assert np.allclose(deep, flat[:, None], atol=1e-4)


def test_the_centre_keeps_the_response_to_every_section_of_its_own(kernel):
    volume = np.random.default_rng(4).standard_normal((1, 7, 12, 12, 3)).astype(np.float32)
    deep = tf.nn.conv3d(volume, inflate_kernel(kernel, 3, how="inflate:centre"), [1] * 5, "VALID").numpy()[0]
    assert np.allclose(deep, tf.nn.conv2d(volume[0, 1:-1], kernel, 1, "VALID"), atol=1e-4)


def test_channels_change_only_where_the_image_enters():
    assert find_change((3, 3, 3, 8), (3, 3, 1, 8), ("sum",), axis=-2)[1] == "sum of channels"
    assert find_change((3, 3, 3, 8), (3, 3, 1, 8), ("sum",), axis=None) is None


@pytest.mark.parametrize(
    ("source", "target"),
    [((3, 3, 3, 8), (3, 3, 3, 16)), ((3, 3, 3, 8), (5, 5, 3, 8)), ((3, 3, 3, 8), (3, 3, 1, 16)), ((8,), (3, 3, 1, 8))],
)
def test_other_widths_and_sizes_stay_mismatches(source, target):
    assert find_change(source, target, ("sum", "inflate:mean"), axis=-2) is None


def test_truncation_does_not_make_channels():
    assert find_change((3, 3, 1, 8), (3, 3, 3, 8), ("truncate",), axis=-2) is None


def test_both_rules_go_together(kernel):
    change, how = find_change((3, 3, 3, 5), (3, 3, 3, 1, 5), ("sum", "inflate:centre"), axis=-2)
    assert how == "inflate:centre, sum of channels"
    assert change(kernel).shape == (3, 3, 3, 1, 5)


@pytest.mark.parametrize("adapt", ["magic", ("sum", "mean"), ("inflate:centre", "inflate:mean")])
def test_wrong_rules_are_refused(adapt):
    with pytest.raises(TransferError, match="expected 'error', or one of"):
        check_adapt(adapt)


def test_spaces_in_a_rule_do_not_matter():
    assert check_adapt("inflate: centre") == ("inflate:centre",)
