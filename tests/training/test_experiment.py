import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from mstl._keras import keras
from mstl.config import Experiment
from mstl.errors import InputError
from mstl.files import read_json, write_text
from mstl.models import recipe_of, unet_small
from mstl.models.pix2pix import generator
from mstl.models.tree import tensors_of
from mstl.training.experiment import split_sides, train_experiment
from mstl.training.progress import TrainingProgress
from mstl.training.run import FREEZE, TRANSFER, Run
from tests.gans import eager


@pytest.fixture(scope="module", autouse=True)
def without_graphs():
    """One step each: what an experiment becomes is the same without graphs, which cost more than the trainings."""
    with eager():
        yield


def test_named_subjects_are_taken_as_they_are(prepared):
    experiment = Experiment(train_subjects=("s0", "s1"), test_subjects=("s2",))
    train, validation, test = split_sides(prepared, experiment)
    assert train.subjects == ("s0", "s1")
    assert validation is None
    assert test.subjects == ("s2",)


def test_ratios_split_by_subject_and_a_zero_leaves_a_side_empty(prepared):
    train, validation, test = split_sides(prepared, Experiment(ratios=(0.6, 0.4, 0)))
    assert (len(train.subjects), len(validation.subjects), test) == (3, 2, None)
    assert not set(train.subjects) & set(validation.subjects)


def test_more_sides_than_subjects_is_an_error(prepared):
    with pytest.raises(InputError, match="subject"):
        split_sides(prepared.select(["s0", "s1"]), Experiment())


def test_two_ratios_are_refused(prepared):
    with pytest.raises(InputError, match="ratios has 2 numbers; 3 are expected"):
        split_sides(prepared, Experiment(ratios=(0.5, 0.5)))


def test_an_experiment_trains_the_model_it_names(prepared, tmp_path):
    experiment = Experiment(
        prepared=str(prepared.folder), stem="direct", context=1, epochs=1, steps_per_epoch=1, batch_size=2,
        validation_steps=1,
    )  # fmt: skip
    run = train_experiment(experiment, out=tmp_path / "run")
    assert run.experiment.stem == "direct"
    assert run.model().input_shape == (None, None, None, 6)
    assert {*run.experiment.train_subjects, *run.experiment.validation_subjects, *run.experiment.test_subjects} == {
        "s0", "s1", "s2", "s3", "s4",
    }  # fmt: skip


def experiment_of(prepared, **settings) -> Experiment:
    """One step with the small U-Net."""
    small = {"model": "unet-small", "model_options": {"width": 2, "depth": 2}, "batch_size": 2}
    steps = {"epochs": 1, "steps_per_epoch": 1, "validation_steps": 1}
    return Experiment(prepared=str(prepared.folder), **{**small, **steps, **settings})


def values(model) -> dict:
    return {path: tensor.value.numpy() for path, tensor in tensors_of(model).items()}


def test_the_options_of_a_model_reach_it_and_its_run(prepared, tmp_path):
    run = train_experiment(experiment_of(prepared), out=tmp_path / "run")
    assert run.experiment.model_options == {"width": 2, "depth": 2}
    assert {path: array.shape for path, array in values(run.model()).items()} == {
        path: array.shape for path, array in values(unet_small(channels=2, width=2, depth=2)).items()
    }


def test_weights_come_from_a_run_and_the_new_run_accounts_for_every_tensor(prepared, tmp_path):
    first = train_experiment(experiment_of(prepared), out=tmp_path / "first")
    origin = values(Run(first.folder).model())
    settings = {"init": str(first.folder), "init_include": "encoder", "freeze": "encoder"}
    second = train_experiment(experiment_of(prepared, **settings), out=tmp_path / "second")
    trained = values(Run(second.folder).model())
    frozen = {row["path"] for row in read_json(second.folder / FREEZE)["tensors"]}
    assert frozen
    assert all(np.array_equal(trained[path], origin[path]) for path in frozen)
    (account,) = read_json(second.folder / TRANSFER)["transfers"]
    assert {row["target"] for row in account["tensors"] if row["status"] == "load"} == frozen
    assert account["init"] == str(first.folder)
    assert len(account["sha256"]) == 64
    assert second.experiment.init_include == ("encoder",)


def test_a_run_from_random_weights_says_that_nothing_was_transferred(prepared, tmp_path):
    run = train_experiment(experiment_of(prepared), out=tmp_path / "run")
    account = read_json(run.folder / TRANSFER)
    assert account["transfers"] == []
    assert sum(block["random"] for block in account["groups"]) == run.model().count_params()
    assert run.experiment.init == "random"


def test_a_resumed_run_needs_the_first_weights_no_more(prepared, tmp_path):
    weights = tmp_path / "weights.h5"
    unet_small(channels=2, width=2, depth=2).save_weights(weights)
    settings = experiment_of(prepared, init=str(weights), epochs=2, init_exclude="head", init_rename="^old/ => ")
    with pytest.raises(KeyboardInterrupt):
        train_experiment(settings, out=tmp_path / "run", callbacks=[StopAfterOneEpoch()])
    account = read_json(tmp_path / "run" / TRANSFER)
    weights.unlink()
    run = train_experiment(settings, out=tmp_path / "run", resume=True)
    assert len(run.history) == 2
    assert read_json(run.folder / TRANSFER) == account


def test_whole_slices_are_padded_to_what_the_model_needs(prepared, tmp_path):
    segmenter = {"model": "pix2pix-segmenter", "model_options": {"width": 2}}
    run = train_experiment(experiment_of(prepared, **segmenter), out=tmp_path / "run")
    assert len(run.history) == 1
    with pytest.raises(InputError, match=r"Images of \(32, 32\) do not fit the model"):
        train_experiment(experiment_of(prepared, crop=32, **segmenter), out=tmp_path / "cropped")


class StopAfterOneEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


class StopAfter(keras.callbacks.Callback):
    """Stop at the end of the given epoch, counted over all trainings."""

    def __init__(self, epochs):
        super().__init__()
        self.left = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def with_twin(prepared, tmp_path_factory):
    """Settings with a twin of two epochs each, their run, and what the bar showed."""
    folder = tmp_path_factory.mktemp("twin")
    unet_small(channels=2, width=2, depth=2).save_weights(folder / "weights.h5")
    transfer = {"init": str(folder / "weights.h5"), "init_exclude": "head", "freeze": "gradual", "unfreeze_epochs": 1}
    settings = experiment_of(prepared, epochs=2, twin=True, **transfer)
    console = Console(file=io.StringIO(), width=160)
    with TrainingProgress(console) as bar:
        run = train_experiment(settings, out=folder / "run", callbacks=[bar])
    return settings, run, console.file.getvalue()


def test_a_twin_is_the_same_training_from_scratch(prepared, with_twin, tmp_path):
    _, run, _ = with_twin
    alone = train_experiment(experiment_of(prepared, epochs=2, freeze="none"), out=tmp_path / "alone")
    ours, theirs = values(run.twin.model("last")), values(alone.model("last"))
    assert all(np.array_equal(ours[path], theirs[path]) for path in theirs)
    assert run.twin.experiment == alone.experiment
    assert not run.twin.experiment.twin


def test_the_first_training_is_what_it_is_without_a_twin(with_twin, tmp_path):
    settings, run, _ = with_twin
    alone = train_experiment(replace(settings, twin=False), out=tmp_path / "alone")
    ours, theirs = values(run.model("last")), values(alone.model("last"))
    assert all(np.array_equal(ours[path], theirs[path]) for path in theirs)
    assert alone.twin is None
    assert run.experiment == replace(alone.experiment, twin=True)


def test_the_bar_tells_the_twin_from_the_first(with_twin):
    shown = with_twin[2].splitlines()
    first, twin = ([line for line in shown if line.startswith(words)][-1] for words in ("epoch 2/2", "twin from"))
    assert "twin from scratch, epoch 2/2" in twin
    assert "2/2" in first.removeprefix("epoch 2/2")
    assert "2/2" in twin.removeprefix("twin from scratch, epoch 2/2")


@pytest.mark.parametrize("epochs", [1, 3])
def test_what_was_stopped_in_either_goes_on_to_the_same_end(with_twin, tmp_path, epochs):
    settings, whole, _ = with_twin
    with pytest.raises(KeyboardInterrupt):
        train_experiment(settings, out=tmp_path / "run", callbacks=[StopAfter(epochs)])
    stopped = Run(tmp_path / "run")
    assert stopped.experiment.twin
    assert (stopped.twin is not None) == (epochs > 2)
    run = train_experiment(settings, out=tmp_path / "run", resume=True)
    for resumed, straight in ((run, whole), (run.twin, whole.twin)):
        ours, theirs = values(resumed.model("last")), values(straight.model("last"))
        assert len(resumed.history) == 2
        assert all(np.array_equal(ours[path], theirs[path]) for path in theirs)


def test_a_finished_run_can_get_its_twin_later(prepared, tmp_path):
    settings = experiment_of(prepared, freeze="encoder")
    first = values(train_experiment(settings, out=tmp_path / "run").model("last"))
    run = train_experiment(replace(settings, twin=True), out=tmp_path / "run", resume=True)
    assert run.experiment.twin
    assert len(run.twin.history) == 1
    assert all(np.array_equal(array, first[path]) for path, array in values(run.model("last")).items())
    assert read_json(run.twin.folder / FREEZE)["tensors"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init": "absent.h5"}, "Weights 'absent.h5' are no file, no run and none of imagenet"),
        ({"init": "imagenet"}, "No ImageNet weights belong to model 'unet-small'"),
        ({"model_options": {"depht": 2}}, "Model 'unet-small' has no option 'depht'. Its options are"),
        ({"model": "unet-tiny"}, "Model 'unet-tiny' is unknown"),
    ],
)
def test_what_cannot_be_begun_leaves_no_folder(prepared, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        train_experiment(experiment_of(prepared, **settings), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_gives_no_weights(prepared, tmp_path):
    with pytest.raises(InputError, match=r"holds no best\.h5; a run has one"):
        train_experiment(experiment_of(prepared, init=str(tmp_path)), out=tmp_path / "run")


@pytest.mark.parametrize("norm_mode", ["batch", "instance"])
def test_the_encoder_of_a_gan_stays_as_it_was_in_a_segmenter_that_freezes_it(prepared, tmp_path, norm_mode):
    gan = generator(image_shape=(64, 64, 2), out_channels=2, width=4, norm_mode=norm_mode)
    run = train_experiment(stage_two(prepared, tmp_path, gan, freeze="encoder"), out=tmp_path / "run")
    origin, trained = values(gan), values(run.model("last"))
    encoder = {path for path in trained if path.startswith(("conv_e", "batch_e", "bottleneck"))}
    rows = read_json(run.folder / FREEZE)["tensors"]
    assert {row["path"] for row in rows} == encoder
    assert all(row["unchanged"] for row in rows)
    assert all(np.array_equal(trained[path], origin[path]) for path in encoder)
    assert run.experiment.init_include == ("encoder",)


def test_a_segmenter_thaws_from_its_head_towards_the_encoder_of_a_gan(prepared, tmp_path):
    gan = generator(image_shape=(64, 64, 2), out_channels=2, width=4)
    settings = stage_two(prepared, tmp_path, gan, freeze="gradual", unfreeze_epochs=[1], epochs=2)
    rows = read_json(train_experiment(settings, out=tmp_path / "run").folder / FREEZE)["tensors"]
    assert all(row["unchanged"] for row in rows)
    thawed = {row["path"] for row in rows if row["thawed_after"] == 1}
    assert thawed == {"conv2d_transpose_1/kernel", "conv2d_transpose_1/bias"}
    assert {"conv_e1/kernel", "batch_e2/moving_mean", "conv_d5/kernel"} < {row["path"] for row in rows} - thawed


def stage_two(prepared, folder, gan, **settings) -> Experiment:
    """A segmenter that begins with the encoder of `gan`, whose folder is written into `folder`."""
    norm_mode = recipe_of(gan).get("norm_mode", "batch")
    gan.save_weights(folder / "best.h5")
    write_text(folder / "experiment.yaml", f"pretraining: gan\nactivation: tanh\nnorm_mode: {norm_mode}\n")
    model = {"model": "pix2pix-segmenter", "model_options": {"width": 4, "norm_mode": norm_mode}}
    return experiment_of(prepared, init=str(folder), **model, **settings)
