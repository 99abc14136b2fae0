"""The model that an experiment, a run or a name means."""
import pytest

from mstl.config import Experiment
from mstl.errors import InputError
from mstl.training.build import build_for, model_named
from mstl.training.experiment import train_experiment

PREPARATION = {"modalities": ["flair", "t1"]}
SMALL = {"model": "unet-small", "model_options": {"width": 2, "depth": 2}}


def test_channels_are_those_of_the_cases_in_all_neighbouring_slices():
    assert build_for(Experiment(context=1, **SMALL), PREPARATION).input_shape == (None, None, None, 6)


def test_a_stem_goes_only_to_a_model_that_has_one():
    assert build_for(Experiment(stem="direct"), PREPARATION).input_shape == (None, None, None, 2)
    assert build_for(Experiment(stem="direct", **SMALL), PREPARATION).input_shape == (None, None, None, 2)


def test_equal_seeds_draw_equal_weights():
    one, same = (build_for(Experiment(**SMALL), PREPARATION, seed=3) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one.get_weights(), same.get_weights(), strict=True))


def test_a_name_has_three_channels_where_none_are_given():
    assert model_named("unet-small", options=["width=2", "depth=2"])[0].input_shape[-1] == 3
    assert model_named("unet-small", options=["width=2", "depth=2", "channels=5"])[0].input_shape[-1] == 5


def test_a_name_has_channels_and_classes_of_the_cases_that_are_given():
    cases = {"modalities": ["flair", "t1", "t2", "oct"], "labels": [1, 4]}
    model, _ = model_named("unet-small", options=["width=2", "depth=2"], preparation=cases)
    assert (model.input_shape[-1], model.output_shape[-1]) == (4, 3)
    model, _ = model_named("unet-small", options=["width=2", "depth=2", "channels=1"], preparation=cases)
    assert model.input_shape[-1] == 1


def test_an_experiment_is_built_for_the_cases_that_are_given(tmp_path):
    Experiment(prepared="absent", **SMALL).save(tmp_path / "experiment.yaml")
    model, experiment = model_named(str(tmp_path / "experiment.yaml"), preparation=PREPARATION)
    assert (model.input_shape[-1], experiment.model) == (2, "unet-small")


def test_an_experiment_and_its_run_name_the_same_model(prepared, tmp_path):
    experiment = Experiment(prepared=str(prepared.folder), epochs=1, steps_per_epoch=1, batch_size=2, **SMALL)
    experiment.save(tmp_path / "experiment.yaml")
    run = train_experiment(experiment, out=tmp_path / "run")
    named = [model_named(str(tmp_path / "experiment.yaml")), model_named(str(run.folder))]
    assert [model.count_params() for model, _ in named] == [run.model().count_params()] * 2
    assert [experiment.model for _, experiment in named] == ["unet-small"] * 2


@pytest.mark.parametrize(
    ("what", "options", "message"),
    [
        ("unet-tiny", [], "Model 'unet-tiny' is unknown"),
        ("unet-small", ["width"], "not of the form key=value"),
        ("unet-small", ["wide=3"], "has no option 'wide'. Its options are"),
        ("unet-small", ["channels=four"], "Model 'unet-small' cannot be built with channels='four'"),
        ("absent.yaml", [], "absent.yaml does not exist"),
    ],
)
def test_what_means_no_model_is_refused(what, options, message):
    with pytest.raises(InputError, match=message):
        model_named(what, options=options)
