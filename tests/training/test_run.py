import numpy as np
import pytest

from mstl.errors import InputError
from mstl.files import write_json
from mstl.models import build_model
from mstl.training.fit import fit
from mstl.training.run import Run
from tests.gans import eager

SETTINGS = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "augment": "none"}


@pytest.fixture(scope="module")
def folder(prepared, small_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    fit(small_model(), prepared.select(["s0", "s1"]), prepared.select(["s2"]), test=prepared.select(["s3"]), out=out,
        **SETTINGS)  # fmt: skip
    return out


def test_a_run_knows_its_settings_history_and_sides(folder, prepared):
    run = Run(folder)
    assert run.experiment.train_subjects == ("s0", "s1")
    assert run.experiment.test_subjects == ("s3",)
    assert run.preparation == prepared.preparation
    assert list(run.history["epoch"]) == [1]
    assert run.prepared("validation").subjects == ("s2",)


def test_the_threshold_is_one_half_until_one_is_chosen(folder):
    run = Run(folder)
    assert run.threshold == 0.5
    write_json(folder / "threshold.json", {"threshold": 0.35})
    assert run.threshold == 0.35
    assert run.clean_up == {}
    (folder / "threshold.json").unlink()


def test_several_classes_have_a_clean_up_and_no_threshold(folder):
    write_json(folder / "threshold.json", {"threshold": None, "minimum_ml": 0.03, "largest_only": False, "flip": False})
    assert Run(folder).threshold is None
    assert Run(folder).clean_up == {"minimum_ml": 0.03, "largest_only": False}
    (folder / "threshold.json").unlink()


def test_a_model_of_ours_is_built_again_with_its_weights(prepared, tmp_path):
    model = build_model("unet-resnet34", seed=0, channels=2)
    with eager():
        fit(model, prepared.select(["s0"]), out=tmp_path / "run", **SETTINGS)
    rebuilt = Run(tmp_path / "run").model("last")
    assert rebuilt is not model
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), rebuilt.get_weights(), strict=True))


def test_a_model_of_the_user_must_be_passed(folder, small_model):
    with pytest.raises(InputError, match="did not build"):
        Run(folder).model()
    assert Run(folder, model=small_model()).model().count_params() == small_model().count_params()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is not a run \(no experiment.yaml\)"):
        Run(tmp_path)


def test_unknown_weights_are_refused(folder):
    with pytest.raises(InputError, match="Weights 'first' are unknown"):
        Run(folder).weights("first")


def test_a_run_without_an_epoch_says_how_to_go_on(folder, tmp_path):
    (tmp_path / "experiment.yaml").write_text((folder / "experiment.yaml").read_text())
    for ask in (lambda run: run.history, lambda run: run.weights()):
        with pytest.raises(InputError, match="--resume"):
            ask(Run(tmp_path))


def test_an_empty_side_is_refused(folder, prepared, small_model, tmp_path):
    run = fit(small_model(), prepared.select(["s0"]), out=tmp_path / "run", **SETTINGS)
    with pytest.raises(InputError, match="has no validation subjects"):
        run.prepared("validation")
