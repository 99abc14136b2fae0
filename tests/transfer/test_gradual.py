"""Gradual unfreezing: one more block from the output's side at each epoch given, the optimizer keeping its state."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.tree import tensors_of
from mstl.transfer.gradual import GradualUnfreezing, thawing_order
from tests.networks import nested, sequential, unet

ORDER = ["head", "d1", "d2", "bridge", "e2", "e1", "mix"]


class Watch(keras.callbacks.Callback):
    """Notes which layers' tensors each epoch moved, and the optimizer's steps."""

    def __init__(self):
        super().__init__()
        self.moved, self.steps = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.before = {path: tensor.value.numpy() for path, tensor in tensors_of(self.model).items()}

    def on_epoch_end(self, epoch, logs=None):
        moved = [tensor for path, tensor in tensors_of(self.model).items()
                 if not np.array_equal(self.before[path], tensor.value.numpy())]  # fmt: skip
        self.moved.append({tensor.layer.split("/")[-1].split("_")[0] for tensor in moved})
        self.steps.append(int(self.model.optimizer.iterations))


def trained(model, callback, epochs=4, **arguments):
    watch, random = Watch(), np.random.default_rng(0)
    data = random.normal(1, 2, (4, 8, 8, model.input_shape[-1])), random.integers(0, 2, (4, 8, 8, 1))
    model.fit(*data, batch_size=2, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback, watch], **arguments)
    return watch


def compiled(model, optimizer=None):
    model.compile(optimizer or keras.optimizers.AdamW(1e-2, weight_decay=0.1), "binary_crossentropy")
    return model


def test_blocks_thaw_from_the_head_down():
    watch = trained(compiled(nested()), GradualUnfreezing((1, 3)))
    assert watch.moved == [{"head"}, {"head", "d1"}, {"head", "d1"}, {"head", "d1", "d2"}]
    assert watch.steps == [2, 4, 6, 8]


def test_every_block_thaws_where_epochs_are_given_for_all():
    watch = trained(compiled(nested()), GradualUnfreezing(range(1, 7)), epochs=7)
    assert watch.moved == [set(ORDER[: epoch + 1]) for epoch in range(7)]


def test_the_order_is_head_decoder_encoder_stem():
    blocks = thawing_order(nested())
    assert [block[0].split("/")[-1].split("_")[0] for block in blocks] == ORDER
    assert thawing_order(sequential()) == [("dense",), ("c2",), ("c1", "b1")]


def test_moments_of_what_trains_survive_a_thawing():
    model = compiled(unet(), keras.optimizers.Adam(1e-2))
    callback = GradualUnfreezing((1,))
    trained(model, callback, epochs=1)
    moments = {value.name: value.numpy() for value in model.optimizer.variables}
    assert any("d2_conv" in name for name in moments) is False
    assert np.abs(next(value for name, value in moments.items() if "m/head/kernel" in name)).max() > 0
    assert np.abs(next(value for name, value in moments.items() if "m/d1_conv/kernel" in name)).max() == 0
    trained(model, callback, epochs=2, initial_epoch=1)
    assert int(model.optimizer.iterations) == 4


def test_what_trains_is_a_function_of_the_epoch_so_that_training_can_go_on():
    whole, parts = compiled(unet()), compiled(unet())
    parts.set_weights(whole.get_weights())
    trained(whole, GradualUnfreezing((1, 2)), epochs=3)
    trained(parts, GradualUnfreezing((1, 2)), epochs=2)
    trained(parts, GradualUnfreezing((1, 2)), epochs=3, initial_epoch=2)
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True))


def test_validation_between_epochs_leaves_the_flags_alone():
    data = np.ones((2, 8, 8, 2)), np.ones((2, 8, 8, 1))
    watch = trained(compiled(unet()), GradualUnfreezing((1,)), epochs=3, validation_data=data)
    assert watch.moved == [{"head"}, {"head", "d1"}, {"head", "d1"}]


def test_norm_train_lets_the_normalisations_of_frozen_blocks_train_all_the_time():
    watch = trained(compiled(unet()), GradualUnfreezing((1,), norm="train"), epochs=1)
    assert watch.moved == [{"head", "d1", "d2", "bridge", "e2", "e1"}]


@pytest.mark.parametrize("epochs", [(), (0, 2), (3, 3), (5, 2), (-1,)])
def test_epochs_that_do_not_rise_from_one_are_refused(epochs):
    with pytest.raises(InputError, match="rising numbers"):
        GradualUnfreezing(epochs)


def test_more_epochs_than_blocks_are_refused():
    with pytest.raises(InputError, match="3 numbers, model 'sequential' 2 blocks"):
        GradualUnfreezing((1, 2, 3)).set_model(sequential())


def test_an_optimizer_that_lacks_what_will_thaw_is_refused():
    model = compiled(unet())
    model.optimizer.build(model.trainable_variables[:2])
    with pytest.raises(InputError, match="Compile the model again"):
        trained(model, GradualUnfreezing((1,)))
