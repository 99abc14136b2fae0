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
