import numpy as np
import pytest
from tensorflow.python.eager import context

from mstl._keras import keras, tf
from mstl.models.auxiliary import Auxiliary, auxiliary_output

IMAGE = np.random.default_rng(0).standard_normal((2, 8, 8, 1)).astype(np.float32)


def network(bias=0.0):
    """A sigmoid of one convolution, and an auxiliary one of another."""
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 1))
    start = keras.initializers.Constant(bias)
    logits = keras.layers.Conv2D(1, 3, padding="same", bias_initializer=start, name="main")(image)
    second = keras.layers.Conv2D(1, 3, padding="same", name="second")(image)
    maps = [keras.layers.Activation("sigmoid", dtype="float32")(maps) for maps in (logits, second)]
    return keras.Model(image, Auxiliary(name="auxiliary")(maps))


def computed(function, *arguments):
    """Names of the convolutions that a compiled function computes, in the graph that TensorFlow has optimised."""
    context.enable_run_metadata()
    try:
        function(*arguments)
        graphs = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    return {node.name for graph in graphs for node in graph.post_optimization_graph.node if "conv2d" in node.op.lower()}


def test_the_model_has_one_output_and_the_weights_of_both():
    model = network()
    assert len(model.outputs) == 1
    assert {"main", "second"} <= {layer.name for layer in model.layers if layer.weights}
    expected = tf.sigmoid(model.get_layer("main")(IMAGE))
    assert np.allclose(model.predict(IMAGE, verbose=0), expected, atol=1e-6)


def test_the_auxiliary_output_is_the_second_and_none_where_there_is_no_such_head():
    model = network()
    both = keras.Model(model.inputs, [model.output, auxiliary_output(model)])
    assert np.allclose(both(IMAGE)[1], tf.sigmoid(model.get_layer("second")(IMAGE)), atol=1e-6)
    assert auxiliary_output(keras.Model(model.inputs, model.get_layer("main").output)) is None


def test_a_prediction_does_not_compute_the_second():
    model = network()
    both = keras.Model(model.inputs, [model.output, auxiliary_output(model)])
    predict = tf.function(lambda image: model(image, training=False))
    train = tf.function(lambda image: both(image, training=False))
    assert len(computed(train, IMAGE)) == 2
    names = computed(predict, IMAGE)
    assert len(names) == 1
    assert "main" in names.pop()


def test_a_loss_finds_the_logits_behind_it():
    model = network(bias=-500.0)  # the sigmoid underflows: its own logarithm would be cut
    loss = tf.function(lambda: keras.losses.binary_crossentropy(np.ones((2, 8, 8, 1)), model(IMAGE)))
    assert np.allclose(loss(), 500, atol=10)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_first_passes_unchanged_under_mixed_precision(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        layer = Auxiliary()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    first = tf.constant([[0.1234567]])
    assert layer([first, first]) is first


def test_it_is_built_again_from_its_configuration():
    model = network()
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert np.array_equal(again(IMAGE), model(IMAGE))
    assert auxiliary_output(again) is not None
