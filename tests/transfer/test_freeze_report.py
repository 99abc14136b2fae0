"""What a report says of a model whose flags somebody set by hand."""
from mstl._keras import keras
from mstl.transfer.freeze_report import describe_frozen, frozen_tensors
from tests.networks import nested, sequential, unet

layers = keras.layers


def test_a_model_as_built_has_nothing_frozen():
    report = describe_frozen(unet())
    assert (report.frozen, report.policy) == (0, ())
    assert report.trainable == unet().count_params()


def test_a_nested_model_that_is_frozen_freezes_all_its_layers():
    model = nested()
    model.get_layer("inner").trainable = False
    assert {tensor.layer for tensor in frozen_tensors(model).values()} == {
        path.layer for name, path in frozen_tensors(model).items() if name.startswith("inner/")
    }
    assert describe_frozen(model).trainable == 4


def test_a_flag_up_beneath_a_frozen_model_trains_no_kernel_yet_moves_statistics():
    model = nested()
    inner = model.get_layer("inner")
    inner.trainable = False
    inner.get_layer("e1_bn").trainable = inner.get_layer("e1_conv").trainable = True
    frozen = frozen_tensors(model)
    assert {"inner/e1_conv/kernel", "inner/e1_bn/gamma"} <= set(frozen)
    assert not {"inner/e1_bn/moving_mean", "inner/e1_bn/moving_variance"} & set(frozen)


def test_large_numbers_are_aligned_and_grouped():
    model = sequential()
    model.add(layers.Dense(2000, name="wide"))
    model.get_layer("wide").trainable = False
    lines = str(describe_frozen(model)).splitlines()
    assert lines[-1].endswith("4,000")
    assert len({len(line) for line in lines}) == 1
