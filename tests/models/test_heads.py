import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.auxiliary import auxiliary_output
from mstl.models.groups import groups_of
from mstl.models.heads import HEADS, with_heads

MAPS, BEFORE = 12, 20  # channels of the last maps, and of those before
PARAMETERS = {  # of a head of 8 filters for 3 classes on 12 maps, by hand: kernels, 4 for each batch norm, classifier
    "fcn": 9 * 12 * 8 + 4 * 8 + 3 * (8 + 1),
    "psp": 4 * (12 * 8 + 4 * 8) + 9 * (12 + 4 * 8) * 8 + 4 * 8 + 3 * (8 + 1),
    "aspp": 2 * (12 * 8 + 4 * 8) + 3 * (9 * 12 * 8 + 4 * 8) + 9 * 5 * 8 * 8 + 4 * 8 + 3 * (8 + 1),
}
AUXILIARY = 9 * 20 * 8 + 4 * 8 + 3 * (8 + 1)


def network(head, *, auxiliary=False, **options):
    options = {"width": 8, "num_classes": 3, **options}
    keras.utils.set_random_seed(1)
    maps = keras.layers.Input((None, None, MAPS))
    before = keras.layers.Input((None, None, BEFORE))
    return keras.Model([maps, before], with_heads(maps, before if auxiliary else None, head=head, **options))


def arrays(height, width, count=2):
    shapes = (count, height, width, MAPS), (count, height // 2, width // 2, BEFORE)
    return [np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize(("width", "filters"), [(4, 4), (16, 16), (64, 16), (128, 32)])
def test_context_heads_have_a_quarter_of_the_filters_and_sixteen_where_fcn_has_them(width, filters):
    assert network("psp", width=width).get_layer("head_conv").filters == filters


@pytest.mark.parametrize("head", HEADS)
def test_parameters_are_those_counted_by_hand(head):
    assert network(head).count_params() == PARAMETERS[head]
    assert network(head, auxiliary=True).count_params() == PARAMETERS[head] + AUXILIARY


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("sides", [(16, 24), (4, 2), (90, 50)])
def test_probabilities_have_the_sides_of_the_maps_whatever_these_are(head, sides):
    model = network(head, auxiliary=True)
    probability, second = keras.Model(model.inputs, [model.output, auxiliary_output(model)])(arrays(*sides))
    assert probability.shape == second.shape == (2, *sides, 3)
    assert probability.dtype == second.dtype == tf.float32
    assert np.allclose(tf.reduce_sum(probability, axis=-1), 1, atol=1e-5)


def test_one_class_gives_a_sigmoid():
    model = network("fcn", num_classes=1)
    assert isinstance(model.layers[-1], keras.layers.Activation)
    assert model.layers[-1].name == "sigmoid"
    assert model.output_shape[-1] == 1


@pytest.mark.parametrize("head", HEADS)
def test_every_layer_is_named_after_its_head(head):
    names = [layer.name for layer in network(head, auxiliary=True).layers if layer.weights]
    assert all(name.startswith(("head_", "auxiliary_")) for name in names)


@pytest.mark.parametrize("head", ["psp", "aspp"])
def test_context_heads_see_the_far_corner_and_fcn_does_not(head):
    near, far = network("fcn", width=32), network(head, width=32)
    maps, before = arrays(32, 32, count=1)
    other = maps.copy()
    other[:, -1, -1] += 100
    for model, sees in ((near, False), (far, True)):
        one, two = (model([values, before])[0, 0, 0] for values in (maps, other))
        assert (not np.allclose(one, two, atol=1e-6)) == sees


def test_dropout_drops_whole_maps_in_training_alone():
    model = network("fcn", dropout=0.5)
    layer = next(layer for layer in model.layers if layer.name == "head_dropout")
    kept = layer(np.ones((4, 3, 3, 8), np.float32), training=True).numpy()
    assert set(np.unique(kept)) == {0, 2}
    assert np.array_equal(kept, np.broadcast_to(kept[:, :1, :1], kept.shape))
    assert np.array_equal(layer(np.ones((1, 2, 2, 8), np.float32)), np.ones((1, 2, 2, 8)))


@pytest.mark.parametrize("head", HEADS)
def test_every_weight_has_a_gradient(head):
    model = network(head, auxiliary=True)
    both = keras.Model(model.inputs, [model.output, auxiliary_output(model)])
    with tf.GradientTape() as tape:
        first, second = both(arrays(16, 16), training=True)
        loss = tf.reduce_mean(first[..., 0] ** 2) + tf.reduce_mean(second[..., 0] ** 2)
    assert all(gradient is not None for gradient in tape.gradient(loss, both.trainable_variables))


def test_all_of_a_head_is_in_the_group_of_that_name():
    model = network("aspp", auxiliary=True)
    assert set(groups_of(model)["head"]) == {layer.name for layer in model.layers if layer.weights}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "unet"}, "head is 'unet'; expected one of fcn, psp, aspp"),
        ({"head": "fcn", "width": 0}, "width is 0; at least 1"),
        ({"head": "fcn", "num_classes": 0}, "num_classes is 0; at least 1"),
        ({"head": "fcn", "dropout": 1.0}, "dropout is 1.0; from 0 to below 1"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        network(**options)
