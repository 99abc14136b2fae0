"""A pre-training is a function of its settings, whatever interrupts it; what is wrong stops it and spoils nothing.

These trainings run without graphs, which take longer to make than to use, and most with networks of some layers;
`tests/cli` has one that is compiled, of the networks of mstl.
"""
import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.config_gan import GanTraining
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.errors import InputError, TrainingError
from mstl.models import build_model
from mstl.models.pix2pix import generator
from mstl.training import gan_run, recorder
from mstl.training import pretrain_gan as pretraining
from mstl.training.fit import fit
from mstl.training.gan import Pix2Pix
from mstl.training.pretrain_gan import pretrain_gan, restoration_sampler
from mstl.training.recorder import RunRecorder
from mstl.transfer.initial import initialise
from tests.gans import SETTINGS, SIDES, eager, sides_of, tiny_gan, tiny_networks
from tests.opened import opened_files

SHORT = {**SETTINGS, "epochs": 2, "sample_every": 9}
pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")  # of running without graphs


@pytest.fixture(autouse=True)
def _eager():
    with eager():
        yield


@pytest.fixture
def tiny(monkeypatch):
    """Let pre-trainings have `tests.gans.tiny_networks`."""
    _with_tiny_networks(monkeypatch)


def _with_tiny_networks(patch) -> None:
    for module in (pretraining, gan_run):
        patch.setattr(module, "build_generator", lambda settings, channels: tiny_networks(dropout=0.4)[0])
    patch.setattr(pretraining, "discriminator", lambda **options: tiny_networks()[1])


def arrays_of(folder) -> dict[str, np.ndarray]:
    """Every array of a state: both networks, the steps and moments of both optimizers."""
    arrays = {}
    with h5py.File(folder / "state" / "state.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def finished(gan_prepared, tmp_path_factory):
    """A pre-training that nobody disturbed."""
    with eager(), pytest.MonkeyPatch.context() as patch:
        _with_tiny_networks(patch)
        return pretrain_gan(*sides_of(gan_prepared), out=tmp_path_factory.mktemp("gan") / "run", **SETTINGS)


def test_a_history_has_a_row_an_epoch_with_every_loss_apart(finished):
    history = finished.history
    losses = ["loss", "adversarial_loss", "l1_loss", "discriminator_loss"]
    scores = ["hidden_mae", "hidden_ssim"]
    assert list(history) == [
        "epoch", "learning_rate", *losses, *(f"val_{name}" for name in (*losses, *scores)), "seconds"
    ]  # fmt: skip
    assert list(history["epoch"]) == [1, 2, 3]
    np.testing.assert_allclose(history["learning_rate"], 1e-2, rtol=1e-6)
    np.testing.assert_allclose(history["loss"], history["adversarial_loss"] + 100 * history["l1_loss"], rtol=1e-5)


def test_a_state_holds_discriminator_and_both_optimizers(finished):
    arrays = arrays_of(finished.folder)
    weights = [name for name in arrays if name.startswith("weights/")]
    optimizer = [name for name in arrays if name.startswith("optimizer/")]
    networks = tiny_networks()
    assert len(weights) == sum(len(network.weights) for network in networks)
    assert len(optimizer) == sum(1 + 2 * len(network.trainable_variables) for network in networks)  # step, moments


def test_the_rate_of_both_optimizers_falls_as_the_decay_has_it(tmp_path):
    settings = GanTraining(decay="cosine", epochs=2, learning_rate=1e-2)
    decaying = pretraining.GanRecorder(tmp_path, settings, [])
    decaying.set_model(tiny_gan())
    for epoch, rate in ((0, 1e-2), (1, 5e-3)):
        decaying.set_rate(epoch)
        rates = [float(optimizer.learning_rate) for optimizer in decaying.model.optimizers]
        assert rates == pytest.approx([rate] * 2)


class Interruption(RuntimeError):
    pass


def interrupted_at(patch, moment: str) -> None:
    """Let the second epoch's end break off before its weights, before its state, or behind it."""
    save_weights, save_state = RunRecorder._save_weights, recorder.save_state

    def weights(self, name):
        if moment == "before weights" and len(self.history) == 2:
            raise Interruption
        save_weights(self, name)

    def state(path, model, history):
        if moment == "after state":
            save_state(path, model, history)
        if moment != "before weights" and len(history) == 2:
            raise Interruption
        save_state(path, model, history)

    patch.setattr(RunRecorder, "_save_weights", weights)
    patch.setattr(recorder, "save_state", state)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("moment", ["before weights", "between weights and state", "after state"])
def test_interrupted_at_any_moment_it_resumes_to_the_bit(gan_prepared, finished, tmp_path, monkeypatch, moment):
    sides, options = sides_of(gan_prepared), {"out": tmp_path / "run", **SETTINGS}
    with monkeypatch.context() as patch, pytest.raises(Interruption):
        interrupted_at(patch, moment)
        pretrain_gan(*sides, **options)
    resumed = pretrain_gan(*sides, resume=True, **options)
    assert equal(arrays_of(resumed.folder), arrays_of(finished.folder))
    columns = [name for name in finished.history if name != "seconds"]
    assert resumed.history[columns].equals(finished.history[columns])
    for folder in ("samples", "generators"):
        names = [sorted(path.name for path in (run.folder / folder).iterdir()) for run in (resumed, finished)]
        assert names[0] == names[1]


@pytest.mark.usefixtures("tiny")
def test_worker_processes_change_nothing(gan_prepared, finished, tmp_path):
    run = pretrain_gan(*sides_of(gan_prepared), out=tmp_path / "run", **SETTINGS, **{"workers": 2})
    assert equal(arrays_of(run.folder), arrays_of(finished.folder))


@pytest.mark.usefixtures("tiny")
def test_resuming_a_finished_one_changes_nothing(gan_prepared, finished):
    before = arrays_of(finished.folder)
    pretrain_gan(*sides_of(gan_prepared), out=finished.folder, resume=True, **SETTINGS)
    assert equal(arrays_of(finished.folder), before)


class Bomb(keras.callbacks.Callback):
    """Spoils a weight of the generator or the discriminator before the second epoch."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = network

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            weight = getattr(self.model, self.network).trainable_variables[0]
            weight.assign(weight * np.nan)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_loss_that_is_not_finite_stops_it_names_the_cases_and_keeps_the_epoch_before(
    gan_prepared, tmp_path, network
):
    with pytest.raises(TrainingError, match=r"oss is nan at epoch 2, batch 1 with cases .*s\d.*earlier epochs"):
        pretrain_gan(*sides_of(gan_prepared), out=tmp_path / "run", callbacks=[Bomb(network)], **SHORT)
    run = gan_run.GanRun(tmp_path / "run")
    assert len(run.history) == 1
    for which in ("best", "last"):
        assert all(np.isfinite(array).all() for array in run.generator(which).get_weights())


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("validated", [True, False])
def test_a_last_batch_that_breaks_the_weights_is_never_kept(gan_prepared, tmp_path, monkeypatch, validated):
    step, steps = Pix2Pix.train_step, []

    def breaking(self, data):
        logs = step(self, data)
        steps.append(1)
        if len(steps) == 4:
            weight = self.discriminator.trainable_variables[0]
            weight.assign(weight * np.inf)
        return logs

    train, validation = sides_of(gan_prepared)
    settings = {**SHORT, "sample_every": 2}
    with (
        monkeypatch.context() as patch,
        pytest.raises(TrainingError, match=r"weight is not finite after epoch 2, batch 2 with cases .*s\d"),
    ):
        patch.setattr(Pix2Pix, "train_step", breaking)
        pretrain_gan(train, validation if validated else None, out=tmp_path / "run", **settings)
    run = gan_run.GanRun(tmp_path / "run")
    assert len(run.history) == 1
    assert all(np.isfinite(array).all() for array in arrays_of(run.folder).values())
    assert not (run.folder / "generators").exists()
    resumed = pretrain_gan(train, validation if validated else None, out=tmp_path / "run", resume=True, **settings)
    assert len(resumed.history) == 2


@pytest.mark.usefixtures("tiny")
def test_without_validation_the_last_epoch_is_the_best(gan_prepared, tmp_path):
    run = pretrain_gan(sides_of(gan_prepared)[0], out=tmp_path / "run", **SHORT)
    assert run.weights("best").read_bytes() == run.weights("last").read_bytes()
    assert run.baselines == {}
    assert "val_loss" not in run.history
    assert run.experiment.validation_subjects == ()


def test_one_that_goes_on_from_another_begins_with_all_of_its_generator(gan_prepared, pretrained, tmp_path):
    settings = {**SHORT, "epochs": 1, "steps_per_epoch": 1, "learning_rate": 0.0}
    run = pretrain_gan(sides_of(gan_prepared)[0], out=tmp_path / "run", init=str(pretrained.folder), **settings)
    began, ended = run.generator("last").get_weights(), gan_run.GanRun(pretrained.folder).generator().get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(began, ended, strict=True))
    assert str(pretrained.folder) in (run.folder / "transfer.json").read_text()
    assert run.experiment.init == str(pretrained.folder)


def test_weights_that_know_a_held_out_subject_are_warned_of(gan_prepared, pretrained, tmp_path):
    validation, train = sides_of(gan_prepared)
    settings = {**SHORT, "epochs": 1, "steps_per_epoch": 1}
    with pytest.warns(UserWarning, match=r"learned from subjects held out here \(s0, s1\)"):
        pretrain_gan(train, validation, out=tmp_path / "run", init=str(pretrained.folder), **settings)


def test_a_generator_of_another_width_is_refused_by_its_tensors(gan_prepared, tmp_path):
    other = generator(image_shape=(64, 64, 2), out_channels=2, width=3, norm_mode="instance")
    other.save_weights(tmp_path / "other.h5")
    with pytest.raises(InputError, match=r"conv_e1/.*3.*2") as caught:
        pretrain_gan(*sides_of(gan_prepared), out=tmp_path / "run", init=str(tmp_path / "other.h5"), **SHORT)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_images_that_do_not_end_in_zero_to_one_are_refused_before_there_is_a_folder(make_case, tmp_path):
    scans = Cohort([make_case(tmp_path / "scans", "s0")])
    cases = prepare(scans, tmp_path / "prepared", modalities=("flair",), normalise="zscore")
    with pytest.raises(InputError, match=r"Case s0 was prepared by normalise=zscore.*--normalise percentile"):
        pretrain_gan(cases, out=tmp_path / "run", **SHORT)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": 100}, "crop is 100; a multiple of 64"),
        ({"width": 0}, "width is 0; at least 1"),
        ({"activation": "relu"}, "activation is 'relu'"),
        ({"corruption": "stripes"}, "Corruption 'stripes' is unknown"),
        ({"init": "absent.h5"}, "'absent.h5' are no file"),
    ],
)
def test_settings_that_are_refused_leave_no_folder(gan_prepared, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        pretrain_gan(*sides_of(gan_prepared), out=tmp_path / "run", **{**SHORT, **change})
    assert not (tmp_path / "run").exists()


def test_one_subject_on_two_sides_is_refused(gan_prepared, tmp_path):
    train, validation = sides_of(gan_prepared)
    for sides in ((train, train), (train, validation)):
        with pytest.raises(InputError, match=r"Subject s\d is in both \w+ and \w+"):
            pretrain_gan(*sides, test=train, out=tmp_path / "run", **SHORT)


def test_a_validation_of_so_many_steps_is_the_same_in_every_epoch_and_not_augmented(gan_prepared):
    training = GanTraining(**{**SETTINGS, "crop": 64, "augment": "strong"})
    train = restoration_sampler(gan_prepared, training)
    held_out = restoration_sampler(gan_prepared, training, validation=True)
    assert (train.steps, held_out.steps) == (SETTINGS["steps_per_epoch"], SETTINGS["validation_steps"])
    assert train.slices.augment is not None
    assert (held_out.slices.augment, held_out.slices.crop) == (None, None)
    with opened_files() as opened:
        held_out.batch(0, 0)
    assert {path.name for path in opened} == {"image.npy"}


@pytest.mark.parametrize(("activation", "norm_mode"), [("sigmoid", "batch"), ("tanh", "moving")])
def test_every_kind_of_generator_is_trained(gan_prepared, tmp_path, activation, norm_mode):
    brief = {**SHORT, "epochs": 1, "steps_per_epoch": 1, "crop": 64}
    settings = {**brief, "activation": activation, "norm_mode": norm_mode}
    run = pretrain_gan(
        *sides_of(gan_prepared), test=gan_prepared.select(SIDES["test_subjects"]), out=tmp_path / "run", **settings
    )
    assert 0 < run.history["val_hidden_mae"].iloc[0] < 1
    assert run.experiment.test_subjects == SIDES["test_subjects"]


U_NET = {
    **{name: value for name, value in SHORT.items() if name != "norm_mode"},
    **{"generator": "unet-s5", "activation": "sigmoid", "adversarial_weight": 0.0, "crop": 32},
    **{"epochs": 1, "steps_per_epoch": 1},
}


@pytest.mark.usefixtures("tiny")
def test_one_that_was_stopped_without_a_discriminator_resumes_to_the_bit(gan_prepared, tmp_path, monkeypatch):
    sides, settings = sides_of(gan_prepared), {**SHORT, "adversarial_weight": 0.0}
    whole = pretrain_gan(*sides, out=tmp_path / "whole", **settings)
    with monkeypatch.context() as patch, pytest.raises(Interruption):
        interrupted_at(patch, "between weights and state")
        pretrain_gan(*sides, out=tmp_path / "run", **settings)
    resumed = pretrain_gan(*sides, resume=True, out=tmp_path / "run", **settings)
    assert equal(arrays_of(resumed.folder), arrays_of(whole.folder))
    assert not [name for name in whole.history if "adversarial" in name or "discriminator" in name]


def test_a_u_net_gives_encoder_and_decoder_to_a_segmenter_whose_encoder_may_be_frozen(make_case, tmp_path):
    scans = Cohort([make_case(tmp_path / "scans", f"s{number}", seed=number) for number in range(2)])
    cases = prepare(scans, tmp_path / "prepared", modalities=("flair",), normalise="percentile")
    source = pretrain_gan(cases, out=tmp_path / "gan", **U_NET)
    model = build_model("unet-s5", seed=1, channels=1, width=SHORT["width"], head="psp")
    report = initialise(model, str(source.folder), model_name="unet-s5", preparation=cases.preparation)
    assert report.notes == ()
    trained = source.generator()
    names = {layer.name for layer in trained.layers if layer.weights} - {"head_image"}
    assert {path.split("/")[0] for path in report.loaded} == names
    settings = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "freeze": "encoder", "augment": "none"}
    fit(model, cases, out=tmp_path / "run", **settings)
    for name in names:
        one, other = (network.get_layer(name).get_weights() for network in (trained, model))
        assert all(map(np.array_equal, one, other)) == name.startswith("encoder")
