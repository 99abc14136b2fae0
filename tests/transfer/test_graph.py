import json

import pytest

from mstl._keras import keras
from mstl.models.tree import tensors_of
from mstl.transfer.graph import config_of, pair_by_graph
from tests.twins import Net

layers = keras.layers


def named(model):
    return {tensor.layer for tensor in tensors_of(model).values()}


def paired(source, target):
    return pair_by_graph(config_of(source), config_of(target), named(source), named(target))


def chain(*filters, inserted=None, name):
    image = maps = layers.Input((16, 16, 2))
    for number, count in enumerate(filters):
        maps = layers.Conv2D(count, 3, name=f"{name}{number}")(maps)
        if number == inserted:
            maps = layers.Conv2D(count, 3, name=f"{name}new")(maps)
    return keras.Model(image, maps)


@pytest.mark.parametrize("seed", range(12))
def test_every_layer_of_a_twin_is_found_whatever_its_name_and_the_order_of_making(seed):
    net = Net(seed, depth=seed % 3)
    pairs, doubtful = paired(net.build(names="a", making=seed), net.build(names="b", making=seed + 1))
    assert {target: "/".join(part.replace("b_", "a_", 1) for part in target.replace("b/", "a/").split("/"))
            for target in pairs} == pairs
    assert len(pairs) == len(named(net.build(names="b")))
    assert not doubtful


def test_parallel_branches_are_told_apart_by_their_place_in_the_concatenation():
    def build(first, second):
        image = layers.Input((8, 8, 2))
        return keras.Model(image, layers.Concatenate()([layers.Conv2D(2, 3, name=first)(image),
                                                        layers.Conv2D(2, 3, name=second)(image)]))

    assert paired(build("a", "b"), build("b", "a"))[0] == {"b": "a", "a": "b"}


def test_another_head_leaves_the_layers_before_it_paired():
    pairs, _ = paired(chain(2, 3, 4, name="a"), chain(2, 3, 4, 5, 1, name="b"))
    assert {"b0": "a0", "b1": "a1"}.items() <= pairs.items()


def test_an_inserted_layer_leaves_doubt_around_it_and_none_elsewhere():
    pairs, doubtful = paired(chain(2, 2, 2, 2, name="a"), chain(2, 2, 2, 2, inserted=1, name="b"))
    assert not pairs
    assert {"b1", "bnew", "b2"} <= doubtful


def test_activations_between_layers_do_not_change_their_places():
    image = layers.Input((8, 8, 2))
    inner = layers.Dropout(0.5)(layers.ReLU()(layers.Conv2D(2, 3, name="b0")(image)))
    other = keras.Model(image, layers.Conv2D(2, 3, name="b1")(inner))
    assert paired(chain(2, 2, name="a"), other)[0] == {"b0": "a0", "b1": "a1"}


def test_a_nested_model_is_found_where_the_target_is_that_model_alone():
    source, target = Net(3, depth=2).build(names="a"), Net(3).build(names="b")
    assert len(paired(source, target)[0]) == len(named(target))


def test_a_target_that_is_one_of_two_equal_nested_models_is_left_alone():
    image = layers.Input((8, 8, 2))
    first, second = (keras.Model(image, layers.Conv2D(2, 3, padding="same", name="c")(image), name=name)
                     for name in ("one", "two"))  # fmt: skip
    target = keras.Model(image, layers.Conv2D(2, 3, padding="same", name="t")(image))
    pairs, doubtful = paired(keras.Model(image, second(first(image))), target)
    assert not pairs
    assert {"one/c", "two/c", "t"} <= doubtful


def test_a_dilation_that_differs_is_another_place():
    def build(dilation, name):
        image = layers.Input((8, 8, 2))
        return keras.Model(image, layers.Conv2D(2, 3, dilation_rate=dilation, name=name)(image))

    assert paired(build(1, "a"), build(2, "b"))[0] == {}


def test_a_shared_layer_is_paired_once_by_all_its_calls():
    def build(name):
        image = layers.Input((8, 8, 2))
        shared = layers.Conv2D(2, 3, padding="same", name=f"{name}_shared")
        own = layers.Conv2D(2, 3, padding="same", name=f"{name}_own")
        return keras.Model(image, layers.Add()([shared(image), own(shared(shared(image)))]))

    assert paired(build("a"), build("b"))[0] == {"b_shared": "a_shared", "b_own": "a_own"}


def test_a_sequential_model_has_places_as_its_functional_twin():
    sequential = keras.Sequential(
        [layers.Input((8, 8, 2)), layers.Conv2D(2, 3, name="a0"), layers.ReLU(), layers.Conv2D(3, 3, name="a1")]
    )
    assert paired(sequential, chain(2, 3, name="b"))[0] == {"b0": "a0", "b1": "a1"}


def test_a_subclassed_model_has_no_places():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    model = chain(2, 3, name="a")
    assert pair_by_graph(config_of(model), config_of(Own()), named(model), set()) == ({}, set())


@pytest.mark.parametrize("change", ["cut", "cycle", "words", "explosion", "deep"])
def test_configurations_that_make_no_graph_pair_nothing(change):
    config = config_of(chain(2, 3, name="a"))
    inner = config["config"]
    if change == "cut":
        del inner["layers"][1]["inbound_nodes"]
    elif change == "cycle":
        inner["layers"][1]["inbound_nodes"] = [[["a1", 0, 0, {}]]]
    elif change == "words":
        inner["input_layers"] = "none"
    elif change == "explosion":
        for level in range(40):
            twice = [[["in", 0, 0, {}]], [[f"m{level}", 0, 0, {}]]]
            start = {"class_name": "InputLayer", "config": {}, "name": "in", "inbound_nodes": []}
            nested = {"class_name": "Functional", "config": inner, "name": f"m{level}", "inbound_nodes": twice}
            inner = {"layers": [start, nested], "input_layers": [["in", 0, 0]], "output_layers": [[f"m{level}", 1, 0]]}
        config = {"class_name": "Functional", "config": inner}
    else:
        config = json.loads('{"class_name":"F","config":{"name":"a","layers":[' * 200 + "]}}" * 200)
    model = chain(2, 3, name="b")
    pair_by_graph(config, config_of(model), {"a0", "a1"}, named(model))
    assert pair_by_graph(None, config_of(model), {"a0"}, named(model)) == ({}, set())
