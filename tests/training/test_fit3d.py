"""Training of 3D networks and of several classes, by the same `fit`."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.errors import InputError
from mstl.models import residual_unet3d, unet_small
from mstl.training.build import build_for
from mstl.training.experiment import train_experiment
from mstl.training.fit import fit
from tests.labelled import with_labels

SETTINGS = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 2, "patch": 8, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, make_case):
    """Three tiny heads whose masks hold 1, 2 and 4, prepared."""
    folder = tmp_path_factory.mktemp("labelled")
    cohort = Cohort([with_labels(make_case(folder, f"s{number}", seed=number)) for number in range(3)])
    return prepare(cohort, folder / "prepared", modalities=("flair", "t1"), labels=(1, 2, 4))


def small(num_classes: int = 4, **options):
    keras.utils.set_random_seed(0)
    return residual_unet3d(channels=2, filters=(4, 4), num_classes=num_classes, **options)


def sides(prepared):
    return prepared.select(["s0", "s1"]), prepared.select(["s2"])


def test_a_3d_training_of_several_classes_logs_each_and_can_be_rebuilt(labelled, tmp_path):
    run = fit(small(), *sides(labelled), out=tmp_path / "run", loss="ce_dice", ce_weight=0.01, **SETTINGS)
    seen = {"dice", "iou", "precision", "sensitivity", "specificity", "dice_1", "dice_2", "dice_4"}
    assert seen | {f"val_{name}" for name in seen} <= set(run.history.columns)
    assert (run.experiment.patch, run.experiment.ce_weight) == ((8, 8, 8), 0.01)
    volume = np.ones((1, 8, 8, 8, 2), np.float32)
    rebuilt = type(run)(run.folder).model("last")
    np.testing.assert_allclose(rebuilt(volume), run.model("last")(volume), atol=1e-6)


def test_a_stopped_3d_training_resumes_to_the_same_weights(labelled, tmp_path):
    settings = {**SETTINGS, "loss": "ce", "augment": "strong"}
    whole = fit(small(), *sides(labelled), out=tmp_path / "whole", **settings)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(small(), *sides(labelled), out=tmp_path / "half", callbacks=[Stop()], **settings)
    resumed = fit(small(), *sides(labelled), out=tmp_path / "half", resume=True, **settings)
    for ours, theirs in zip(whole.model("last").get_weights(), resumed.model("last").get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_2d_network_learns_several_classes_too(labelled, tmp_path):
    model = unet_small(channels=2, width=2, depth=2, num_classes=4)
    run = fit(model, *sides(labelled), out=tmp_path / "run", loss="ce", epochs=1, steps_per_epoch=1, batch_size=2)
    assert "val_dice_4" in run.history.columns


def test_an_experiment_gets_as_many_classes_as_its_cases_have(labelled):
    from mstl.config import Experiment

    experiment = Experiment(model="unet3d-residual", model_options={"filters": [2, 2]})
    assert build_for(experiment, labelled.preparation).output_shape[-1] == 4


def test_an_experiment_trains_a_3d_network(labelled, tmp_path):
    from mstl.config import Experiment

    experiment = Experiment(
        prepared=str(labelled.folder), model="unet3d-classic", model_options={"filters": [2, 2]}, loss="ce_dice",
        train_subjects=("s0",), epochs=1, steps_per_epoch=1, batch_size=1, patch=8, freeze="first:4",
    )  # fmt: skip
    run = train_experiment(experiment, out=tmp_path / "run")
    assert run.experiment.model == "unet3d-classic"


@pytest.mark.parametrize("num_classes", [1, 2, 3])
def test_a_model_of_another_number_of_classes_is_refused(labelled, tmp_path, num_classes):
    with pytest.raises(InputError, match=f"gives {num_classes} channels; masks of 0, 1, 2, 4 need 4"):
        fit(small(num_classes), labelled, out=tmp_path / "run", loss="ce" if num_classes > 1 else "bce", **SETTINGS)


def test_a_class_that_no_training_case_has_is_refused(tmp_path, make_case):
    cohort = Cohort([with_labels(make_case(tmp_path, "s0"), labels=(1, 2))])
    cases = prepare(cohort, tmp_path / "prepared", modalities=("flair", "t1"), labels=(1, 2, 4))
    with pytest.raises(InputError, match="No training case has a voxel of label 4"):
        fit(small(), cases, out=tmp_path / "run", loss="ce", **SETTINGS)
    assert not (tmp_path / "run").exists()
