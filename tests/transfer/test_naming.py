import pytest

from mstl.transfer.naming import (
    automatic_names,
    conventional_variables,
    has_automatic,
    is_automatic,
    is_numbered,
    snake_case,
)


@pytest.mark.parametrize("name", ["conv2d", "conv2d_17", "model_1/batch_normalization_v1_3", "conv3d_transpose_2"])
def test_names_that_keras_counts_are_automatic(name):
    assert is_automatic(name)


@pytest.mark.parametrize("name", ["conv0", "conv2d_final", "encoder/conv_1", "my_conv2d_1", "conv2d_1/own", "bn_1"])
def test_names_that_someone_gave_are_not(name):
    assert not is_automatic(name)


def test_names_of_known_classes_are_automatic():
    kinds = automatic_names(["ResBlock", "MyConv2DBlock"])
    assert is_automatic("res_block_1", kinds)
    assert not is_automatic("res_block_1")
    assert is_automatic("my_conv2d_block", kinds)  # as Keras 2 writes it
    assert not is_automatic("res_block_a", kinds)


def test_a_path_is_automatic_by_any_of_its_names():
    assert has_automatic("model_1/conv0")
    assert has_automatic("bi/forward_lstm_1/lstm_cell_3")
    assert not has_automatic("gen/conv0")


def test_a_scope_used_before_has_a_number():
    assert is_numbered("conv0_1", "conv0")
    assert not is_numbered("conv0", "conv0")
    assert not is_numbered("conv0_b", "conv0")
    assert not is_numbered("conv01", "conv0")


@pytest.mark.parametrize(
    ("name", "snake"),
    [("Conv2DTranspose", "conv2d_transpose"), ("BatchNormalization", "batch_normalization"), ("PReLU", "p_re_lu")],
)
def test_classes_are_written_as_keras_3_does(name, snake):
    assert snake_case(name) == snake


@pytest.mark.parametrize(
    ("kind", "count", "names"),
    [
        ("Conv2D", 1, ("kernel",)),
        ("conv3d_transpose_3", 2, ("kernel", "bias")),
        ("SeparableConv2D", 2, ("depthwise_kernel", "pointwise_kernel")),
        ("BatchNormalization", 4, ("gamma", "beta", "moving_mean", "moving_variance")),
        ("BatchNormalization", 3, None),
        ("Conv2D", 3, None),
        ("Unknown", 1, None),
    ],
)
def test_variables_are_named_where_class_and_count_leave_no_doubt(kind, count, names):
    assert conventional_variables(kind, count) == names
