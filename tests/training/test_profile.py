"""Profiles of trainings: which steps are seen, what the summary says, and that a training is as it is without one."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.files import read_json
from mstl.training.profile import WARM_UP, Profiler, steps_to_profile, summarise
from mstl.training.trace import Operation


class Batches(keras.utils.Sequence):
    """Batches of noise."""

    def __init__(self, steps):
        self.steps = steps

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        noise = np.random.default_rng(index).random((2, 16, 16, 2), np.float32)
        return noise, noise[..., :1].round()


@pytest.fixture(scope="module")
def model(small_model):
    model = small_model()
    model.layers[1].trainable = False
    model.compile("sgd", "mse")
    return model


def profiled(model, folder, *, steps, asked, epochs=1, callbacks=()):
    profiler = Profiler(folder, steps=asked)
    model.fit(Batches(steps), epochs=epochs, verbose=0, shuffle=False, callbacks=[profiler, *callbacks])
    return read_json(folder / "summary.json")


@pytest.fixture(scope="module")
def seen(model, tmp_path_factory):
    """Folder and summary of three steps after the first five."""
    folder = tmp_path_factory.mktemp("run") / "profile"
    return folder, profiled(model, folder, steps=WARM_UP + 3, asked=3)


def test_a_profile_holds_a_trace_for_tensorboard_and_the_summary(seen):
    folder, summary = seen
    assert len(list(folder.glob("plugins/profile/*/*.xplane.pb"))) == 1
    assert (summary["epoch"], summary["first_step"], summary["steps"], summary["steps_asked"]) == (1, WARM_UP + 1, 3, 3)


def test_steps_take_time_and_wait_for_a_part_of_it(seen):
    _, summary = seen
    least, most = summary["step_ms_range"]
    assert 0 < least <= summary["step_ms"] <= most
    assert 0 < summary["input_wait_ms"] < most
    assert 0 < summary["input_share"] < 1


@pytest.mark.parametrize("table", ["kinds", "operations"])
def test_a_convolution_is_among_the_longest_operations(seen, table):
    rows = seen[1][table]
    assert any("Conv2D" in row["kind"] for row in rows[:5])
    assert all(row["ms"] > 0 for row in rows)
    assert [row["share"] for row in rows] == sorted((row["share"] for row in rows), reverse=True)
    assert sum(row["share"] for row in rows) <= 1 + 1e-9


def test_frozen_parameters_are_told_from_those_that_train(seen, model):
    frozen = model.layers[1].count_params()
    assert seen[1]["frozen"] == frozen
    assert seen[1]["trainable"] == model.count_params() - frozen
    assert seen[1]["precision"] == "float32"
    assert seen[1]["devices"]
    assert seen[1]["versions"].keys() >= {"mstl", "tensorflow"}


def test_an_epoch_shorter_than_what_is_asked_for_is_profiled_as_far_as_it_goes(model, tmp_path):
    summary = profiled(model, tmp_path / "profile", steps=2, asked=9)
    assert (summary["first_step"], summary["steps"], summary["steps_asked"]) == (2, 1, 9)


def test_an_epoch_that_ends_early_is_profiled_as_far_as_it_went(model, tmp_path):
    stop = keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 6))
    summary = profiled(model, tmp_path / "profile", steps=20, asked=9, callbacks=[stop])
    assert (summary["first_step"], summary["steps"]) == (WARM_UP + 1, 2)


def test_a_training_that_was_interrupted_does_not_stand_in_the_way_of_the_next(model, tmp_path):
    def interrupt(batch, logs):
        if batch == WARM_UP:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profiled(model, tmp_path / "profile", steps=8, asked=3,
                 callbacks=[keras.callbacks.LambdaCallback(on_batch_end=interrupt)])
    assert list(tmp_path.iterdir()) == []
    assert profiled(model, tmp_path / "profile", steps=8, asked=3)["steps"] == 3


def test_weights_are_those_of_a_training_without_a_profile(small_model, tmp_path):
    ends = []
    for callbacks in ([], [Profiler(tmp_path / "profile", steps=1)]):
        model = small_model()
        model.compile("sgd", "mse")
        model.fit(Batches(3), epochs=1, verbose=0, shuffle=False, callbacks=callbacks)
        ends.append(model.get_weights())
    assert all(np.array_equal(one, same) for one, same in zip(*ends, strict=True))


@pytest.mark.parametrize(
    ("wanted", "of", "warm", "last", "steps"),
    [
        (10, 100, False, False, range(5, 15)),
        (10, 12, False, False, range(0)),  # a later epoch has room
        (10, 12, True, False, range(2, 12)),
        (10, 8, True, True, range(8)),
        (10, 12, False, True, range(2, 12)),  # there is no later one
        (10, 8, False, True, range(1, 8)),
        (10, 1, False, True, range(1)),
        (10, 15, False, False, range(5, 15)),
    ],
)
def test_steps_are_profiled_where_an_epoch_has_room_for_them(wanted, of, warm, last, steps):
    assert steps_to_profile(wanted, of=of, warm=warm, last=last) == steps


def test_times_are_told_per_step_and_shares_are_of_all_operations():
    convolutions = [Operation("a/conv", "Conv3D", 2, 6.0), Operation("b/conv", "Conv3D", 2, 2.0)]
    found = [*convolutions, Operation("c", "Relu", 4, 2.0)]
    summary = summarise(found, [10.0, 30.0], wait_ms=8.0)
    assert summary["kinds"] == [{"kind": "Conv3D", "ms": 4.0, "share": 0.8}, {"kind": "Relu", "ms": 1.0, "share": 0.2}]
    assert summary["operations"][0] == {"name": "a/conv", "kind": "Conv3D", "ms": 3.0, "share": 0.6}
    assert (summary["step_ms"], summary["input_wait_ms"], summary["input_share"]) == (20.0, 4.0, 0.2)


@pytest.mark.parametrize("steps", [0, -3, 2.5, "ten", True])
def test_what_is_no_number_of_steps_is_refused(tmp_path, steps):
    with pytest.raises(InputError, match="steps cannot be profiled; a whole number from 1 on is expected"):
        Profiler(tmp_path / "profile", steps=steps)
