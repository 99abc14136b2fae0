import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models import build_model
from mstl.models.auxiliary import auxiliary_output
from mstl.models.entry import channel_axes
from mstl.models.groups import blocks_of, groups_of
from mstl.models.unet_s5 import unet_s5, unet_s5_generator
from mstl.transfer.freezing import freeze
from mstl.transfer.plan import transfer_weights

HEADS = ("fcn", "psp", "aspp")
CONVOLUTIONS = {  # at width 64, three channels: 3x3 kernels of the encoder, 1x1 and 3x3 of the decoder
    "encoder": 9 * (3 * 64 + 64**2 + sum(f * f // 2 + f * f for f in (128, 256, 512, 1024))),
    "decoder": sum(2 * f * f + 9 * (2 * f * f + f * f) for f in (512, 256, 128, 64)),
}
NORMS = {"encoder": 4 * 2 * (64 + 128 + 256 + 512 + 1024), "decoder": 4 * 3 * (512 + 256 + 128 + 64)}
STATED = {"encoder": 18_855_104, "decoder": 10_108_160, "auxiliary": 74_114}
STATED |= {"fcn": 37_250, "psp": 22_882, "aspp": 41_634}


def tiny(**options):
    keras.utils.set_random_seed(0)
    return unet_s5(**{"channels": 1, "width": 4, **options})


def image(height=32, width=48, channels=1):
    return np.random.default_rng(0).standard_normal((2, height, width, channels)).astype(np.float32)


def count(model, part):
    return sum(layer.count_params() for layer in model.layers if layer.name.startswith(part))


@pytest.mark.parametrize("head", HEADS)
def test_parameters_at_the_published_width_are_those_counted_by_hand(head):
    model = unet_s5(channels=3, num_classes=2, head=head)
    for part, kernels in CONVOLUTIONS.items():
        assert count(model, part) == kernels + NORMS[part] == STATED[part]
    assert count(model, "head") == STATED[head]
    assert count(model, "auxiliary") == STATED["auxiliary"]
    assert model.count_params() == sum(STATED[part] for part in ("encoder", "decoder", head, "auxiliary"))


SMALL = [("fcn", 4, 1, 1), ("psp", 9, 2, 3), ("aspp", 5, 1, 2)]


@pytest.mark.parametrize(("head", "width", "channels", "classes"), SMALL)
def test_the_formulas_of_the_docstring_hold_at_other_widths(head, width, channels, classes):
    w, c, k, n = width, channels, classes, max(width // 4, min(width, 16))
    heads = {
        "fcn": 9 * w * w + 4 * w + k * (w + 1),
        "psp": 9 * n * (w + 4 * n) + 4 * w * n + 20 * n + k * (n + 1),
        "aspp": 29 * w * n + 45 * n * n + 24 * n + k * (n + 1),
    }
    expected = 9 * c * w + 4599 * w * w + 248 * w + 2465 * w * w + 180 * w + heads[head]
    model = unet_s5(channels=c, num_classes=k, width=w, head=head)
    assert model.count_params() == expected + 18 * w * w + 4 * w + k * (w + 1)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("sides", [(16, 16), (48, 80)])
def test_sides_that_16_divides_give_probabilities_of_their_size(head, sides):
    probability = tiny(head=head).predict(image(*sides), verbose=0)
    assert probability.shape == (2, *sides, 1)
    assert probability.dtype == np.float32
    assert 0 <= probability.min() <= probability.max() <= 1


def test_convolving_before_the_interpolation_is_convolving_after_it():
    model = tiny()
    maps = np.random.default_rng(0).standard_normal((1, 4, 6, 64)).astype(np.float32)
    convolution, doubling = model.get_layer("decoder1_reduce_conv"), model.get_layer("decoder1_up")
    assert np.allclose(doubling(convolution(maps)), convolution(doubling(maps)), atol=1e-5)


def test_blocks_are_those_that_the_layers_are_named_after():
    model = tiny(head="aspp")
    blocks = blocks_of(model)
    assert list(blocks) == [*(f"encoder{i}" for i in range(1, 6)), *(f"decoder{i}" for i in range(1, 5)), "head"]
    for block, paths in blocks.items():
        assert {path.split("_")[0] for path in paths} <= {block, "auxiliary" if block == "head" else block}


def test_the_auxiliary_head_sits_on_the_map_of_half_the_sides():
    model = tiny(num_classes=2)
    assert model.get_layer("auxiliary_conv").input is model.get_layer("decoder3_relu2").output
    assert auxiliary_output(model).shape.as_list() == [None, None, None, 2]
    assert auxiliary_output(tiny(auxiliary=False)) is None


def test_the_image_enters_by_one_kernel():
    assert channel_axes(tiny()) == {"encoder1_conv1/kernel": -2}


def test_it_learns_a_bright_square_while_a_frozen_encoder_stays_equal_to_the_bit():
    model = tiny(width=8, head="psp", auxiliary=False)
    freeze(model, "encoder")
    before = {path: model.get_layer(path).get_weights() for path in groups_of(model)["encoder"]}
    images, masks = image(32, 32), np.zeros((2, 32, 32, 1), np.float32)
    masks[:, 8:20, 10:30] = 1
    model.compile(keras.optimizers.Adam(2e-2), "binary_crossentropy")
    losses = [model.train_on_batch(images + 3 * masks, masks) for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]
    for path, weights in before.items():
        assert all(map(np.array_equal, weights, model.get_layer(path).get_weights()))


def test_encoder_and_decoder_of_another_head_and_number_of_classes_go_over(tmp_path):
    source, target = tiny(head="psp", num_classes=3), tiny(head="aspp")
    source.save_weights(tmp_path / "source.h5")
    target.set_weights([value + 1 for value in target.get_weights()])
    report = transfer_weights(tmp_path / "source.h5", target, include=["encoder", "decoder"])
    assert {row.status for row in report.rows if row.target} <= {"load", "excluded"}
    for layer in target.layers:
        if layer.weights and layer.name.startswith(("encoder", "decoder")):
            assert all(map(np.array_equal, layer.get_weights(), source.get_layer(layer.name).get_weights()))


def test_a_model_goes_through_its_configuration_and_its_weights_file(tmp_path):
    model = tiny(head="psp")
    model.save_weights(tmp_path / "weights.h5")
    again = keras.Model.from_config(model.get_config())
    again.load_weights(tmp_path / "weights.h5")
    assert np.array_equal(again(image()), model(image()))


def test_probabilities_are_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = tiny(head="psp", num_classes=2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.output.dtype == auxiliary_output(model).dtype == tf.float32
    assert np.isfinite(model.predict(image(), verbose=0)).all()


def test_the_generator_shares_encoder_and_decoder():
    generator, model = (
        {layer.name: [tuple(value.shape) for value in layer.weights] for layer in network.layers if layer.weights}
        for network in (unet_s5_generator(channels=2, out_channels=2, width=4), tiny(channels=2))
    )
    assert generator.pop("head_image") == [(1, 1, 4, 2), (2,)]
    assert generator == {name: shapes for name, shapes in model.items() if name.startswith(("encoder", "decoder"))}


@pytest.mark.parametrize(("activation", "low"), [("tanh", -1), ("sigmoid", 0)])
def test_the_generator_gives_images_in_the_range_of_its_activation(activation, low):
    generator = build_model("unet-s5-generator", seed=0, channels=1, width=2, activation=activation)
    values = generator.predict(100 * image(), verbose=0)
    assert values.shape == (2, 32, 48, 1)
    assert low <= values.min() < 0.5 < values.max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"channels": 0}, "channels is 0"), ({"width": 0}, "width is 0"), ({"head": "deeplab"}, "head is 'deeplab'")],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny(**options)


@pytest.mark.parametrize(
    ("options", "message"), [({"activation": "relu"}, "activation is 'relu'"), ({"out_channels": 0}, "channels is 0")]
)
def test_the_generator_refuses_arguments_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        unet_s5_generator(channels=1, **options)
