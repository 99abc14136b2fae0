"""Twins of random networks: the same graph built again must give the same outputs to the bit."""
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.training.state import save_weights
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.matching import match_tensors
from mstl.transfer.plan import plan_transfer, transfer_weights
from tests.twins import FILES, Net, randomise, response, write

layers = keras.layers

nets = st.builds(Net, seed=st.integers(0, 10_000), dims=st.sampled_from([2, 2, 3]), depth=st.integers(0, 2))
prefixes = st.sampled_from([None, "own"])
some = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def assert_same_outputs(source, target):
    assert np.array_equal(response(source), response(target))


@some
@given(net=nets, file=st.sampled_from(FILES), names=prefixes)
def test_a_twin_gives_equal_outputs(tmp_path, net, file, names):
    source = randomise(net.build(names=names), seed=1)
    target = randomise(net.build(names=names), seed=2)
    transfer_weights(write(source, tmp_path, file), target)
    assert_same_outputs(source, target)


@some
@given(net=nets, file=st.sampled_from(FILES), making=st.integers(0, 99))
def test_a_twin_whose_layers_were_made_in_another_order_gives_equal_outputs(tmp_path, net, file, making):
    source = randomise(net.build(), seed=1)
    target = randomise(net.build(making=making), seed=2)
    transfer_weights(write(source, tmp_path, file), target)
    assert_same_outputs(source, target)


@some
@given(net=nets, file=st.sampled_from(FILES[:2] + FILES[3:]))
def test_a_renamed_twin_gives_equal_outputs_by_a_rule(tmp_path, net, file):
    source = randomise(net.build(names="old"), seed=1)
    target = randomise(net.build(names="new"), seed=2)
    report = transfer_weights(write(source, tmp_path, file), target, rename=[(r"\bold", "new")])
    assert report.counts["renamed"] == len(target.weights)
    assert_same_outputs(source, target)


@some
@given(net=nets, file=st.sampled_from(["save.h5", "keras3.keras"]), making=st.integers(0, 99))
def test_a_renamed_twin_gives_equal_outputs_by_its_graph(tmp_path, net, file, making):
    source = randomise(net.build(names="old"), seed=1)
    target = randomise(net.build(names="new", making=making), seed=2)
    transfer_weights(write(source, tmp_path, file), target, match="order")
    assert_same_outputs(source, target)


@some
@given(seed=st.integers(0, 10_000), file=st.sampled_from(FILES[:2] + FILES[3:]), names=prefixes)
def test_a_wrapped_network_fills_the_plain_one(tmp_path, seed, file, names):
    source = randomise(Net(seed, depth=1).build(names=names), seed=1)
    target = randomise(Net(seed).build(names=names), seed=2)
    transfer_weights(write(source, tmp_path, file), target)
    inner = next(layer for layer in source.layers if isinstance(layer, keras.Model))
    assert_same_outputs(inner, target)


@some
@given(seed=st.integers(0, 10_000), file=st.sampled_from(FILES[:2] + FILES[3:]))
def test_a_plain_network_fills_the_wrapped_one(tmp_path, seed, file):
    source = randomise(Net(seed).build(names="own"), seed=1)
    target = randomise(Net(seed, depth=1).build(names="own"), seed=2)
    transfer_weights(write(source, tmp_path, file), target, exclude=["before0", "after0"])
    inner = next(layer for layer in target.layers if isinstance(layer, keras.Model))
    assert_same_outputs(source, inner)


def branches(first, second):
    """Two parallel layers of equal shape, in the order in which they are concatenated."""
    image = layers.Input((8, 8, 2))
    both = [layers.Conv2D(2, 3, name=first)(image), layers.Conv2D(2, 3, name=second)(image)]
    return keras.Model(image, layers.Conv2D(1, 1, name="head")(layers.Concatenate()(both)))


@pytest.mark.parametrize("file", FILES)
def test_parallel_branches_with_permuted_automatic_names_go_by_their_place(tmp_path, file):
    source = randomise(branches("conv2d", "conv2d_1"), seed=1)
    target = randomise(branches("conv2d_7", "conv2d_3"), seed=2)
    transfer_weights(write(source, tmp_path, file), target)
    assert_same_outputs(source, target)


def chain(count, *, name="conv2d"):
    image = maps = layers.Input((16, 16, 2))
    for number in range(count):
        maps = layers.Conv2D(2, 3, padding="same", name=f"{name}_{number + 1}")(maps)
    return keras.Model(image, maps)


@pytest.mark.parametrize("file", FILES)
def test_a_layer_more_of_the_same_shape_leaves_those_beside_it_alone(tmp_path, file):
    path = write(chain(3), tmp_path, file)
    with Checkpoint.open(path) as checkpoint:
        assert match_tensors(checkpoint, chain(4)) == {}


def test_a_frozen_part_of_a_nested_model_does_not_change_the_order_where_the_file_tells_it(tmp_path):
    source = randomise(Net(8, depth=1).build(), seed=1)
    inner = next(layer for layer in source.layers if isinstance(layer, keras.Model))
    for layer in inner.layers[: len(inner.layers) // 2]:
        layer.trainable = False
    target = randomise(Net(8, depth=1).build(), seed=2)
    transfer_weights(write(source, tmp_path, "save.h5"), target)
    assert_same_outputs(source, target)


def test_the_reason_says_how_a_tensor_was_found(tmp_path):
    source = chain(2)
    for file, reason in (("save.h5", "same place in the graph"), ("save_weights.h5", "same place in order")):
        with Checkpoint.open(write(source, tmp_path, file)) as checkpoint:
            assert reason in plan_transfer(checkpoint, chain(2)).rows[0].reason


@pytest.mark.parametrize("match", ["magic", ()])
def test_wrong_ways_are_refused(tmp_path, match):
    path, message = write(chain(2), tmp_path, "save_weights.h5"), "expected one or both of name, order"
    with Checkpoint.open(path) as checkpoint, pytest.raises(TransferError, match=message):
        match_tensors(checkpoint, chain(2), match=match)


def test_a_subclassed_model_with_names_of_its_own_is_filled_by_name(tmp_path):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Conv2D(2, 3, padding="same", name="a_1")
            self.second = layers.Conv2D(2, 3, padding="same", name="a_2")

        def call(self, inputs):
            return self.second(self.first(inputs))

    source, target = randomise(chain(2, name="a"), seed=1), Own()
    image = np.ones((1, 16, 16, 2), np.float32)
    target(image)
    transfer_weights(write(source, tmp_path, "save.h5"), target)
    assert np.array_equal(target(image), source(image))


class Block(layers.Layer):
    """Two convolutions with automatic names of their own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = layers.Conv2D(2, 3, padding="same"), layers.Conv2D(2, 3, padding="same")

    def call(self, inputs):
        return self.second(self.first(inputs))


def part(name=None, conv=None):
    image = layers.Input((8, 8, 2))
    maps = layers.Conv2D(2, 3, padding="same", name=conv)(image)
    return keras.Model(image, layers.BatchNormalization(name=conv and f"{conv}_bn")(maps), name=name)


def image_model(apply):
    image = layers.Input((8, 8, 2))
    return keras.Model(image, apply(image))


def series_model(*made, shape=(4, 2)):
    maps = series = layers.Input(shape)
    for layer in made:
        maps = layer(maps)
    return keras.Model(series, maps)


def attention():
    series = layers.Input((4, 2))
    first, second = layers.MultiHeadAttention(2, 3), layers.MultiHeadAttention(2, 3, name="own")
    maps = first(series, series)
    return keras.Model(series, second(maps, maps))


def slashes():
    convs = [layers.Conv2D(2, 3, padding="same", name=name) for name in ("enc/conv", "dec/conv")]
    return image_model(lambda image: layers.BatchNormalization(name="enc/bn")(convs[1](convs[0](image))))


def shared():
    conv = layers.Conv2D(2, 3, padding="same")
    return image_model(lambda image: conv(layers.BatchNormalization()(conv(image))))


def shared_part():
    inner = part()
    return image_model(lambda image: part()(inner(inner(image))))


KINDS = {
    "slashes": slashes,
    "bidirectional": lambda: series_model(layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
                                          layers.Bidirectional(layers.GRU(2), name="own")),
    "wrapped model": lambda: series_model(layers.TimeDistributed(part()), layers.TimeDistributed(part(), name="own"),
                                          shape=(2, 8, 8, 2)),
    "attention": attention,
    "composite": lambda: image_model(lambda image: Block(name="own")(Block()(Block()(image)))),
    "shared layer": shared,
    "shared nested model": shared_part,
    "two nested": lambda: image_model(lambda image: part()(part()(image))),
    "two nested, names inside": lambda: image_model(lambda image: part(conv="c")(part(conv="c")(image))),
}  # fmt: skip


def answers(model):
    shape = (2, *model.input_shape[1:])
    return np.asarray(model(np.random.default_rng(0).standard_normal(shape, np.float32)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_takes_back_what_it_wrote_and_a_twin_takes_it_too(tmp_path, kind):
    model = randomise(KINDS[kind](), seed=1)
    for number in range(3):
        twin = randomise(KINDS[kind](), seed=2 + number)
        save_weights(tmp_path / "a.h5", model)
        expected = answers(model)
        transfer_weights(tmp_path / "a.h5", twin)
        assert np.array_equal(answers(twin), expected)
        randomise(model, seed=9 + number)
        transfer_weights(tmp_path / "a.h5", model)
        assert np.array_equal(answers(model), expected)
        part()  # counts names up


@pytest.mark.parametrize("file", FILES[:2] + FILES[3:])
@pytest.mark.parametrize("shift", [0, 1])
def test_nested_models_with_automatic_names_are_not_taken_for_one_another(tmp_path, file, shift):
    keras.backend.clear_session()
    source = randomise(KINDS["two nested, names inside"](), seed=1)
    path = write(source, tmp_path, file)
    keras.backend.clear_session()
    for _ in range(shift):
        part()
    target = randomise(KINDS["two nested, names inside"](), seed=2)
    transfer_weights(path, target)
    assert_same_outputs(source, target)


@pytest.mark.parametrize("file", FILES[:2] + FILES[3:])
def test_one_of_two_equal_nested_models_is_not_chosen_by_itself(tmp_path, file):
    path = write(KINDS["two nested, names inside"](), tmp_path, file)
    with pytest.raises(TransferError):
        transfer_weights(path, part(conv="c"))


@pytest.mark.parametrize("file", FILES[:2] + FILES[3:])
def test_layers_of_two_nested_models_do_not_fill_a_plain_one(tmp_path, file):
    path = write(image_model(lambda image: part("disc", "d")(part("gen", "c")(image))), tmp_path, file)
    target = image_model(lambda image: layers.Conv2D(2, 3, padding="same", name="d")(part("x", "c")(image)))
    plain = keras.Model(target.input, layers.Conv2D(2, 3, padding="same", name="d")(
        layers.Conv2D(2, 3, padding="same", name="c")(target.input)))  # fmt: skip
    with Checkpoint.open(path) as checkpoint:
        found = match_tensors(checkpoint, plain)
    assert not found
    assert "'disc/d/kernel' has its name" in found.doubts["d/kernel"]


@pytest.mark.parametrize("file", FILES[:2])
def test_layers_of_own_classes_are_not_shifted_by_their_numbers(tmp_path, file):
    keras.backend.clear_session()
    path = write(image_model(lambda image: Block()(Block()(Block()(image)))), tmp_path, file)
    keras.backend.clear_session()
    Block()
    with Checkpoint.open(path) as checkpoint:
        assert not match_tensors(checkpoint, image_model(lambda image: Block()(Block()(image))))


def test_a_file_of_a_partly_frozen_part_says_so(tmp_path):
    def build():
        return image_model(lambda image: part()(image))

    source = build()
    source.layers[1].layers[1].trainable = False
    with Checkpoint.open(write(source, tmp_path, "save_weights.h5")) as checkpoint:
        found = match_tensors(checkpoint, build())
    assert all("saved while partly frozen" in reason for reason in found.doubts.values())
    assert bool(found.doubts) == (len(found) < 6)


def test_a_nested_model_saved_partly_frozen_by_keras_is_refused_and_by_us_is_read(tmp_path):
    def chain():
        inner = image = layers.Input((8, 8, 2))
        for _ in range(3):
            inner = layers.Conv2D(2, 1)(inner)
        outer = layers.Input((8, 8, 2))
        return keras.Model(outer, layers.Conv2D(1, 1, name="out")(keras.Model(image, inner)(outer)))

    source, target = randomise(chain(), seed=1), randomise(chain(), seed=2)
    source.layers[1].layers[1].trainable = False
    source.save_weights(tmp_path / "keras.h5")
    save_weights(tmp_path / "ours.h5", source)
    with pytest.raises(TransferError, match="perhaps saved while partly frozen"):
        transfer_weights(tmp_path / "keras.h5", target)
    transfer_weights(tmp_path / "ours.h5", target)
    assert_same_outputs(source, target)
