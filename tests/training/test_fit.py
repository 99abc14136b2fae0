import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError, TrainingError
from mstl.evaluation.predictor import Predictor
from mstl.files import read_json
from mstl.training import recorder
from mstl.training.fit import fit
from mstl.training.metrics import Dice
from mstl.training.pos_weight import even_cut, pos_weight_of
from mstl.transfer.freezing import freeze

SETTINGS = {"epochs": 4, "steps_per_epoch": 3, "batch_size": 2, "augment": "thesis", "learning_rate": 1e-2}
LONGER = {"epochs": 16, "steps_per_epoch": 3, "batch_size": 2, "learning_rate": 1e-2}
SCRIPT = f"""
import sys
from conftest import build_small_model
from mstl.data.prepared import PreparedCohort
from mstl.training.fit import fit
prepared = PreparedCohort.open(sys.argv[1])
fit(build_small_model(), prepared.select(["s0", "s1", "s2"]), prepared.select(["s3"]), out=sys.argv[2],
    resume=True, **{LONGER})
"""


def sides(prepared):
    return prepared.select(["s0", "s1", "s2"]), prepared.select(["s3"])


def weights_of(run):
    return run.model("last").get_weights()


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def arrays_of(path):
    """Every array of a state: weights, and the optimizer's steps and moments."""
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


@pytest.fixture(scope="module")
def finished(prepared, tmp_path_factory, small_model):
    """A run that nobody disturbed, and the weights that it ended with."""
    run = fit(small_model(), *sides(prepared), out=tmp_path_factory.mktemp("runs") / "run", **SETTINGS)
    return run, weights_of(run)


def test_a_run_holds_every_file_of_the_contract(finished):
    names = {path.name for path in finished[0].folder.iterdir()}
    assert names >= {
        "experiment.yaml", "history.csv", "best.h5", "last.h5", "environment.json", "preparation.json", "state",
        "tensorboard", "freeze.json",
    }  # fmt: skip
    assert len(finished[0].history) == SETTINGS["epochs"]
    assert not [name for name in names if name.startswith(".")]


def test_two_trainings_with_one_seed_end_with_equal_weights(prepared, finished, small_model, tmp_path):
    twin = fit(small_model(), *sides(prepared), out=tmp_path / "run", **SETTINGS)
    assert equal(finished[1], weights_of(twin))


def test_another_seed_ends_elsewhere(prepared, finished, small_model, tmp_path):
    other = fit(small_model(), *sides(prepared), out=tmp_path / "run", seed=1, **SETTINGS)
    assert not equal(finished[1], weights_of(other))


@pytest.mark.parametrize("moment", ["before weights", "between weights and state", "after state"])
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_training_interrupted_at_any_moment_resumes_exactly(
    prepared, finished, small_model, tmp_path, monkeypatch, moment, epoch
):
    class Interruption(RuntimeError):
        pass

    def interrupted(function, when):
        def call(*arguments):
            if when == "after":
                function(*arguments)
            if len(arguments[-1] if isinstance(arguments[-1], list) else arguments[0].history) == epoch + 1:
                raise Interruption
            return None if when == "after" else function(*arguments)

        return call

    with monkeypatch.context() as patch, pytest.raises(Interruption):
        if moment == "before weights":
            patch.setattr(
                recorder.RunRecorder, "_save_weights", interrupted(recorder.RunRecorder._save_weights, "before")
            )
        else:
            when = "after" if moment == "after state" else "before"
            patch.setattr(recorder, "save_state", interrupted(recorder.save_state, when))
        fit(small_model(), *sides(prepared), out=tmp_path / "run", **SETTINGS)
    resumed = fit(small_model(), *sides(prepared), out=tmp_path / "run", resume=True, **SETTINGS)
    assert equal(finished[1], weights_of(resumed))
    columns = ["epoch", "learning_rate", "loss", "dice", "val_loss", "val_dice"]
    assert resumed.history[columns].equals(finished[0].history[columns])


def test_a_training_killed_with_sigkill_resumes_exactly(prepared, small_model, tmp_path):
    def start():
        command = [sys.executable, "-c", SCRIPT, str(prepared.folder), str(tmp_path / "killed")]
        return subprocess.Popen(command, cwd=Path(__file__).parent)

    killed = start()
    while not (tmp_path / "killed" / "history.csv").exists():
        assert killed.poll() is None, "the training ended before it could be killed"
        time.sleep(0.05)
    time.sleep(0.3)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert start().wait() == 0
    fit(small_model(), *sides(prepared), out=tmp_path / "undisturbed", **LONGER)
    first, second = (arrays_of(tmp_path / name / "state" / "state.h5") for name in ("undisturbed", "killed"))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_resuming_a_finished_run_changes_nothing(prepared, finished, small_model):
    run = fit(small_model(), *sides(prepared), out=finished[0].folder, resume=True, **SETTINGS)
    assert equal(finished[1], weights_of(run))
    assert len(run.history) == SETTINGS["epochs"]


def test_resuming_with_other_settings_is_refused_and_says_which(prepared, finished, small_model):
    with pytest.raises(InputError, match=r"batch_size 2 -> 4"):
        fit(small_model(), *sides(prepared), out=finished[0].folder, resume=True, **{**SETTINGS, "batch_size": 4})


def test_a_folder_that_is_not_empty_is_refused(prepared, finished, small_model):
    with pytest.raises(InputError, match="not empty"):
        fit(small_model(), *sides(prepared), out=finished[0].folder, **SETTINGS)


def test_a_loss_that_is_not_finite_stops_at_once_and_names_the_cases(prepared, tmp_path, small_model):
    model = small_model()
    model.layers[-1].set_weights([np.full_like(array, np.nan) for array in model.layers[-1].get_weights()])
    with pytest.raises(TrainingError, match=r"Loss is nan at epoch 1, batch 1 with cases .*s\d"):
        fit(model, *sides(prepared), out=tmp_path / "run", **SETTINGS)


def test_without_validation_the_last_weights_are_the_best(prepared, small_model, tmp_path):
    run = fit(small_model(), prepared.select(["s0"]), out=tmp_path / "run", **{**SETTINGS, "epochs": 2})
    assert run.weights("best").read_bytes() == run.weights("last").read_bytes()
    assert run.experiment.validation_subjects == ()


def test_one_subject_on_two_sides_is_refused(prepared, small_model, tmp_path):
    with pytest.raises(InputError, match="Subject s1 is in both train and validation"):
        fit(small_model(), prepared.select(["s0", "s1"]), prepared.select(["s1"]), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_callback_of_the_user_is_called(prepared, small_model, tmp_path):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    fit(small_model(), *sides(prepared), out=tmp_path / "run", callbacks=[callback], **SETTINGS)
    assert seen == [0, 1, 2, 3]


def test_the_training_learns(prepared, small_model, tmp_path):
    settings = {**SETTINGS, "epochs": 6, "steps_per_epoch": 10, "augment": "none"}
    run = fit(small_model(), *sides(prepared), out=tmp_path / "run", **settings)
    assert run.history["val_dice"].iloc[-1] > 0.8


def test_weight_decay_shrinks_kernels_that_train_and_nothing_else(prepared, small_model, tmp_path):
    model, rate = small_model(), 1e-2
    freeze(model, "encoder")
    frozen = [value.numpy() for value in model.non_trainable_weights]
    settings = {**SETTINGS, "learning_rate": rate, "weight_decay": 1 / rate}  # every step takes off all that was there
    fit(model, sides(prepared)[0], out=tmp_path / "run", **settings)
    for tensor in model.trainable_weights:
        largest = np.abs(tensor.numpy()).max()
        assert (largest < 3 * rate) == ("kernel" in tensor.name), tensor.name
    assert equal(frozen, [value.numpy() for value in model.non_trainable_weights])


def test_settings_that_are_refused_leave_no_folder(prepared, small_model, tmp_path):
    for wrong in ({"augment": "wild"}, {"loss": "hinge"}, {"keep": "some"}):
        with pytest.raises(InputError):
            fit(small_model(), *sides(prepared), out=tmp_path / "run", **{**SETTINGS, **wrong})
        assert not (tmp_path / "run").exists()


def test_resuming_on_cases_that_were_prepared_otherwise_is_refused(cohort, small_model, tmp_path):
    first = prepare(cohort, tmp_path / "prepared", modalities=("flair", "t1"))
    fit(small_model(), *sides(first), out=tmp_path / "run", **SETTINGS)
    again = prepare(cohort, tmp_path / "prepared", modalities=("flair", "t1"), normalise="max")
    with pytest.raises(InputError, match="prepared anew"):
        fit(small_model(), *sides(again), out=tmp_path / "run", resume=True, **SETTINGS)


def test_leftovers_of_a_killed_process_go_at_resume(prepared, finished, small_model):
    leftover = finished[0].folder / "state" / ".12345-state.h5"
    leftover.write_bytes(b"half")
    fit(small_model(), *sides(prepared), out=finished[0].folder, resume=True, **SETTINGS)
    assert not leftover.exists()


@pytest.mark.parametrize("side", [0, 1])
def test_a_batch_that_cannot_be_made_is_told_of_in_our_words(prepared, small_model, tmp_path, side):
    copied = PreparedCohort.open(shutil.copytree(prepared.folder, tmp_path / "prepared"))
    cases = copied.select(["s0"]), copied.select(["s3"])
    damage = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: os.truncate(cases[side][0].folder / "image.npy", 200)
    )
    with pytest.raises(InputError, match=rf"s{3 * side}/image\.npy is shorter .*Prepare this case again") as caught:
        fit(small_model(), *cases, out=tmp_path / "run", callbacks=[damage], **{**SETTINGS, "steps_per_epoch": 1})
    assert "\n" not in str(caught.value)


def test_a_disk_that_fills_up_ends_in_one_line(prepared, small_model, tmp_path):
    resource = pytest.importorskip("resource")
    old, action = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, old[1]))
        with pytest.raises(InputError, match=r"Cannot write .*h5"):
            fit(small_model(), *sides(prepared), out=tmp_path / "run", **SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, action)
    assert not list((tmp_path / "run").rglob(".*"))


def test_stochastic_gradient_descent_with_momentum_resumes_exactly(prepared, small_model, tmp_path):
    class Interruption(RuntimeError):
        pass

    def interrupt(epoch, logs):
        if epoch == 1:
            raise Interruption

    settings = {**SETTINGS, "optimizer": "sgd", "momentum": 0.8, "decay": "polynomial", "weight_decay": 5e-3}
    whole = fit(small_model(), *sides(prepared), out=tmp_path / "whole", **settings)
    with pytest.raises(Interruption):
        stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
        fit(small_model(), *sides(prepared), out=tmp_path / "stopped", callbacks=[stop], **settings)
    fit(small_model(), *sides(prepared), out=tmp_path / "stopped", resume=True, **settings)
    first, second = (arrays_of(tmp_path / name / "state" / "state.h5") for name in ("whole", "stopped"))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    moments = [array for name, array in first.items() if name.startswith("optimizer") and array.ndim == 4]
    assert len(moments) == 2
    assert all(np.abs(moment).max() > 0 for moment in moments)
    rates = 1e-2 * (1 - np.arange(4) / 4) ** 0.9
    np.testing.assert_allclose(whole.history["learning_rate"], rates, rtol=1e-6)


def test_the_weight_of_lesions_is_computed_and_noted_and_the_same_on_resume(prepared, small_model, tmp_path):
    settings = {**SETTINGS, "epochs": 1, "loss": "weighted_bce"}
    for out, more in (("computed", {}), ("given", {"pos_weight": 25.0})):
        fit(small_model(), *sides(prepared), out=tmp_path / out, **settings, **more)
    noted = [read_json(tmp_path / name / "environment.json")["pos_weight"] for name in ("computed", "given")]
    assert noted == [pos_weight_of(sides(prepared)[0], keep="balanced"), 25.0]
    with pytest.raises(InputError, match=r"pos_weight is 25\.0, but the loss is 'bce_dice'"):
        fit(small_model(), *sides(prepared), out=tmp_path / "other", **{**SETTINGS, "pos_weight": 25.0})
    resumed = fit(small_model(), *sides(prepared), out=tmp_path / "computed", resume=True, **settings)
    assert resumed.experiment.pos_weight is None
    assert resumed.threshold == even_cut(noted[0])


def test_where_lesions_count_more_epochs_are_judged_by_masks_cut_higher(prepared, small_model, tmp_path):
    settings = {**SETTINGS, "epochs": 1, "loss": "weighted_bce", "pos_weight": 25.0}
    run = fit(small_model(), *sides(prepared), out=tmp_path / "run", **settings)
    counted = Dice(25 / 26)
    for case in sides(prepared)[1]:
        counted.update_state(np.asarray(case.mask)[..., None], Predictor(run.model())(case))
    np.testing.assert_allclose(run.history["val_dice"].iloc[-1], counted.result(), atol=1e-6)

