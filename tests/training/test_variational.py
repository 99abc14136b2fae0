"""Variational training: its loss, what it logs and keeps, and that it goes on exactly where it stopped."""
import hashlib

import h5py
import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.config import Training
from mstl.errors import InputError
from mstl.files import read_json
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.kernel_prior import KernelPrior
from mstl.training.fit import fit
from mstl.training.precision import precision
from mstl.training.profile import Profiler
from mstl.training.state import reseed
from mstl.training.variational import Variational, kl_weight, variational
from mstl.training.weight_prior import GaussianPrior, LearnedPrior
from tests.training.bayesian import bayesian_network, prior_of, small_vae

SETTINGS = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 2, "patch": 8, "augment": "none", "learning_rate": 1e-2}
VOXELS = 500


@pytest.fixture
def small_prior(monkeypatch, tmp_path):
    """A file that holds a small prior, read anew each time."""
    (tmp_path / "prior.h5").write_bytes(b"stands for a prior")
    monkeypatch.setattr(KernelPrior, "load", classmethod(lambda cls, path: prior_of(bayesian_network(), small_vae())))
    return {"prior": str(tmp_path / "prior.h5"), "prior_kernels": 4}


def sides(prepared):
    return prepared.select(["s0", "s1"]), prepared.select(["s2"])


def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 8, 8, 8, 2)).astype(np.float32), rng.integers(0, 2, (2, 8, 8, 8, 1)).astype(np.float32)


def compiled(prior_class=GaussianPrior, *, rate=0.0):
    network = bayesian_network()
    if prior_class is GaussianPrior:
        prior = GaussianPrior(bayesian_layers(network), sigma=0.1)
    else:
        prior = LearnedPrior(network, prior_of(network, small_vae()), kernels=4)
    model = Variational(network, prior, voxels=VOXELS, seed=3)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def test_the_loss_of_a_step_is_the_data_term_and_the_weighted_divergence_over_all_voxels():
    images, masks = batch()
    model = compiled()
    model.kl_weight.assign(0.25)
    reseed(model, seed=0, epoch=0)
    logs = model.train_on_batch(images, masks, return_dict=True)
    reseed(model, seed=0, epoch=0)
    data = np.mean(keras.losses.binary_crossentropy(masks, model.network(images, training=True)))
    divergence = float(model.prior.divergence(tf.constant([3, 0], tf.int64)))
    assert logs["data"] == pytest.approx(data, rel=1e-5)
    assert logs["kl"] == pytest.approx(divergence / VOXELS, rel=1e-5)
    assert logs["loss"] == pytest.approx(data + 0.25 * divergence / VOXELS, rel=1e-5)
    assert logs["kl_weight"] == 0.25
    sigmas = [np.exp(layer.log_variance.numpy() / 2).ravel() for layer in bayesian_layers(model.network).values()]
    assert logs["sigma"] == pytest.approx(np.concatenate(sigmas).mean(), rel=1e-5)


@pytest.mark.parametrize("prior_class", [GaussianPrior, LearnedPrior])
def test_a_step_follows_the_gradient_of_the_loss(prior_class):
    images, masks = batch()
    model = compiled(prior_class)
    model.compile(keras.optimizers.SGD(1e-3), "binary_crossentropy")
    reseed(model, seed=0, epoch=0)
    with tf.GradientTape() as tape:
        data = tf.reduce_mean(keras.losses.binary_crossentropy(masks, model.network(images, training=True)))
        loss = data + model.prior.divergence(tf.constant([3, 0], tf.int64)) / VOXELS
    variables = model.trainable_variables
    expected = [value - 1e-3 * step for value, step in zip(variables, tape.gradient(loss, variables), strict=True)]
    reseed(model, seed=0, epoch=0)
    model.train_on_batch(images, masks)
    for ours, theirs in zip(variables, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_validation_has_the_data_term_alone_by_the_mean_weights():
    images, masks = batch()
    model = compiled()
    logs = model.test_on_batch(images, masks, return_dict=True)
    expected = np.mean(keras.losses.binary_crossentropy(masks, model.network(images)))
    assert logs == {"loss": pytest.approx(expected, rel=1e-5)}
    np.testing.assert_array_equal(model.predict(images, verbose=0), model.network.predict(images, verbose=0))


def test_the_weight_of_the_divergence_rises_along_a_line():
    settings = Training(prior="gaussian", kl_weight=0.5, kl_epochs=4)
    assert [kl_weight(settings, epoch=epoch) for epoch in range(6)] == [0, 0.125, 0.25, 0.375, 0.5, 0.5]
    assert kl_weight(Training(prior="gaussian", kl_weight=0.5), epoch=0) == 0.5


def test_the_voxels_are_those_of_all_training_cases(prepared):
    network = bayesian_network()
    prior = GaussianPrior(bayesian_layers(network), sigma=0.1)
    model = variational(network, prior, prepared, Training(prior="gaussian", seed=4))
    assert model.voxels == sum(case.image[..., 0].size for case in prepared)
    assert model.seed == 4


def test_a_run_logs_the_terms_and_keeps_the_network_alone(prepared, tmp_path, small_prior):
    run = fit(bayesian_network(), *sides(prepared), out=tmp_path / "run", kl_epochs=2, **small_prior, **SETTINGS)
    history = run.history
    np.testing.assert_allclose(history["loss"], history["data"] + history["kl_weight"] * history["kl"], rtol=1e-5)
    assert list(history["kl_weight"]) == [0.0, 0.5]
    assert not {"val_kl", "val_data", "val_sigma"} & set(history.columns)
    with h5py.File(run.weights()) as file:
        assert not [name for name in file if name.startswith("prior")]
        assert "first" in file
    assert (run.experiment.prior_kernels, run.experiment.kl_epochs) == (4, 2)
    assert run.experiment.prior == str(tmp_path / "prior.h5")
    noted = read_json(run.folder / "environment.json")["prior"]
    assert noted == {"file": run.experiment.prior, "sha256": hashlib.sha256(b"stands for a prior").hexdigest()}


def test_the_decoder_of_the_prior_stays_to_the_bit_and_the_encoder_learns(prepared, tmp_path, small_prior):
    run = fit(bayesian_network(), *sides(prepared), out=tmp_path / "run", **small_prior, **SETTINGS)
    rows = read_json(run.folder / "freeze.json")["tensors"]
    decoder = [row for row in rows if row["path"].startswith("prior_encoder_full/kernel_decoder/")]
    assert len(decoder) == len(rows) == 4
    assert all(row["unchanged"] for row in rows)
    with h5py.File(run.folder / "state" / "state.h5") as file:
        kept = {name: np.array(item) for name, item in file["weights"].items()}
    before = small_vae()
    encoders = [value.numpy() for value in before.encoder.weights]
    decoders = [value.numpy() for value in before.decoder.weights]
    assert all(any(_same(value, other) for other in kept.values()) for value in decoders)
    assert not any(_same(value, other) for value in encoders if value.any() for other in kept.values())


def _same(value, other):
    return value.shape == other.shape and np.array_equal(value, other)


def test_a_frozen_bayesian_layer_keeps_its_posterior_to_the_bit(prepared, tmp_path, small_prior):
    network = bayesian_network()
    before = [value.numpy() for value in network.get_layer("first").weights]
    other = network.get_layer("second").log_variance.numpy()
    run = fit(network, *sides(prepared), out=tmp_path / "run", freeze="^first$", **small_prior, **SETTINGS)
    for value, kept in zip(network.get_layer("first").weights, before, strict=True):
        np.testing.assert_array_equal(value, kept)
    assert np.any(network.get_layer("second").log_variance.numpy() != other)
    rows = {row["path"] for row in read_json(run.folder / "freeze.json")["tensors"]}
    assert {"first/kernel", "first/log_variance"} < rows


@pytest.mark.parametrize("kind", ["gaussian", "learned"])
def test_a_stopped_training_resumes_to_the_same_weights(prepared, tmp_path, small_prior, kind):
    settings = {**SETTINGS, "kl_epochs": 3, **({"prior": "gaussian"} if kind == "gaussian" else small_prior)}
    whole = fit(bayesian_network(), *sides(prepared), out=tmp_path / "whole", **settings)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(bayesian_network(), *sides(prepared), out=tmp_path / "half", callbacks=[Stop()], **settings)
    resumed = fit(bayesian_network(), *sides(prepared), out=tmp_path / "half", resume=True, **settings)
    for ours, theirs in zip(whole.model("last").get_weights(), resumed.model("last").get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name in ("loss", "kl", "data", "sigma"):
        np.testing.assert_array_equal(whole.history[name], resumed.history[name])


def test_a_start_at_the_prior_is_where_the_training_begins(prepared, tmp_path, small_prior):
    starts = {}
    for start in (False, True):
        network, settings = bayesian_network(), {**SETTINGS, "epochs": 1, "learning_rate": 0.0}
        before = network.get_layer("first").kernel.numpy()
        fit(network, sides(prepared)[0], out=tmp_path / str(start), prior_start=start, **small_prior, **settings)
        starts[start] = np.array_equal(network.get_layer("first").kernel, before)
    assert starts == {False: True, True: False}


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_with_a_prior(prepared, tmp_path, small_prior, name):
    with precision(name):
        network = bayesian_network()
    run = fit(network, *sides(prepared), out=tmp_path / "run", precision=name, **small_prior, **SETTINGS)
    assert np.isfinite(run.history[["loss", "kl", "data"]].to_numpy()).all()
    assert network.get_layer("first").log_variance.dtype == tf.float32


def test_auto_is_the_likelihood_with_a_prior(prepared, tmp_path):
    losses = []
    for loss in ("auto", "bce"):
        given = {**SETTINGS, "epochs": 1, "steps_per_epoch": 1, "prior": "gaussian", "loss": loss}
        losses.append(fit(bayesian_network(), sides(prepared)[0], out=tmp_path / loss, **given).history["data"][0])
    assert losses[0] == losses[1]


def test_a_prior_for_a_plain_model_is_refused_before_anything_is_written(prepared, tmp_path):
    image = keras.layers.Input((None, None, None, 2))
    plain = keras.Model(image, keras.layers.Conv3D(1, 3, padding="same", activation="sigmoid")(image))
    with pytest.raises(InputError, match="has no Bayesian layer"):
        fit(plain, *sides(prepared), out=tmp_path / "run", prior="gaussian", **SETTINGS)
    assert not (tmp_path / "run").exists()


def test_a_training_with_a_prior_can_be_profiled(prepared, tmp_path, small_prior):
    profiler = Profiler(tmp_path / "profile", steps=1)
    settings = {**SETTINGS, "epochs": 1}
    fit(bayesian_network(), sides(prepared)[0], out=tmp_path / "run", callbacks=[profiler], **small_prior, **settings)
    summary = read_json(tmp_path / "profile" / "summary.json")
    assert summary["model"] == "variational_tiny"
    assert summary["frozen"] == sum(value.numpy().size for value in small_vae().decoder.weights)
