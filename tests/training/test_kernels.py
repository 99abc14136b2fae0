"""Kernels of trained networks, from files of every kind, by groups; and sources that will not do."""
import re
import shutil

import numpy as np
import pytest

from mstl.errors import InputError
from mstl.models.bayesian_unet3d import bayesian_unet3d
from mstl.models.tree import layers_of
from mstl.training.kernels import collect_kernels, kernel_table, network_files
from mstl.training.state import save_weights
from tests.kernels import FILTERS, GROUPS, KERNELS, drawn_network, small_network, write_networks


@pytest.fixture(scope="module")
def model():
    return small_network()


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return write_networks(tmp_path_factory.mktemp("networks"), 5)


def refused(sources, model, **options) -> str:
    with pytest.raises(InputError) as caught:
        collect_kernels(sources, model, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_each_kernel_of_each_network_comes_once_in_its_group(networks, model):
    found = collect_kernels(networks, model)
    assert tuple(found) == GROUPS
    for name, kernels in found.items():
        assert kernels.values.shape == (5 * KERNELS[name], 3, 3, 3)
        assert kernels.values.dtype == np.float32
        assert np.bincount(kernels.network).tolist() == 5 * [KERNELS[name]]
        assert [file.path for file in kernels.networks] == networks
        assert kernels.dropped == 5 * (0,)


def test_a_kernel_is_that_of_a_channel_in_and_a_channel_out(networks, model):
    kernels = collect_kernels(networks, model)["encoder_full"]
    layers = layers_of(drawn_network(2))
    of_third = kernels.values[kernels.network == 2]
    stem, first = (layers[path].kernel.numpy() for path in kernels.layers)
    assert np.array_equal(of_third[3], stem[..., 0, 3])
    assert np.array_equal(of_third[4 + 8 * 2 + 5], first[..., 2, 5])


def test_kernels_of_tiny_norm_are_dropped_and_counted(networks, model, tmp_path):
    pruned = drawn_network(7)
    kernel = layers_of(pruned)["encoder2_block1_conv1"].kernel
    values = kernel.numpy()
    values[..., 1, :] = 1e-4
    kernel.assign(values)
    save_weights(tmp_path / "pruned.h5", pruned)
    found = collect_kernels([*networks, tmp_path / "pruned.h5"], model)
    assert found["encoder_full"].dropped == (0, 0, 0, 0, 0, 8)
    assert len(found["encoder_full"].values) == 6 * 36 - 8
    table = kernel_table(found)
    row = table[(table["network"] == str(tmp_path / "pruned.h5")) & (table["group"] == "encoder_full")]
    assert row[["kernels", "dropped"]].to_numpy().tolist() == [[28, 8]]
    assert len(table) == 6 * 3
    assert len(collect_kernels(networks, model, smallest_norm=0)["decoder_full"].values) == 160


def test_a_bayesian_network_gives_the_means_of_its_posterior(model, tmp_path):
    bayesian = bayesian_unet3d(channels=1, num_classes=2, filters=FILTERS)
    save_weights(tmp_path / "bayesian.h5", bayesian)
    for network in (model, bayesian):
        kernels = collect_kernels([tmp_path / "bayesian.h5"], network, fewest=1)["encoder_full"]
        means = layers_of(bayesian)["encoder1_conv"].kernel.numpy()
        assert np.array_equal(kernels.values[:4], np.moveaxis(means[..., 0, :], -1, 0))


def run_of(folder, networks, *names):
    folder.mkdir(parents=True)
    for name, network in zip(names, networks, strict=False):
        shutil.copy(network, folder / name)
    return folder


def test_a_run_gives_its_minima_and_one_without_them_its_best_weights(networks, tmp_path):
    run = run_of(tmp_path / "ms-1", networks, "minimum10.h5", "minimum2.h5", "best.h5")
    plain = run_of(tmp_path / "ms-2", networks, "best.h5", "last.h5")
    files = network_files([run, plain, networks[4]])
    assert [file.path.name for file in files] == ["minimum2.h5", "minimum10.h5", "best.h5", "network-4.h5"]
    assert [file.run for file in files] == [run, run, plain, networks[4]]


def test_a_pattern_means_what_it_fits_in_the_order_of_numbers(networks, tmp_path):
    runs = [run_of(tmp_path / f"ms-{number}", networks, "best.h5") for number in (10, 9)]
    assert [file.run for file in network_files([f"{tmp_path}/ms-*"])] == runs[::-1]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ([], "No source network is given"),
        (["nowhere"], "Source nowhere does not exist"),
        (["{folder}/x*"], "means no file and no folder"),
        (["{folder}/empty"], "empty holds neither best.h5 nor minimum1.h5"),
        (["{folder}/text.h5"], "text.h5"),
        (["{network}", "{network}"], "network-0.h5 is given twice"),
    ],
)
def test_sources_that_mean_no_network_are_errors(networks, model, tmp_path, source, expected):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.h5").write_text("no HDF5")
    names = [name.format(folder=tmp_path, network=networks[0]) for name in source]
    assert expected in refused(names, model)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((4, 6), "'encoder2_block1_conv1/kernel' has shape (3, 3, 3, 4, 6), not (3, 3, 3, 4, 8)"),
        ((4, 8, 8), "'decoder1_block_conv1/kernel' has shape (3, 3, 3, 8, 8), not (3, 3, 3, 4, 4)"),
    ],
)
def test_a_network_of_another_architecture_is_named_with_the_first_difference(
    networks, model, tmp_path, filters, expected
):
    save_weights(tmp_path / "other.h5", small_network(filters))
    said = refused([*networks, tmp_path / "other.h5"], model)
    assert re.search(rf"{tmp_path}/other.h5 is of another architecture than model 'residual_unet3d'", said)
    assert expected in said


def test_a_network_with_fewer_or_more_layers_is_named(tmp_path):
    shallow, deep = small_network((4, 4)), small_network((4, 4, 4))
    for name, network in {"shallow": shallow, "deep": deep}.items():
        save_weights(tmp_path / f"{name}.h5", network)
    said = refused([tmp_path / "shallow.h5"], deep)
    assert "shallow.h5 is of another architecture" in said
    assert "it has no 3x3x3 kernel 'encoder3_block1_conv1/kernel'" in said
    assert "it has a 3x3x3 kernel 'encoder3_block1_conv1/kernel' beyond" in refused([tmp_path / "deep.h5"], shallow)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named_by_file_and_layer(networks, model, tmp_path, value):
    broken = drawn_network(3)
    kernel = layers_of(broken)["decoder1_block_conv2"].kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 1, value, kernel))
    save_weights(tmp_path / "broken.h5", broken)
    said = refused([*networks, tmp_path / "broken.h5"], model)
    assert f"{tmp_path}/broken.h5 has 108 numbers in 'decoder1_block_conv2/kernel' that are not finite" in said


def test_too_few_kernels_say_how_many_there_are_and_how_many_are_needed(networks, model):
    said = refused(networks[:1], model)
    assert "Group encoder_full has 36 kernels of 1 networks (0 of tiny norm dropped); at least 100 are needed" in said
    assert "(36 of tiny norm dropped)" in refused(networks[:1], model, smallest_norm=1e3)
