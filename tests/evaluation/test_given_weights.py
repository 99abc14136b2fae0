import numpy as np
import pytest
import yaml

from mstl._keras import keras
from mstl.errors import InputError, TransferError
from mstl.evaluation.given_weights import GivenWeights
from mstl.models import build_model
from mstl.training.run import Run

OPTIONS = ["width=2", "depth=2"]


@pytest.fixture(scope="module")
def weights(small_run):
    return str(small_run / "best.h5")


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_a_run_knows_its_network(small_run, tiny_prepared):
    for checkpoint in (small_run, str(small_run), Run(small_run)):
        predictor, notes = GivenWeights.of(tiny_prepared, None)(checkpoint)
        assert equal(predictor.model, Run(small_run).model())
        assert notes == ()


def test_a_file_fills_a_network_that_is_named_for_the_cases_channels(weights, small_run, tiny_prepared):
    given = GivenWeights.of(tiny_prepared, "unet-small", options=OPTIONS)
    assert given.name == "unet-small"
    assert equal(given(weights)[0].model, Run(small_run).model())


def test_a_run_or_an_experiment_says_what_network_a_file_is_for(weights, small_run, tiny_prepared, tmp_path):
    (tmp_path / "experiment.yaml").write_text(
        yaml.safe_dump({"model": "unet-small", "model_options": {"width": 2, "depth": 2}}), encoding="utf-8"
    )
    for model in (str(small_run), str(tmp_path / "experiment.yaml")):
        assert equal(GivenWeights.of(tiny_prepared, model)(weights)[0].model, Run(small_run).model())


def test_the_experiment_says_which_neighbours_and_windows_a_file_is_shown(tiny_prepared, tmp_path):
    options = {"model": "unet-small", "model_options": {"width": 2, "depth": 2}}
    settings = options | {"context": 1, "window": 16, "overlap": 0.25}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    build_model("unet-small", channels=6, width=2, depth=2).save_weights(tmp_path / "x.h5")
    predictor, _ = GivenWeights.of(tiny_prepared, str(tmp_path / "experiment.yaml"))(tmp_path / "x.h5")
    assert (predictor.context, predictor.window, predictor.overlap) == (1, (16, 16), 0.25)
    assert predictor(tiny_prepared[0]).shape == (*tiny_prepared[0].shape, 1)


def test_a_network_of_the_users_own_is_copied(weights, small_run, tiny_prepared):
    model = build_model("unet-small", channels=2, width=2, depth=2)
    before = keras.models.clone_model(model)
    before.set_weights(model.get_weights())
    assert equal(GivenWeights.of(tiny_prepared, model)(weights)[0].model, Run(small_run).model())
    assert equal(model, before)


def test_a_file_without_a_network_is_an_error_that_asks_for_it(weights, tiny_prepared):
    with pytest.raises(InputError, match=r"best\.h5 is a file of weights, .* Give model"):
        GivenWeights.of(tiny_prepared, None)(weights)


def test_weights_that_fill_a_part_of_the_network_are_an_error(tiny_prepared, tmp_path):
    model = build_model("unet-small", channels=2, width=2, depth=2)
    keras.Model(model.input, model.layers[-3].output).save_weights(tmp_path / "headless.h5")
    given = GivenWeights.of(tiny_prepared, "unet-small", options=OPTIONS)
    with pytest.raises(TransferError, match=r"has nothing for 2 of .*final_conv"):
        given(tmp_path / "headless.h5")


@pytest.mark.parametrize("name", ["imagenet", "imagenet-vgg16"])
def test_published_weights_of_an_encoder_are_an_error_and_not_fetched(tiny_prepared, monkeypatch, name):
    monkeypatch.setattr("mstl.transfer.source.fetch", lambda name: pytest.fail("was fetched"))
    with pytest.raises(InputError, match=f"{name} is weights of an encoder alone"):
        GivenWeights.of(tiny_prepared, "unet-resnet34")(name)


def test_published_weights_without_a_network_are_not_fetched(tiny_prepared, monkeypatch):
    monkeypatch.setattr("mstl.transfer.source.fetch", lambda name: pytest.fail("was fetched"))
    with pytest.raises(InputError, match=r"unet-small-phantoms is a file of weights, .* Give model"):
        GivenWeights.of(tiny_prepared, None)("unet-small-phantoms")


def test_what_is_neither_file_nor_run_nor_name_is_an_error(tiny_prepared, tmp_path):
    with pytest.raises(InputError, match=r"'none\.h5' are no file, no run"):
        GivenWeights.of(tiny_prepared, None)("none.h5")
    with pytest.raises(InputError, match="is not a run"):
        GivenWeights.of(tiny_prepared, None)(tmp_path)


def test_a_network_that_cannot_be_built_is_an_error_at_once(tiny_prepared):
    with pytest.raises(InputError, match="Model 'u-net' is unknown"):
        GivenWeights.of(tiny_prepared, "u-net")


def test_weights_that_know_other_images_or_the_very_subjects_are_noted(write_run, tiny_prepared, tmp_path):
    run = write_run(
        tmp_path / "run", tiny_prepared.preparation | {"normalise": "minmax"}, train_subjects=("ras",),
        model_options={"width": 2, "depth": 2},
    )  # fmt: skip
    _, notes = GivenWeights.of(tiny_prepared, None)(run)
    assert "normalised by 'minmax'" in notes[0]
    assert "learned from subjects held out here (ras)" in notes[1]
