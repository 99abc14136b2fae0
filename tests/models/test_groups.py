"""Groups are found in the graph: every layer with weights belongs to one part, and to one block of it."""
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models import unet_resnet34
from mstl.models.groups import groups_of, scope_layers
from mstl.models.recipes import build_model
from mstl.models.tree import layers_of
from tests.networks import NETWORKS, conv_block, nested, sequential, unet

layers = keras.layers
PARTS = ("stem", "encoder", "decoder", "head")


def pair(*names):
    return tuple(f"{name}_{kind}" for name in names for kind in ("conv", "bn"))


def pix2pix_like():
    """Five stride-2 convolutions, a bottleneck, six transposed convolutions with skips; batch norm as trained."""
    image = maps = layers.Input((64, 64, 1))
    skips = []
    for number in range(1, 6):
        maps = layers.Conv2D(2, 4, strides=2, padding="same", name=f"conv_e{number}")(maps)
        maps = layers.LeakyReLU(0.2)(layers.BatchNormalization(name=f"batch_e{number}")(maps, training=True))
        skips.append(maps)
    maps = layers.ReLU()(layers.Conv2D(2, 4, strides=2, padding="same", name="bottleneck")(maps))
    for number, skip in enumerate(reversed(skips), start=1):
        maps = layers.Conv2DTranspose(2, 4, strides=2, padding="same", name=f"conv_d{number}")(maps)
        maps = layers.BatchNormalization(name=f"batch_d{number}")(maps, training=True)
        maps = layers.ReLU()(layers.Concatenate()([maps, skip]))
    maps = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh", name="out")(maps)
    return keras.Model(image, maps)


def with_context():
    """Squeeze and excitation in the encoder, pooled context in the decoder: neither is the bottleneck."""
    image = layers.Input((None, None, 2))
    first = conv_block(image, 4, "e1")
    gate = layers.Dense(4, activation="sigmoid", name="se")(layers.GlobalAveragePooling2D(keepdims=True)(first))
    first = layers.Multiply()([first, gate])
    maps = conv_block(layers.AveragePooling2D()(first), 4, "bridge")
    maps = conv_block(layers.Concatenate()([layers.UpSampling2D()(maps), first]), 4, "d1")
    pooled = layers.Lambda(lambda value: tf.reduce_mean(value, axis=(1, 2), keepdims=True))(maps)
    pooled = conv_block(pooled, 4, "context")
    spread = layers.Lambda(lambda pair: pair[0] + tf.zeros_like(pair[1]))([pooled, maps])
    return keras.Model(image, layers.Conv2D(1, 1, name="head")(layers.Concatenate()([maps, spread])))


ALL = {
    **NETWORKS,
    "pix2pix": pix2pix_like,
    "context": with_context,
    "uneven sides": lambda: unet((19, 23), padding=True),
    "unet-small": lambda: build_model("unet-small", channels=3, width=2),
    "segnet": lambda: build_model("segnet", channels=3, width=2, kernel=3),
}


@pytest.mark.parametrize("build", ALL.values(), ids=ALL)
def test_parts_cover_every_layer_with_weights_once_and_blocks_divide_them(build):
    model = build()
    groups = groups_of(model)
    weighted = sorted(path for path, layer in layers_of(model).items() if layer.weights)
    assert sorted(path for part in PARTS for path in groups.get(part, ())) == weighted
    for part in ("encoder", "decoder"):
        blocks = [paths for name, paths in groups.items() if name.startswith(part) and name != part]
        assert sorted(path for block in blocks for path in block) == sorted(groups.get(part, ()))
    assert all(groups.values())


@pytest.mark.parametrize("build", [NETWORKS["2d"], NETWORKS["3d"], ALL["uneven sides"]], ids=["2d", "3d", "uneven"])
def test_a_unet_has_a_block_for_each_resolution(build):
    assert groups_of(build()) == {
        "encoder": pair("e1", "e2", "bridge"),
        "decoder": pair("d2", "d1"),
        "head": ("head",),
        "encoder1": pair("e1"),
        "encoder2": pair("e2"),
        "encoder3": pair("bridge"),
        "decoder1": pair("d2"),
        "decoder2": pair("d1"),
    }


def test_a_unet_behind_a_convolution_of_one_pixel_has_a_stem():
    groups = groups_of(nested())
    assert groups["stem"] == ("mix",)
    assert groups["encoder1"] == ("inner/e1_conv", "inner/e1_bn")
    assert groups["head"] == ("inner/head",)


def test_a_classifier_has_encoder_and_head_alone():
    assert groups_of(sequential()) == {
        "encoder": ("c1", "b1", "c2"),
        "head": ("dense",),
        "encoder1": ("c1", "b1"),
        "encoder2": ("c2",),
    }


def test_the_generator_of_the_thesis_work_is_divided_at_its_bottleneck():
    groups = groups_of(pix2pix_like())
    assert groups["encoder"][-1] == "bottleneck"
    assert groups["encoder6"] == ("bottleneck",)
    assert groups["decoder1"] == ("conv_d1", "batch_d1")
    assert groups["decoder5"] == ("conv_d5", "batch_d5")
    assert groups["head"] == ("out",)


def test_context_of_the_whole_image_is_no_bottleneck():
    groups = groups_of(with_context())
    assert groups["encoder"] == (*pair("e1")[:1], "e1_bn", "se", *pair("bridge"))
    assert groups["decoder"] == pair("d1", "context")


@pytest.mark.parametrize("stem", ["conv1x1", "direct"])
def test_the_resnet_unet_has_the_five_stages_of_its_encoder_and_of_its_decoder(stem):
    groups = groups_of(unet_resnet34(channels=3, stem=stem))
    names = {name: {path.split("/")[-1] for path in paths} for name, paths in groups.items()}
    assert names["encoder1"] == {"bn_data", "conv0", "bn0"}
    assert "stage1_unit3_conv2" in names["encoder2"]
    assert "stage4_unit3_conv2" in names["encoder5"]
    assert [f"decoder_stage{stage}a_conv" in names[f"decoder{stage + 1}"] for stage in range(5)] == [True] * 5
    assert names["head"] == {"final_conv"}
    assert ("stem" in names) == (stem == "conv1x1")
    assert "encoder6" not in names


def test_a_final_normalisation_belongs_to_the_head_with_its_convolution():
    image = layers.Input((16, 16, 1))
    maps = layers.Conv2D(2, 3, strides=2, name="down")(image)
    maps = layers.BatchNormalization(name="norm")(layers.Conv2D(1, 1, name="last")(maps))
    assert groups_of(keras.Model(image, maps))["head"] == ("last", "norm")


def test_every_output_has_its_head_and_a_residual_end_only_its_last_layer():
    image = layers.Input((16, 16, 1))
    body = layers.Conv2D(2, 3, padding="same", name="body")(image)
    residual = layers.Add()([body, layers.Conv2D(2, 3, padding="same", name="refine")(body)])
    model = keras.Model(image, [residual, layers.Conv2D(1, 1, name="auxiliary")(body)])
    assert groups_of(model)["head"] == ("refine", "auxiliary")


def test_a_shared_layer_belongs_to_one_group():
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    image = layers.Input((16, 16, 2))
    maps = layers.MaxPooling2D()(shared(image))
    maps = layers.UpSampling2D()(shared(maps))
    groups = groups_of(keras.Model(image, layers.Conv2D(1, 1, name="head")(maps)))
    assert groups["encoder"] == ("shared",)
    assert groups["encoder1"] == ("shared",)


def test_a_pooling_by_three_is_followed_where_halvings_are_not():
    image = layers.Input((None, None, 1))
    first = layers.Conv2D(2, 3, padding="same", name="a")(image)
    low = layers.Conv2D(2, 3, padding="same", name="b")(layers.MaxPooling2D(3)(first))
    up = layers.Conv2D(2, 3, padding="same", name="c")(layers.UpSampling2D(3)(low))
    groups = groups_of(keras.Model(image, layers.Conv2D(1, 1, name="head")(layers.Concatenate()([up, first]))))
    assert (groups["encoder"], groups["decoder"]) == (("a", "b"), ("c",))


def test_a_nested_model_without_a_graph_counts_as_one_place():
    class Body(keras.Model):
        def __init__(self):
            super().__init__()
            self.one = layers.Conv2D(2, 3, strides=2, padding="same", name="one")
            self.two = layers.Conv2D(2, 3, padding="same", name="two")

        def call(self, maps):
            return self.two(self.one(maps))

    image = layers.Input((16, 16, 1))
    model = keras.Model(image, layers.Conv2D(1, 1, name="head")(layers.UpSampling2D()(Body()(image))))
    assert {path.split("/")[-1] for path in groups_of(model)["encoder"]} == {"one", "two"}


def test_finding_groups_draws_nothing_and_changes_no_weight():
    model = nested()
    keras.utils.set_random_seed(3)
    expected = tf.random.uniform([3]).numpy()
    keras.utils.set_random_seed(3)
    before = model.get_weights()
    groups_of(model)
    assert (tf.random.uniform([3]).numpy() == expected).all()
    assert all((old == new).all() for old, new in zip(before, model.get_weights(), strict=True))


def test_a_model_without_a_graph_is_refused_but_takes_a_regex():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(1, 1, name="conv")

        def call(self, image):
            return self.conv(image)

    model = Subclassed()
    model(tf.zeros((1, 4, 4, 1)))
    with pytest.raises(InputError, match="no graph"):
        groups_of(model)
    with pytest.raises(InputError, match="no graph"):
        scope_layers(model, "encoder")
    with pytest.raises(InputError, match="means no layer"):
        scope_layers(model, "absent")
    assert scope_layers(model, "con") == {"conv"}


def test_channels_first_are_refused():
    image = layers.Input((1, 16, 16))
    model = keras.Model(image, layers.Conv2D(1, 1, data_format="channels_first", name="conv")(image))
    with pytest.raises(InputError, match=r"conv .*channels first"):
        groups_of(model)


def test_a_model_that_takes_no_size_tried_is_refused():
    def square(maps):
        if maps.shape[1] not in (None, 7):
            raise RuntimeError("seven\nonly")
        return maps

    image = layers.Input((None, None, 1))
    model = keras.Model(image, layers.Conv2D(1, 1)(layers.Lambda(square)(image)))
    with pytest.raises(InputError, match="seven only") as caught:
        groups_of(model)
    assert "\n" not in str(caught.value)


def test_a_scope_is_a_group_a_regex_or_a_list():
    model = nested()
    groups = groups_of(model)
    assert scope_layers(model, "encoder") == set(groups["encoder"])
    assert scope_layers(model, r"e[12]_bn$") == {"inner/e1_bn", "inner/e2_bn"}
    assert scope_layers(model, ["stem", "^inner/head"]) == {"mix", "inner/head"}


def test_a_scope_never_means_a_layer_without_weights():
    assert scope_layers(unet(), "e1_") == {"e1_conv", "e1_bn"}
    with pytest.raises(InputError, match="relu"):
        scope_layers(unet(), "relu")


def test_a_group_that_the_model_lacks_is_not_taken_for_a_regex():
    image = keras.layers.Input((16, 16, 1))
    model = keras.Model(image, keras.layers.Dense(1, name="decoder")(keras.layers.Flatten()(image)))
    with pytest.raises(InputError, match=r"has no group 'decoder'\. Its groups are"):
        scope_layers(model, "decoder")


@pytest.mark.parametrize("scope", ["nothing", ["encoder", "nothing"]])
def test_a_scope_that_means_nothing_names_the_groups_and_an_example(scope):
    with pytest.raises(InputError, match=r"encoder, decoder, head, encoder1.* such as e1_conv"):
        scope_layers(unet(), scope)


def test_a_wrong_regex_is_refused():
    with pytest.raises(InputError, match=r"'conv\(' is neither"):
        scope_layers(unet(), "conv(")
