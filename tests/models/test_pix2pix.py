import json

import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import build_model, recipe_of
from mstl.models.groups import groups_of
from mstl.models.pix2pix import discriminator, generator, segmentation_generator
from mstl.models.tree import tensors_of

WIDTH = 4
TOLERANCE = 1e-4  # of the fixtures: another build of TensorFlow differs in the last bits
ENCODER = ("conv_e1", *(f"{kind}_e{number}" for number in (2, 3, 4, 5) for kind in ("conv", "batch")), "bottleneck")
DECODER = tuple(f"{kind}_d{number}" for number in (1, 2, 3, 4, 5) for kind in ("conv", "batch"))


@pytest.fixture(scope="module")
def fixtures(shared):
    return shared / "fixtures/keras-2021"


@pytest.fixture(scope="module")
def published(fixtures):
    """Inputs and outputs of the published generator, and the arrays of its weights."""
    with np.load(fixtures / "pix2pix_gen_div16_io.npz") as io, np.load(
        fixtures / "pix2pix_gen_div16_weights.npz"
    ) as weights:
        return dict(io), dict(weights)


@pytest.fixture(scope="module")
def segmenter():
    return segmentation_generator(channels=3, width=WIDTH)


def filled(model, weights):
    tensors = tensors_of(model)
    assert set(tensors) == set(weights)
    for path, tensor in tensors.items():
        tensor.value.assign(weights[path])
    return model


def largest_difference(model, published, name, batch_size):
    io, weights = published
    result = filled(model, weights).predict(io["x"], batch_size=batch_size, verbose=0)
    return np.abs(result - io[name]).max()


@pytest.mark.parametrize(("name", "batch_size"), [("y_predict_batch2", 2), ("y_predict_single", 1)])
@pytest.mark.parametrize("sides", [(192, 192), (None, None)])
def test_the_generator_gives_what_the_published_one_gave(published, name, batch_size, sides):
    model = generator(width=WIDTH, image_shape=(*sides, 1))
    assert largest_difference(model, published, name, batch_size) < TOLERANCE


def test_with_moving_statistics_it_gives_what_they_gave(published):
    model = generator(width=WIDTH, norm_mode="moving")
    assert largest_difference(model, published, "y_moving_stats", 2) < TOLERANCE


def test_frozen_it_gives_the_same(published):
    model = generator(width=WIDTH)
    model.trainable = False
    assert largest_difference(model, published, "y_predict_batch2", 2) < TOLERANCE


def test_generator_and_discriminator_give_what_the_published_composite_gave(fixtures):
    models = {"model_1": generator(width=WIDTH), "model_2": discriminator(width=WIDTH)}
    with h5py.File(fixtures / "gan_composite_div16_model.h5") as file:
        for name, model in models.items():
            group = file["model_weights"][name]
            paths = [path.decode() for path in group.attrs["weight_names"]]
            filled(model, {path.split(":")[0]: group[path][()] for path in paths})
    source = keras.layers.Input((192, 192, 1))
    image = models["model_1"](source)
    composite = keras.Model(source, [models["model_2"]([source, image]), image])
    with np.load(fixtures / "gan_composite_div16_io.npz") as io:
        patch, image = composite.predict(io["x"], batch_size=2, verbose=0)
        assert np.abs(patch - io["y_patch"]).max() < TOLERANCE
        assert np.abs(image - io["y_image"]).max() < TOLERANCE


def test_layers_have_the_published_names_in_the_published_order(fixtures):
    with h5py.File(fixtures / "pix2pix_gen_div16_model.h5") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
    assert [layer.name for layer in generator(width=WIDTH).layers] == [layer["name"] for layer in layers]


def test_the_published_file_loads_by_name(fixtures, published):
    model = generator(width=WIDTH)
    model.load_weights(fixtures / "pix2pix_gen_div16_weights.h5", by_name=True)
    assert all(np.array_equal(tensor.value, published[1][path]) for path, tensor in tensors_of(model).items())


def parameters_of_generator(width, channels, out_channels):
    """Weights and biases of 4x4 convolutions, and four numbers a channel for each batch norm, summed by hand."""
    filters = [width * factor for factor in (1, 2, 4, 8, 8)]
    down = zip([channels, *filters], [*filters, filters[-1]], strict=True)
    back = zip([filters[-1], *(2 * skip for skip in filters[::-1])], [*filters[::-1], out_channels], strict=True)
    convolutions = sum(16 * before * after + after for before, after in (*down, *back))
    return convolutions + 4 * (sum(filters[1:]) + sum(filters))


def test_full_width_has_the_stated_number_of_parameters():
    assert generator().count_params() == parameters_of_generator(64, 1, 1) == 29_247_105


def test_full_discriminator_has_the_stated_number_of_parameters():
    model = discriminator()
    assert model.count_params() == 6_964_161
    assert model.output_shape == (None, 12, 12, 1)


def test_channels_and_classes_are_free(segmenter):
    assert generator(width=WIDTH, image_shape=(64, 64, 3), out_channels=2).output_shape == (None, 64, 64, 2)
    assert segmenter.predict(np.zeros((1, 64, 128, 3)), verbose=0).shape == (1, 64, 128, 1)
    several = segmentation_generator(channels=2, num_classes=3, width=WIDTH, sides=(64, 64))
    probability = several.predict(np.ones((1, 64, 64, 2)), verbose=0)
    assert np.allclose(probability.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(("activation", "lowest"), [("tanh", -1), ("sigmoid", 0)])
def test_images_stay_in_the_range_of_the_activation(activation, lowest):
    model = generator(width=WIDTH, image_shape=(64, 64, 1), activation=activation)
    model.set_weights([50 * array for array in model.get_weights()])
    image = model.predict(np.random.default_rng(0).normal(size=(2, 64, 64, 1)), verbose=0)
    assert lowest <= image.min() < lowest + 0.1
    assert 0.9 < image.max() <= 1


def test_fresh_weights_are_drawn_as_published():
    for model in (generator(width=8), segmentation_generator(channels=1, width=8), discriminator(width=8)):
        kernels = [tensor.value.numpy().ravel() for tensor in tensors_of(model).values() if tensor.variable == "kernel"]
        assert np.std(np.concatenate(kernels)) == pytest.approx(0.02, rel=0.02)
        assert np.mean(np.concatenate(kernels)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("norm_mode", ["batch", "moving"])
def test_predicting_twice_gives_the_same_and_changes_nothing(norm_mode):
    model = segmentation_generator(channels=1, width=WIDTH, norm_mode=norm_mode)
    image, before = np.random.default_rng(0).normal(size=(2, 64, 64, 1)), model.get_weights()
    first, second = (model.predict(image, verbose=0) for _ in range(2))
    assert np.array_equal(first, second)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_with_instance_norm_each_image_and_channel_is_normalised_by_itself():
    model = generator(width=WIDTH, image_shape=(64, 64, 1), norm_mode="instance")
    images = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 1)).astype(np.float32)
    images[1] = images[1] ** 3
    together = model(images).numpy()
    alone = np.concatenate([model(image[None]).numpy() for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    before, after = (keras.Model(model.input, model.get_layer(name).output)(images).numpy()
                     for name in ("conv_e2", "batch_e2"))  # fmt: skip
    mean, variance = before.mean((1, 2), keepdims=True), before.var((1, 2), keepdims=True)
    epsilon = model.get_layer("batch_e2").epsilon
    np.testing.assert_allclose(after, (before - mean) / np.sqrt(variance + epsilon), atol=1e-3)


def test_a_segmenter_that_rescales_sees_what_the_tanh_generator_saw():
    shape = {"channels": 1, "width": WIDTH, "norm_mode": "instance"}
    given, mapped = segmentation_generator(**shape, rescale=False), segmentation_generator(**shape)
    mapped.set_weights(given.get_weights())
    images = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    np.testing.assert_allclose(mapped(images), given(2 * images - 1), atol=1e-6)
    assert {layer.name for layer in mapped.layers} - {layer.name for layer in given.layers} == {"rescaling"}


def test_dropout_that_is_always_on_draws_each_prediction():
    model = generator(width=WIDTH, image_shape=(64, 64, 1), dropout_mode="always")
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 1))
    assert not np.array_equal(*(model.predict(image, verbose=0) for _ in range(2)))


def test_training_with_a_frozen_encoder_changes_the_rest_only():
    model = segmentation_generator(channels=1, width=WIDTH)
    for path in ENCODER:
        model.get_layer(path).trainable = False
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")  # small gradients, beside a gamma of 1
    before = {path: tensor.value.numpy() for path, tensor in tensors_of(model).items()}
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.normal(size=(2, 64, 64, 1)), rng.integers(0, 2, (2, 64, 64, 1)))
    for path, tensor in tensors_of(model).items():
        unchanged = np.array_equal(before[path], tensor.value)
        if tensor.layer in ENCODER or tensor.variable != "bias":  # a norm behind it leaves a bias no gradient
            assert unchanged == (tensor.layer in ENCODER), path


def test_mixed_precision_gives_float32_images():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = segmentation_generator(channels=1, width=WIDTH)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.predict(np.ones((1, 64, 64, 1)), verbose=0).dtype == np.float32


def test_the_groups_of_the_generator_are_its_parts():
    groups = groups_of(generator(width=WIDTH))
    assert groups["encoder"] == ENCODER
    assert groups["decoder"] == DECODER
    assert groups["head"] == ("conv2d_transpose_1",)


def test_the_encoder_of_the_segmenter_is_that_of_the_generator(segmenter):
    groups = groups_of(segmenter)
    assert groups["encoder"] == ENCODER
    assert groups["decoder"][: len(DECODER)] == DECODER
    assert groups["head"][-1] == "conv2d_1"


def test_both_are_built_by_name():
    image = {"image_shape": (64, 64, 1), "width": WIDTH}
    assert recipe_of(build_model("pix2pix-generator", **image)) == {"model": "pix2pix-generator", **image}
    assert build_model("pix2pix-segmenter", channels=2, width=WIDTH).input_shape == (None, None, None, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (200, 160, 1)}, r"Images of \(200, 160\) .* Pad them to \(256, 192\), multiples of 64"),
        ({"image_shape": (64, 64)}, r"image_shape is \(64, 64\); \(height, width, channels\) is expected"),
        ({"image_shape": (64, 64, 0)}, "channels is 0; at least 1"),
        ({"width": 0}, "width is 0; at least 1"),
        ({"out_channels": 0}, "out_channels is 0; at least 1"),
        ({"activation": "relu"}, "activation is 'relu'; expected one of tanh, sigmoid"),
        ({"norm_mode": "group"}, "norm_mode is 'group'; expected one of batch, moving"),
        ({"dropout": 1.0}, "dropout is 1.0; from 0 to below 1"),
        ({"dropout_mode": "never"}, "dropout_mode is 'never'; expected one of training, always"),
    ],
)
def test_invalid_arguments_say_what_is_expected(arguments, message):
    with pytest.raises(InputError, match=message):
        generator(**{"width": WIDTH, **arguments})


def test_the_segmenter_and_the_discriminator_check_theirs():
    with pytest.raises(InputError, match="num_classes is 0"):
        segmentation_generator(channels=1, num_classes=0)
    with pytest.raises(InputError, match="channels is 0"):
        segmentation_generator(channels=0)
    with pytest.raises(InputError, match="out_channels is 0"):
        discriminator(out_channels=0)
