import numpy as np
import pytest


def arrays_of(path, model):
    """The weights in a file, in the order of the model that they belong to."""
    model.load_weights(path)
    return model.get_weights()


def test_the_best_weights_are_those_of_the_best_epoch(prepared, small_model, tmp_path):
    from mstl._keras import keras
    from mstl.training.fit import fit

    kept = {}

    class Keeper(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            kept[epoch] = (tmp_path / "run" / "last.h5").read_bytes()

    settings = {"epochs": 4, "steps_per_epoch": 4, "batch_size": 2, "learning_rate": 1e-2}
    run = fit(
        small_model(), prepared.select(["s0"]), prepared.select(["s1"]), out=tmp_path / "run", callbacks=[Keeper()],
        **settings,
    )  # fmt: skip
    best = int(run.history["val_dice"].idxmax())
    assert run.weights("best").read_bytes() == kept[best]
    assert run.weights("last").read_bytes() == kept[3]


def test_training_stops_early_and_the_rate_falls_on_a_plateau(prepared, small_model, tmp_path):
    from mstl.training.fit import fit

    settings = {"epochs": 30, "steps_per_epoch": 1, "batch_size": 1, "learning_rate": 1e-9}
    run = fit(
        small_model(), prepared.select(["s0"]), prepared.select(["s1"]), out=tmp_path / "run",
        stop_patience=3, plateau_patience=2, plateau_factor=0.1, **settings,
    )  # fmt: skip
    assert len(run.history) < 30
    assert run.history["learning_rate"].iloc[-1] < 1e-9


def test_training_ends_when_the_plateau_has_cut_the_rate_below_the_least(prepared, small_model, tmp_path):
    from mstl.training.fit import fit

    settings = {"epochs": 30, "steps_per_epoch": 1, "batch_size": 1, "learning_rate": 1e-9, "plateau_factor": 0.1}
    run = fit(
        small_model(), prepared.select(["s0"]), prepared.select(["s1"]), out=tmp_path / "run",
        plateau_patience=1, stop_rate=5e-10, **settings,
    )  # fmt: skip
    assert 2 <= len(run.history) < 30
    assert run.history["learning_rate"].tolist() == pytest.approx([1e-9] * len(run.history))


RESTARTS = {"epochs": 6, "steps_per_epoch": 2, "batch_size": 2, "decay": "cosine", "restarts": 2}


def test_a_rate_with_restarts_keeps_the_weights_of_each_minimum(prepared, small_model, tmp_path):
    from mstl._keras import keras
    from mstl.training.fit import fit

    kept = {}

    class Keeper(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            kept[epoch] = (tmp_path / "run" / "last.h5").read_bytes()

    run = fit(small_model(), prepared.select(["s0"]), out=tmp_path / "run", callbacks=[Keeper()], **RESTARTS)
    assert [path.name for path in run.minima] == ["minimum1.h5", "minimum2.h5", "minimum3.h5"]
    assert [path.read_bytes() for path in run.minima] == [kept[1], kept[3], kept[5]]
    assert run.history["learning_rate"].tolist() == pytest.approx([1e-3, 5e-4] * 3)


def test_a_training_stopped_at_a_minimum_goes_on_to_the_same_minima(prepared, small_model, tmp_path, monkeypatch):
    from mstl.training import recorder
    from mstl.training.fit import fit

    def stopped(path, model, history):
        if len(history) == 4:
            raise KeyboardInterrupt
        save_state(path, model, history)

    save_state, case = recorder.save_state, prepared.select(["s0"])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recorder, "save_state", stopped)
        fit(small_model(), case, out=tmp_path / "stopped", **RESTARTS)
    resumed = fit(small_model(), case, out=tmp_path / "stopped", resume=True, **RESTARTS)
    undisturbed = fit(small_model(), case, out=tmp_path / "undisturbed", **RESTARTS)
    assert len(resumed.minima) == 3
    for first, second in zip(resumed.minima, undisturbed.minima, strict=True):
        np.testing.assert_equal(arrays_of(first, small_model()), arrays_of(second, small_model()))


def test_a_rate_without_restarts_keeps_no_minimum(prepared, small_model, tmp_path):
    from mstl.training.fit import fit

    settings = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 1, "decay": "cosine"}
    run = fit(small_model(), prepared.select(["s0"]), out=tmp_path / "run", **settings)
    assert run.minima == ()
    assert not list(run.folder.glob("minimum*"))
