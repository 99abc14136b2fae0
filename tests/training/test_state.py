import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.training.state import all_trainable, load_state, reseed, save_state, save_weights
from mstl.transfer.plan import transfer_weights


def compiled(model):
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return model


def trained(small_model, steps):
    model = compiled(small_model())
    random = np.random.default_rng(0)
    images, masks = random.random((2, 16, 16, 2)), random.integers(0, 2, (2, 16, 16, 1))
    for step in range(steps):
        reseed(model, seed=0, epoch=step)
        model.train_on_batch(images, masks)
    return model, images, masks


def test_a_loaded_state_goes_on_as_if_never_saved(small_model, tmp_path):
    model, images, masks = trained(small_model, 3)
    save_state(tmp_path / "state.h5", model, [{"epoch": 0, "loss": 0.1}])
    twin = compiled(small_model())
    assert load_state(tmp_path / "state.h5", twin) == [{"epoch": 0, "loss": 0.1}]
    for each in (model, twin):
        reseed(each, seed=0, epoch=3)
        each.train_on_batch(images, masks)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))


def test_history_keeps_every_digit(small_model, tmp_path):
    history = [{"epoch": 0, "loss": 0.1 + 0.2, "learning_rate": 1 / 3}]
    save_state(tmp_path / "state.h5", compiled(small_model()), history)
    assert load_state(tmp_path / "state.h5", compiled(small_model())) == history


def test_reseed_makes_dropout_a_function_of_seed_and_epoch(small_model):
    model, image = small_model(), tf.ones((1, 16, 16, 2))

    def draw(seed, epoch):
        reseed(model, seed=seed, epoch=epoch)
        return model(image, training=True).numpy()

    first = draw(0, 1)
    assert np.array_equal(first, draw(0, 1))
    assert not np.array_equal(first, draw(0, 2))
    assert not np.array_equal(first, draw(1, 1))


def test_a_truncated_state_is_refused_by_name(small_model, tmp_path):
    path = tmp_path / "state.h5"
    save_state(path, compiled(small_model()), [])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"state\.h5 is damaged"):
        load_state(path, compiled(small_model()))


def test_a_state_of_another_model_is_refused(small_model, tmp_path):
    save_state(tmp_path / "state.h5", compiled(small_model(channels=2)), [])
    with pytest.raises(InputError, match="of another model"):
        load_state(tmp_path / "state.h5", compiled(small_model(channels=3)))


def partly_frozen(value):
    """A model nested in another, its first layer frozen, every kernel of the same shape; kernels begin at `value`."""
    layers, image = keras.layers, keras.layers.Input((4,))
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")], name="inner")
    model = keras.Model(image, inner(image))
    model.set_weights([np.full_like(array, value + place) for place, array in enumerate(model.get_weights())])
    inner.get_layer("a").trainable = False
    return model


def test_weights_of_a_partly_frozen_model_go_into_the_same_layers_whatever_is_frozen(tmp_path):
    model, frozen, free = partly_frozen(1), partly_frozen(9), partly_frozen(9)
    save_weights(tmp_path / "weights.h5", model)
    free.trainable = True
    transfer_weights(tmp_path / "weights.h5", frozen)
    free.load_weights(tmp_path / "weights.h5")
    for twin in (frozen, free):
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))


def test_flags_are_as_before_after_writing_and_reading(tmp_path):
    model = partly_frozen(1)
    flags = [layer.trainable for layer in model._flatten_layers()]
    save_weights(tmp_path / "weights.h5", model)
    transfer_weights(tmp_path / "weights.h5", model)
    with pytest.raises(RuntimeError), all_trainable(model):
        raise RuntimeError
    assert [layer.trainable for layer in model._flatten_layers()] == flags
    assert flags.count(False) == 1
