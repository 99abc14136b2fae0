"""What can be asked of the folder of a pre-training."""
import shutil

import numpy as np
import pytest

from mstl.errors import InputError
from mstl.training.gan_run import GanRun, build_generator
from mstl.training.run import Run
from tests.gans import SETTINGS, SIDES


def test_a_run_knows_its_settings_history_preparation_and_baselines(pretrained, gan_prepared):
    run = GanRun(pretrained.folder)
    assert {name: getattr(run.experiment, name) for name in SETTINGS} == SETTINGS
    assert {name: getattr(run.experiment, name) for name in SIDES} == SIDES
    assert len(run.history) == SETTINGS["epochs"]
    assert run.preparation == gan_prepared.preparation
    assert run.prepared("test").subjects == SIDES["test_subjects"]
    assert set(run.baselines) == {"mean_fill", "gaussian"}
    assert all(scores.keys() == {"hidden_mae", "hidden_ssim"} for scores in run.baselines.values())
    assert all(0 < scores["hidden_mae"] < 1 for scores in run.baselines.values())


@pytest.mark.parametrize("which", ["best", "last"])
def test_its_generator_restores_images_of_any_sides_that_divide_by_64(pretrained, which):
    network = GanRun(pretrained.folder).generator(which)
    restored = network(np.zeros((1, 64, 128, 2), np.float32)).numpy()
    assert restored.shape == (1, 64, 128, 2)
    assert np.abs(restored).max() <= 1


def test_best_is_the_epoch_of_the_least_hidden_error(pretrained):
    history = GanRun(pretrained.folder).history
    best_is_last = history["val_hidden_mae"].idxmin() == len(history) - 1
    same = (pretrained.folder / "best.h5").read_bytes() == (pretrained.folder / "last.h5").read_bytes()
    assert same == best_is_last


def test_the_generator_of_a_sheet_is_a_file_of_weights_like_the_others(pretrained):
    run = GanRun(pretrained.folder)
    network = build_generator(run.experiment, channels=2)
    network.load_weights(pretrained.folder / "generators" / "epoch-0003.h5")
    last = run.generator("last").get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(network.get_weights(), last, strict=True))


def test_a_run_without_validation_has_no_baselines(pretrained, tmp_path):
    shutil.copy(pretrained.folder / "experiment.yaml", tmp_path)
    assert GanRun(tmp_path).baselines == {}
    with pytest.raises(InputError, match=r"has no best\.h5. Train it further with --resume"):
        GanRun(tmp_path).weights()


def test_folders_of_other_commands_are_refused_with_what_to_give(pretrained, tmp_path):
    with pytest.raises(InputError, match=r"is not a run \(no experiment\.yaml\)\. Make one with 'mstl pretrain gan'"):
        GanRun(tmp_path)
    (tmp_path / "experiment.yaml").write_text("epochs: 1\n")
    with pytest.raises(InputError, match=r"is a run of 'mstl train'; one of 'mstl pretrain gan' is expected\. Give"):
        GanRun(tmp_path)
    with pytest.raises(InputError, match=r"is a run of 'mstl pretrain gan'; one of 'mstl train' is expected\. Train"):
        Run(pretrained.folder)
