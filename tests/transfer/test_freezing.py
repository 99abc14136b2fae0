"""Frozen is frozen to the bit, moving statistics included, whatever the model, policy, optimizer or moment."""
import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models import build_model, unet_resnet34
from mstl.models.groups import groups_of
from mstl.models.tree import layers_of, tensors_of
from mstl.transfer.freeze_report import frozen_tensors
from mstl.transfer.freezing import freeze
from tests.networks import NETWORKS, nested, sequential, unet

layers = keras.layers
STATISTICS = ("moving_mean", "moving_variance")
POLICIES = ("none", "encoder", "all-but-head", "middle", "first:5", "encoder1", r"_bn$|b1$", ("head", "first:2"))


def values(model):
    return {path: tensor.value.numpy() for path, tensor in tensors_of(model).items()}


def compile_with(model, optimizer=None, **arguments):
    optimizer = optimizer or keras.optimizers.AdamW(1e-2, weight_decay=0.1)
    model.compile(optimizer, "binary_crossentropy", **arguments)
    return model


def batch(model, images=2):
    sides = [side or 8 for side in model.input_shape[1:-1]]
    random = np.random.default_rng(0)
    target = (images, *(sides if len(model.output_shape) > 2 else ()), 1)
    return random.normal(1, 2, (images, *sides, model.input_shape[-1])), random.integers(0, 2, target)


def changed(model, steps=3, **shape):
    """Paths of the tensors that training moves."""
    before, data = values(model), batch(model, **shape)
    for _ in range(steps):
        model.train_on_batch(*data)
    after = values(model)
    return {path for path in before if not np.array_equal(before[path], after[path])}


def assert_kept(model, moved):
    """Nothing frozen moved; of every other layer something did, and all of its statistics."""
    frozen = set(frozen_tensors(model))
    assert not moved & frozen
    free = {path: tensor for path, tensor in tensors_of(model).items() if path not in frozen}
    assert {path for path, tensor in free.items() if tensor.variable in STATISTICS} <= moved
    assert {tensor.layer for tensor in free.values()} == {path.rpartition("/")[0] for path in moved}


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_three_steps_move_nothing_that_is_frozen_and_all_that_is_not(build, policy):
    model = build()
    report = freeze(model, policy)
    assert_kept(model, changed(compile_with(model, run_eagerly=True)))
    assert report.trainable + report.frozen == model.count_params()
    assert report.frozen == sum(tensor.value.numpy().size for tensor in frozen_tensors(model).values())


OURS = {
    "pix2pix-generator": {"image_shape": (64, 64, 1), "width": 2, "activation": "sigmoid"},
    "pix2pix-segmenter": {"channels": 1, "sides": (64, 64), "width": 2},
    "unet-small": {"channels": 2, "width": 2, "depth": 2},
}


@pytest.mark.parametrize("policy", ["encoder", "middle", "first:9"])
@pytest.mark.parametrize("name", OURS)
def test_three_steps_of_our_networks_move_nothing_that_is_frozen_and_all_that_is_not(name, policy):
    model = build_model(name, seed=0, **OURS[name])
    freeze(model, policy)
    assert_kept(model, changed(compile_with(model, run_eagerly=True)))


@pytest.mark.parametrize("optimizer", [
    keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1),
    keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=1),
    keras.optimizers.legacy.Adam(0.01),
], ids=["sgd", "averaged adam", "legacy adam"])  # fmt: skip
def test_no_optimizer_moves_what_is_frozen(optimizer):
    model = nested()
    freeze(model, "encoder")
    assert_kept(model, changed(compile_with(model, optimizer)))


def test_a_regulariser_moves_nothing_that_is_frozen():
    image = layers.Input((8, 8, 2))
    maps = layers.Conv2D(2, 3, strides=2, kernel_regularizer="l2", name="down")(image)
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(layers.Flatten()(maps)[:, None, None]))
    freeze(model, "down")
    model.compile("sgd", "mse")
    before = values(model)
    model.train_on_batch(np.ones((2, 8, 8, 2)), np.ones((2, 1, 1, 1)))
    assert np.array_equal(before["down/kernel"], values(model)["down/kernel"])


@pytest.mark.parametrize(("stem", "policy"), [("conv1x1", "encoder"), ("direct", "first:25")])
def test_the_resnet_unet_keeps_what_is_frozen(stem, policy):
    model = unet_resnet34(channels=3, stem=stem)
    freeze(model, policy)
    data = np.random.default_rng(0).normal(size=(2, 32, 32, 3)), np.ones((2, 32, 32, 1))
    before = values(model)
    compile_with(model, run_eagerly=True).train_on_batch(*data)
    after = values(model)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert not moved & set(frozen_tensors(model))
    assert {path.split("/")[-1] for path in moved} >= {"moving_mean", "moving_variance", "kernel"}


@pytest.mark.parametrize(
    ("policy", "trained"),
    [
        ("none", {"e1", "e2", "bridge", "d2", "d1", "head"}),
        ("encoder", {"d2", "d1", "head"}),
        ("decoder", {"e1", "e2", "bridge", "head"}),
        ("all-but-head", {"head"}),
        ("middle", {"e1", "d1", "head"}),
        ("first:5", {"e2", "bridge", "d2", "d1", "head"}),
        ("^e[12]_", {"bridge", "d2", "d1", "head"}),
        (("encoder2", "head"), {"e1", "bridge", "d2", "d1"}),
        ((), {"e1", "e2", "bridge", "d2", "d1", "head"}),
    ],
)
def test_a_policy_means_these_layers(policy, trained):
    model = unet()
    freeze(model, policy)
    assert {path.split("_")[0] for path, layer in layers_of(model).items() if layer.trainable_weights} == trained


def test_middle_of_a_network_behind_a_stem_leaves_the_stem_training():
    model = nested()
    freeze(model, "middle")
    assert {path for path, layer in layers_of(model).items() if layer.trainable_weights} == {
        "mix", "inner/e1_conv", "inner/e1_bn", "inner/d1_conv", "inner/d1_bn", "inner/head",
    }  # fmt: skip


def test_first_layers_are_counted_with_inputs_and_activations_and_nested_models_are_entered():
    model = nested()
    freeze(model, "first:7")
    frozen = [path for path, layer in layers_of(model).items() if not layer.trainable]
    assert frozen[:6] == ["image", "mix", "inner/inner_image", "inner/e1_conv", "inner/e1_bn", "inner/e1_relu"]
    assert [type(layers_of(model)[path]) for path in frozen[6:]] == [layers.MaxPooling2D]


def test_the_published_way_of_counting_gives_the_same_frozen_arrays(shared):
    folder = shared / "fixtures" / "keras-2021"
    model = fixture_unet()
    base, frozen = np.load(folder / "unet2d_c4_base.npz"), np.load(folder / "unet2d_c4_frozen.npz")
    names = {name for name in base.files if name.startswith("w/")}
    order = [path for path, layer in layers_of(model).items() if layer.weights]
    published = {name for name in names if np.array_equal(base[name], frozen[name])}
    freeze(model, f"first:{int(frozen['n_frozen'])}")
    assert {f"w/{path}" for path in frozen_tensors(model)} == published
    assert len(names) == len(tensors_of(model))
    assert order[:2] == ["conv2d_1", "batch_normalization_1"]


def fixture_unet():
    """The four-class U-Net of the fixtures, its layers named as Keras 2.3.1 counted them."""
    counts = {}

    def named(kind, *arguments, **settings):
        word = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization"}[kind.__name__]
        counts[word] = counts.get(word, 0) + 1
        return kind(*arguments, name=f"{word}_{counts[word]}", **settings)

    def block(maps, width):
        for _ in range(2):
            maps = named(layers.BatchNormalization)(named(layers.Conv2D, width, 3, padding="same")(maps))
            maps = layers.Activation("relu")(maps)
        return maps

    image = layers.Input((64, 64, 2))
    skips = [block(image, 8)]
    skips.append(block(layers.MaxPooling2D()(skips[0]), 16))
    maps = layers.Dropout(0.2)(block(layers.MaxPooling2D()(skips[1]), 32))
    for skip, width in ((skips[1], 16), (skips[0], 8)):
        up = named(layers.Conv2D, width, 2, padding="same", activation="relu")(layers.UpSampling2D()(maps))
        maps = block(layers.Concatenate()([skip, up]), width)
    return keras.Model(image, named(layers.Conv2D, 4, 1, activation="softmax")(maps))


@pytest.mark.parametrize("build", [unet, nested], ids=["plain", "nested"])
def test_norm_train_leaves_the_normalisations_of_the_frozen_part_training(build):
    model = build()
    freeze(model, "encoder", norm="train")
    moved = changed(compile_with(model, run_eagerly=True))
    assert_kept(model, moved)
    prefix = "inner/" if build is nested else ""
    assert {f"{prefix}e1_bn/{name}" for name in STATISTICS} <= moved
    assert f"{prefix}e1_conv/kernel" in frozen_tensors(model)


@pytest.mark.parametrize(
    "norm", [layers.LayerNormalization, lambda name: layers.GroupNormalization(2, name=name)], ids=["layer", "group"]
)
def test_norm_train_means_every_kind_of_normalisation(norm):
    image = layers.Input((8, 8, 2))
    maps = norm(name="norm")(layers.Conv2D(2, 3, strides=2, name="conv")(image))
    model = keras.Model(image, layers.Conv2D(1, 1, name="head")(maps))
    freeze(model, "encoder", norm="train")
    assert {tensor.layer for tensor in frozen_tensors(model).values()} == {"conv"}


def test_a_policy_undoes_the_one_before_it_and_the_flags_of_nested_models():
    model = nested()
    model.get_layer("inner").trainable = False
    freeze(model, "all-but-head")
    assert len(model.trainable_weights) == 2
    freeze(model, "none")
    assert all(module.trainable for module in model._flatten_layers())


def test_the_flag_of_a_nested_model_stays_up_so_that_it_hides_no_layer_that_trains():
    model = nested()
    freeze(model, "encoder")
    assert model.get_layer("inner").trainable
    assert {value.name.split("/")[0] for value in model.trainable_weights} >= {"d1_conv", "mix", "head"}


def test_a_compiled_model_trains_by_the_new_flags_and_keeps_its_optimizer():
    model = compile_with(nested(), metrics=["accuracy"])
    optimizer, loss = model.optimizer, model.loss
    assert changed(model) & {"inner/e1_conv/kernel"}
    momentum = {value.name: value.numpy() for value in optimizer.variables if "/m/" in value.name}
    freeze(model, "encoder")
    assert (model.optimizer, model.loss) == (optimizer, loss)
    assert all((value.numpy() == momentum[value.name]).all() for value in optimizer.variables if value.name in momentum)
    assert_kept(model, changed(model))
    assert int(optimizer.iterations) == 6
    assert set(model.evaluate(*batch(model), verbose=0, return_dict=True)) == {"loss", "accuracy"}


def test_an_optimizer_that_lacks_what_thaws_gives_way_to_one_alike_and_the_report_says_so():
    model = nested()
    freeze(model, "encoder")
    compile_with(model, keras.optimizers.Adam(0.02))
    changed(model)
    report = freeze(model, "none")
    assert "begins anew" in report.notes[0]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert_kept(model, changed(model))
    assert not freeze(model, "encoder").notes


def test_an_optimizer_that_lacks_what_thaws_and_cannot_be_copied_is_refused():
    class Own(keras.optimizers.SGD):
        def get_config(self):
            raise RuntimeError("no configuration")

    model = unet()
    freeze(model, "encoder")
    compile_with(model, Own(0.1)).optimizer.build(model.trainable_variables)
    with pytest.raises(InputError, match=r"no configuration.*Compile the model again"):
        freeze(model, "none")


def test_a_model_with_a_compile_of_its_own_is_refused_once_compiled():
    class Own(keras.Model):
        def compile(self, **arguments):
            super().compile(**arguments)

    inner = unet()
    model = Own(inner.inputs, inner.outputs)
    freeze(model, "encoder")
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(InputError, match="Freeze it first"):
        freeze(model, "encoder")


def test_a_frozen_norm_that_is_called_in_training_is_said_to_change_the_output():
    image = layers.Input((16, 16, 1))
    maps = layers.BatchNormalization(name="norm")(layers.Conv2D(2, 3, strides=2, name="conv")(image), training=True)
    model = keras.Model(image, layers.Conv2D(1, 1, name="head")(maps))
    images = np.random.default_rng(0).normal(3, 2, (2, 16, 16, 1))
    as_built = model(images)
    assert not freeze(model, "head").notes
    note = freeze(model, "encoder").notes[0]
    assert "1 frozen batch norm" in note
    assert "norm" in note
    assert not np.allclose(as_built, model(images))


def test_a_report_counts_by_group_and_prints_a_table():
    model = nested()
    report = freeze(model, "encoder")
    rows = {row.group: row for row in report.groups}
    assert list(rows) == ["stem", "encoder1", "encoder2", "encoder3", "decoder1", "decoder2", "head"]
    assert (rows["encoder1"].trainable, rows["encoder1"].frozen) == (0, 3 * 3 * 2 * 3 + 3 + 4 * 3)
    assert (rows["stem"].trainable, rows["stem"].frozen) == (4, 0)
    assert sum(row.layers for row in report.groups) == len([path for part in ("stem", "encoder", "decoder", "head")
                                                            for path in groups_of(model)[part]])  # fmt: skip
    lines = str(report).splitlines()
    assert lines[0].split() == ["group", "layers", "trainable", "frozen"]
    assert lines[-1].split() == ["total", "12", f"{report.trainable:,}", f"{report.frozen:,}"]
    assert len({len(line) for line in lines}) == 1
    assert report.to_dict()["groups"][0] == {"group": "stem", "layers": 1, "trainable": 4, "frozen": 0}
    assert report.to_dict()["policy"] == ["encoder"]


def test_a_model_without_a_graph_is_frozen_by_regex_and_reported_as_one():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(2, name="one"), layers.Dense(1, name="two")

        def call(self, image):
            return self.two(self.one(image))

    model = Subclassed()
    model(tf.zeros((1, 3)))
    report = freeze(model, "one")
    assert [(row.group, row.trainable, row.frozen) for row in report.groups] == [("model", 3, 8)]


def test_freezing_everything_says_that_nothing_is_left_to_train():
    assert freeze(sequential(), ("encoder", "head")).notes == ("Nothing is left to train.",)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("first:x", "first:x"),
        ("first:-1", "first:-1"),
        ("first:", "N from 0 to"),
        ("first:999", r"N from 0 to \d+, the layers"),
        ("encodr", r"'encodr' means no layer.*encoder, decoder, head"),
        ("decoder7", "has no group .decoder7."),
        ("conv(", "neither a group nor a regex"),
        (("encoder", "nowhere"), "nowhere"),
        ("gradual", "unfreeze_epochs"),
    ],
)
def test_a_policy_that_means_nothing_is_refused_and_changes_no_flag(policy, message):
    model = unet()
    freeze(model, "encoder")
    flags = [layer.trainable for layer in model.layers]
    with pytest.raises(InputError, match=message) as caught:
        freeze(model, policy)
    assert "\n" not in str(caught.value)
    assert [layer.trainable for layer in model.layers] == flags


def test_first_zero_freezes_nothing():
    model = unet()
    assert freeze(model, "first:0").frozen == 0


def test_decoder_of_a_classifier_is_refused():
    with pytest.raises(InputError, match="encoder, head"):
        freeze(sequential(), "decoder")


def test_a_model_without_a_middle_is_refused():
    image = layers.Input((8, 8, 1))
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Conv2D(1, 1, name="one")(image)))
    with pytest.raises(InputError, match="nothing lies between"):
        freeze(model, "middle")


def test_another_norm_is_refused():
    with pytest.raises(InputError, match="'thaw'; expected one of freeze, train"):
        freeze(unet(), "encoder", norm="thaw")
