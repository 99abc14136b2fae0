import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models import build_model, recipe_of, segnet
from mstl.models.entry import channel_axes
from mstl.models.groups import blocks_of, groups_of
from mstl.models.memory import bytes_per_voxel
from mstl.models.sides import side_multiple
from mstl.transfer.freezing import freeze
from mstl.transfer.plan import transfer_weights


def small(**options) -> keras.Model:
    return segnet(**{"channels": 3, "width": 2, "kernel": 3, **options})


@pytest.fixture(scope="module")
def model():
    return build_model("segnet", seed=0, channels=3, width=2, kernel=3)


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_study_s_network_has_the_derived_number_of_parameters():
    with tf.Graph().as_default():  # shapes alone
        assert segnet(channels=3).count_params() == 81_761_281


@pytest.mark.parametrize(("channels", "classes", "width", "kernel"), [(3, 1, 4, 5), (1, 3, 2, 3), (2, 1, 1, 1)])
def test_parameters_follow_the_formula(channels, classes, width, kernel):
    built = segnet(channels=channels, num_classes=classes, width=width, kernel=kernel)
    expected = kernel**2 * width * (798 * width + channels + classes) + 620 * width + classes
    assert built.count_params() == expected


def test_the_encoder_has_the_parameters_of_vgg16():
    with tf.Graph().as_default():  # shapes alone
        built = segnet(channels=3, kernel=3)
        theirs = keras.applications.VGG16(weights=None, include_top=False).count_params()
    convolutions = [layer for layer in built.layers if layer.name.startswith("encoder") and "_conv" in layer.name]
    assert sum(layer.count_params() for layer in convolutions) == theirs == 14_714_688


@pytest.mark.parametrize("sides", [(32, 32), (240, 48), (33, 47)])
def test_any_sides_from_32_give_probabilities_of_their_shape(model, sides):
    probability = model.predict(images(2, *sides, 3), verbose=0)
    assert probability.shape == (2, *sides, 1)
    assert probability.dtype == np.float32
    assert ((probability >= 0) & (probability <= 1)).all()


def test_several_classes_sum_to_one():
    probability = small(num_classes=3)(images(1, 32, 32, 3))
    np.testing.assert_allclose(tf.reduce_sum(probability, -1), 1, atol=1e-5)


def test_its_groups_are_the_blocks_that_its_layers_are_named_after(model):
    groups = groups_of(model)
    for name, count in zip("12345", (2, 2, 3, 3, 3), strict=True):
        block = [f"encoder{name}_{kind}{number}" for number in range(1, count + 1) for kind in ("conv", "bn")]
        assert groups[f"encoder{name}"] == tuple(block)
    for name, count in zip("12345", (3, 3, 3, 2, 1), strict=True):
        block = [f"decoder{name}_{kind}{number}" for number in range(1, count + 1) for kind in ("conv", "bn")]
        assert groups[f"decoder{name}"] == tuple(block)
    assert groups["head"] == ("final_conv",)
    assert len(blocks_of(model)) == 11


def test_the_decoder_mirrors_the_encoder():
    kernels = {layer.name: layer.kernel.shape[2:] for layer in small().layers if isinstance(layer, keras.layers.Conv2D)}
    names = list(kernels)
    for down, up in zip(names[:13], reversed(names[13:]), strict=True):
        assert kernels[down] == kernels[up][::-1] or (down, up) == ("encoder1_conv1", "final_conv")


def test_batch_norm_is_that_of_the_study(model):
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.5, 1e-5)}
    assert small(norm_momentum=0.9).get_layer("encoder1_bn1").momentum == 0.9


def test_what_other_modules_ask_of_a_model_is_answered(model):
    assert side_multiple(model) == 16  # so images of 240, as published, are not padded to 256
    assert channel_axes(model) == {"encoder1_conv1/kernel": -2}
    assert bytes_per_voxel(model) > 0
    assert recipe_of(model) == {"model": "segnet", "channels": 3, "width": 2, "kernel": 3}


def test_a_frozen_encoder_stays_and_everything_else_learns():
    model = small()
    freeze(model, "encoder")
    before = {weight.name: weight.numpy() for weight in model.weights}
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "binary_crossentropy")
    model.fit(images(2, 64, 64, 3), (images(2, 64, 64, 1, seed=1) > 0).astype(np.float32), verbose=0)
    for weight in model.weights:
        same = np.array_equal(before[weight.name], weight.numpy())
        assert same == weight.name.startswith("encoder"), weight.name


def test_weights_of_another_segnet_fill_all_of_it_or_its_encoder(tmp_path):
    source, whole, encoder = small(), small(), small()
    source.save_weights(tmp_path / "source.h5")
    assert len(transfer_weights(tmp_path / "source.h5", whole).loaded) == len(whole.weights)
    np.testing.assert_array_equal(whole(images(1, 32, 32, 3)), source(images(1, 32, 32, 3)))
    loaded = transfer_weights(tmp_path / "source.h5", encoder, include="encoder").loaded
    assert len(loaded) == 13 * 6
    assert all(path.startswith("encoder") for path in loaded)


def test_a_saved_model_comes_back(tmp_path, model):
    model.save(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again(images(1, 33, 32, 3)), model(images(1, 33, 32, 3)))


def test_probabilities_stay_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model(images(1, 32, 40, 3)).dtype == tf.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels is 0; at least 1"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"width": 0}, "width is 0"),
        ({"kernel": 4}, "kernel is 4; an odd number is expected"),
        ({"norm_momentum": 1}, "norm_momentum is 1; a number from 0 up to 1"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)
