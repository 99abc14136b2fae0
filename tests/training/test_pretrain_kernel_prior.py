"""Learning a prior of kernels from files of networks: the folder that it leaves, and what stops it."""
import numpy as np
import pandas as pd
import pytest

from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.errors import InputError
from mstl.files import read_json, sha256
from mstl.models.kernel_prior import KernelPrior
from mstl.training.pretrain_kernel_prior import pretrain_kernel_prior
from tests.gans import eager
from tests.kernels import FILTERS, GROUPS, KERNELS, QUICK, small_network, write_networks

OPTIONS = {"model_options": {"filters": list(FILTERS)}, **QUICK}


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eager():
        yield


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return write_networks(tmp_path_factory.mktemp("networks"), 6)


@pytest.fixture(scope="module")
def learned(networks, tmp_path_factory):
    """The run, the tables of kernels that were seen before it began, and the epochs as they were told."""
    tables, told = [], []
    run = pretrain_kernel_prior(
        networks, out=tmp_path_factory.mktemp("prior") / "out", collected=tables.append,
        progress=lambda group, row: told.append((group, row["epoch"])), **OPTIONS,
    )  # fmt: skip
    return run, tables, told


def test_the_folder_holds_all_that_is_promised(learned, networks):
    run = learned[0]
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "environment.json", "experiment.yaml", "groups.csv", "history.csv", "kernels.csv", "prior.h5",
    ]  # fmt: skip
    assert read_json(run.folder / "environment.json")["inputs"] == {str(path): sha256(path) for path in networks}
    assert (run.folder / "experiment.yaml").read_text().startswith("pretraining: kernel-prior\n")
    assert run.experiment == KernelPriorExperiment(sources=tuple(map(str, networks)), **OPTIONS)


def test_each_group_has_a_prior_that_fits_the_network(learned):
    prior = learned[0].prior
    assert tuple(prior.groups) == GROUPS
    prior.check_groups(small_network())
    assert prior.sample("encoder_half", 4, seed=0).shape == (4, 3, 3, 3)
    assert KernelPrior.load(learned[0].folder / "prior.h5").provenance["networks"].keys() == set(
        learned[0].kernels["network"]
    )


def test_a_row_tells_of_each_epoch_of_each_group(learned):
    run, _, told = learned
    history = run.history
    assert list(history) == ["group", "epoch", "elbo", "held_out_elbo", "reconstruction", "kl"]
    assert [(group, epoch) for group, epoch in zip(history["group"], history["epoch"], strict=True)] == told
    assert history.groupby("group", sort=False).size().to_dict() == dict.fromkeys(GROUPS, 2)


def test_a_row_tells_of_each_group(learned):
    groups = learned[0].groups.set_index("group")
    for name, count in KERNELS.items():
        row = groups.loc[name]
        assert (row["kernels"], row["trained_on"], row["held_out"]) == (6 * count, 5 * count, count)
        assert row["held_out_are"] == "trainings"
        assert 0.1 < row["scale"] < 1
        assert np.isfinite([row["held_out_elbo"], row["gaussian"]]).all()


def test_a_row_tells_of_each_network_and_group_before_it_begins(learned, networks):
    run, tables, _ = learned
    pd.testing.assert_frame_equal(run.kernels, tables[0])
    assert len(run.kernels) == len(networks) * len(GROUPS)
    assert run.kernels["kernels"].sum() == len(networks) * sum(KERNELS.values())


def test_a_seed_says_the_prior(learned, networks, tmp_path):
    again = pretrain_kernel_prior(networks, out=tmp_path / "again", **OPTIONS)
    values = [run.groups["held_out_elbo"].to_numpy() for run in (learned[0], again)]
    assert values[0] == pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "unet3d"}, "Model 'unet3d' is unknown"),
        ({"model_options": {}}, "is of another architecture"),
        ({"model_options": {"depth": 3}}, "has no option 'depth'"),
        ({"model": "unet-small", "model_options": {}}, "has no 3x3x3 convolution"),
        ({"log_variance_range": (1, 0)}, "two rising numbers"),
        ({"epochs": 0}, "epochs is 0"),
        ({"smallest_norm": 50.0}, "Group encoder_full has 0 kernels of 6 networks (216 of tiny norm dropped)"),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_folder(networks, tmp_path, change, expected):
    with pytest.raises(InputError) as caught:
        pretrain_kernel_prior(networks, out=tmp_path / "out", **(OPTIONS | change))
    assert expected in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_left_alone(networks, learned):
    with pytest.raises(InputError, match="is not empty"):
        pretrain_kernel_prior(networks, out=learned[0].folder, **OPTIONS)
