"""Scores of held-out subjects: of the run's own sides, by the best weights, beside what learns nothing."""
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.evaluation.restoration import score_restoration, write_restoration
from mstl.training.gan_run import GanRun
from tests.gans import SETTINGS, eager
from tests.opened import opened_files

SCORES = ["mae", "mean_fill_mae", "gaussian_mae", "ssim", "mean_fill_ssim", "gaussian_ssim"]


@pytest.fixture(scope="module")
def run(pretrained):
    return GanRun(pretrained.folder)


@pytest.fixture(scope="module")
def written(run):
    return pd.read_csv(run.folder / "restoration.csv", dtype={"subject": str})


def test_a_row_a_held_out_subject_with_its_side_and_every_score(written, run):
    assert list(zip(written["subject"], written["side"], strict=True)) == [("s2", "validation"), ("s3", "test")]
    columns = ["subject", "slices", *SCORES, *(f"squares_{name}" for name in SCORES), "side"]
    assert set(written) == set(columns)
    assert list(written["slices"]) == [
        sum(voxels > 0 for voxels in run.prepared(side)[0].brain_voxels) for side in ("validation", "test")
    ]
    assert written.filter(like="mae").map(lambda error: 0 < error < 1).all(axis=None)
    assert written.filter(like="ssim").map(lambda similarity: -1 <= similarity <= 1).all(axis=None)


def test_scores_can_be_made_again_with_masks_closed_and_the_generator_as_it_was(run, written, gan_prepared):
    network, told = run.generator(), []
    before = network.get_weights()
    with opened_files() as opened, eager():
        table = score_restoration(network, run.prepared("test"), settings=run.experiment, progress=told.append)
    assert told == ["s3"]
    assert table.round(5).iloc[0].to_dict() == pytest.approx(written.drop(columns="side").iloc[1].to_dict(), abs=2e-5)
    assert not [path for path in opened if gan_prepared.folder in path.parents and "mask" in path.name]
    assert all(np.array_equal(one, other) for one, other in zip(before, network.get_weights(), strict=True))


def test_a_generator_that_leaves_what_is_hidden_is_worse_than_every_baseline(run):
    table = score_restoration(Nothing(), run.prepared("test"), settings=run.experiment)
    assert table["mae"][0] > table[["mean_fill_mae", "gaussian_mae"]].iloc[0].max()


def test_the_checkerboard_is_the_same_for_every_generator(run):
    experiments = run.experiment, replace(run.experiment, activation="sigmoid")
    signed, unit = (score_restoration(Nothing(), run.prepared("test"), settings=one) for one in experiments)
    names = [name for name in signed if name.startswith(("mean_fill", "gaussian"))]
    np.testing.assert_allclose(signed[names], unit[names], atol=1e-4)


def test_a_run_without_held_out_subjects_is_refused(run, tmp_path):
    replace(run.experiment, validation_subjects=(), test_subjects=()).save(tmp_path / "experiment.yaml")
    with pytest.raises(InputError, match=r"has no held-out subjects to score\. Give it validation subjects"):
        write_restoration(GanRun(tmp_path))


class Nothing:
    """Stands for a generator: gives back what it is given."""

    submodules = ()

    def __call__(self, image, training):
        assert image.shape[-1] == 2
        assert len(image) <= SETTINGS["batch_size"]
        return image
