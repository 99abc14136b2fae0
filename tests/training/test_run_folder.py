"""The folder of a training is made anew, or taken up where it holds the same experiment on the same cases."""
import pytest

from mstl.config import Experiment
from mstl.config_gan import GanExperiment
from mstl.errors import InputError
from mstl.files import write_text
from mstl.training.run_folder import check_apart, holds_weights, open_run_folder, subjects_of

BEGUN = {"preparation": {"normalise": "max"}, "environment": {"inputs": {"a": {"flair": "00ff"}}}}


@pytest.fixture(params=[Experiment, GanExperiment])
def experiment(request):
    return request.param(epochs=7, train_subjects=("a",))


def test_a_new_folder_holds_experiment_preparation_and_environment(experiment, tmp_path):
    out = open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=False)
    assert {path.name for path in out.iterdir()} == {"experiment.yaml", "preparation.json", "environment.json"}
    assert type(experiment).load(out / "experiment.yaml") == experiment


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_refused(experiment, tmp_path, resume):
    write_text(tmp_path / "notes.txt", "mine")
    with pytest.raises(InputError, match="is not empty"):
        open_run_folder(tmp_path, experiment, **BEGUN, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_resume_takes_up_the_same_experiment_and_removes_what_a_killed_process_left(experiment, tmp_path):
    open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=True)
    write_text(tmp_path / "run" / "state" / ".12345-state.h5", "half")
    out = open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=True)
    assert not list(out.rglob(".*"))


def test_a_resume_with_other_settings_says_which(experiment, tmp_path):
    open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=False)
    other = type(experiment)(epochs=9, train_subjects=("a",), seed=3)
    with pytest.raises(InputError, match=r"epochs 7 -> 9; seed 0 -> 3"):
        open_run_folder(tmp_path / "run", other, **BEGUN, resume=True)


def test_where_weights_began_matters_until_there_is_a_state(experiment, tmp_path):
    open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=False)
    other = type(experiment)(epochs=7, train_subjects=("a",), init="elsewhere.h5")
    with pytest.raises(InputError, match=r"init 'random' -> 'elsewhere\.h5'"):
        open_run_folder(tmp_path / "run", other, **BEGUN, resume=True)
    write_text(tmp_path / "run" / "state" / "state.h5", "")
    open_run_folder(tmp_path / "run", other, **BEGUN, resume=True)


def test_a_state_holds_the_weights_of_its_own_init_alone(experiment, tmp_path):
    out = open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=False)
    assert not holds_weights(out, experiment, resume=True)
    write_text(out / "state" / "state.h5", "")
    assert holds_weights(out, experiment, resume=True)
    assert not holds_weights(out, experiment, resume=False)
    other = type(experiment)(epochs=7, train_subjects=("a",), init="elsewhere.h5")
    with pytest.raises(InputError, match=r"began with init 'random', not 'elsewhere\.h5'\. Resume with the old"):
        holds_weights(out, other, resume=True)


@pytest.mark.parametrize(
    "change", [{"preparation": {"normalise": "minmax"}}, {"environment": {"inputs": {"a": {"flair": "ff00"}}}}]
)
def test_a_resume_on_other_cases_is_refused(experiment, tmp_path, change):
    open_run_folder(tmp_path / "run", experiment, **BEGUN, resume=False)
    with pytest.raises(InputError, match="prepared anew, or from other files"):
        open_run_folder(tmp_path / "run", experiment, **{**BEGUN, **change}, resume=True)


def test_a_resume_with_another_prior_under_the_same_name_is_refused(experiment, tmp_path):
    begun, now = ({**BEGUN["environment"], "prior": {"file": "prior.h5", "sha256": text}} for text in ("00", "ff"))
    open_run_folder(tmp_path / "run", experiment, **{**BEGUN, "environment": begun}, resume=False)
    with pytest.raises(InputError, match=r"prior is another than that which run .* began with\. Resume with that file"):
        open_run_folder(tmp_path / "run", experiment, **{**BEGUN, "environment": now}, resume=True)
    open_run_folder(tmp_path / "run", experiment, **{**BEGUN, "environment": begun}, resume=True)


def test_sides_are_named_by_subjects_and_share_none(gan_prepared):
    first, second = gan_prepared.select(["s0", "s1"]), gan_prepared.select(["s1"])
    sides = {"train": first, "validation": None, "test": second}
    assert subjects_of(sides) == {
        "train_subjects": ("s0", "s1"), "validation_subjects": (), "test_subjects": ("s1",)
    }  # fmt: skip
    with pytest.raises(InputError, match="Subject s1 is in both train and test"):
        check_apart(sides)
    check_apart({"train": first, "validation": None})
