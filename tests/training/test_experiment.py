import pytest

from mstl.config import Experiment
from mstl.errors import InputError
from mstl.training.experiment import split_sides, train_experiment


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


def test_encoder_weights_that_do_not_exist_are_refused(prepared, tmp_path):
    with pytest.raises(InputError, match=r"absent\.h5 do not exist"):
        train_experiment(Experiment(prepared=str(prepared.folder), init="absent.h5"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
