"""A prior in a file: there and back, what is drawn from it, whom it fits, and files that are none."""
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import residual_unet3d
from mstl.models.kernel_prior import GroupPrior, KernelPrior, unit_scale
from mstl.models.kernel_vae import kernel_vae


def made_prior(names=("encoder_full", "encoder_half", "decoder_full"), *, log_variance_range=(-8.0, 1.0)):
    keras.utils.set_random_seed(5)
    groups = {
        name: GroupPrior((f"{name}_conv",), 0.25 + number, kernel_vae(latent=3, log_variance_range=log_variance_range),
                         np.full((number, 3, 3, 3), number, np.float32))
        for number, name in enumerate(names)
    }
    return KernelPrior(groups, {"networks": ["a.h5", "b.h5"], "kernels": 7})


@pytest.fixture(scope="module")
def prior():
    return made_prior()


@pytest.fixture
def written(prior, tmp_path):
    prior.save(tmp_path / "prior.h5")
    return tmp_path / "prior.h5"


def test_it_goes_to_a_file_and_back(prior, written):
    for path in (written, written.parent, str(written)):
        back = KernelPrior.load(path)
        assert list(back.groups) == list(prior.groups)
        assert back.provenance == prior.provenance
    for name, group in prior.groups.items():
        read = back.groups[name]
        assert (read.layers, read.scale) == (group.layers, group.scale)
        assert np.array_equal(read.examples, group.examples)
        assert (read.vae.latent, read.vae.log_variance_range) == (3, (-8.0, 1.0))
        assert np.array_equal(back.sample(name, 5, seed=1), prior.sample(name, 5, seed=1))
        kernels = np.random.default_rng(0).normal(size=(4, 3, 3, 3, 1)).astype(np.float32)
        for one, other in zip(read.vae.encoder(kernels), group.vae.encoder(kernels), strict=True):
            assert np.array_equal(one, other)


def test_kernels_are_drawn_by_a_seed_in_the_scale_of_the_networks(prior):
    kernels = prior.sample("encoder_half", 2000, seed=0)
    assert (kernels.shape, kernels.dtype) == ((2000, 3, 3, 3), np.float32)
    assert np.array_equal(kernels, prior.sample("encoder_half", 2000, seed=0))
    assert not np.array_equal(kernels, prior.sample("encoder_half", 2000, seed=1))
    narrow = made_prior(log_variance_range=(-9.0, -8.9)).sample("encoder_half", 2000, seed=0)
    wide = made_prior(log_variance_range=(-2.01, -2.0)).sample("encoder_half", 2000, seed=0)
    assert wide.std() ** 2 - narrow.std() ** 2 == pytest.approx(1.25**2 * np.exp(-2), rel=0.05)


@pytest.mark.parametrize(
    ("group", "count", "expected"),
    [("encoder_eighth", 3, "no group 'encoder_eighth'. Its groups are"), ("encoder_full", 0, "count is 0")],
)
def test_what_cannot_be_drawn_is_an_error(prior, group, count, expected):
    with pytest.raises(InputError, match=expected):
        prior.sample(group, count, seed=0)


def test_it_fits_networks_of_as_many_levels(prior):
    prior.check_groups(residual_unet3d(channels=1, filters=(2, 3)))
    prior.check_groups(residual_unet3d(channels=3, filters=(8, 8), norm="none"))


def test_a_network_of_other_groups_is_an_error_that_names_them(prior):
    with pytest.raises(InputError, match=r"other groups .*: it lacks: encoder_quarter, decoder_half\. Give"):
        prior.check_groups(residual_unet3d(channels=1, filters=(2, 2, 2)))
    deeper = made_prior(("encoder_full", "encoder_half", "encoder_quarter", "decoder_half", "decoder_full"))
    with pytest.raises(InputError, match="it has more: encoder_quarter, decoder_half"):
        deeper.check_groups(residual_unet3d(channels=1, filters=(2, 2)))


def refused(path) -> str:
    with pytest.raises(InputError) as caught:
        KernelPrior.load(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_files_that_are_no_prior_are_errors_in_a_line(written, tmp_path):
    assert "does not exist" in refused(tmp_path / "nowhere")
    (tmp_path / "text.h5").write_text("no HDF5")
    assert "is damaged" in refused(tmp_path / "text.h5")
    residual_unet3d(channels=1, filters=(2, 2)).save_weights(tmp_path / "network.h5")
    assert "is no prior of kernels" in refused(tmp_path / "network.h5")


def test_a_damaged_prior_is_an_error_in_a_line(written):
    cut = written.with_name("cut.h5")
    cut.write_bytes(written.read_bytes()[:-3000])
    assert "is damaged" in refused(cut)


@pytest.mark.parametrize("harm", ["absent", "shape", "nan", "version", "latent"])
def test_a_prior_with_other_content_is_an_error_in_a_line(written, harm):
    with h5py.File(written, "a") as file:
        group = file["groups/encoder_full"]
        if harm == "version":
            file.attrs["version"] = 9
        elif harm == "latent":
            group.attrs["prior"] = group.attrs["prior"].replace('"latent": 3', '"latent": 0')
        else:
            del group["decoder/mean/bias"]
        if harm in {"shape", "nan"}:
            group["decoder/mean/bias"] = np.zeros(2) if harm == "shape" else np.full(1, np.nan)
    said = {"version": "is of version 9; this mstl reads 1", "latent": "latent is 0"}
    assert said.get(harm, "is damaged") in refused(written)


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_the_unit_scale_follows_the_kernels_and_leaves_one_element_in_a_thousand_out(factor, seed):
    kernels = np.random.default_rng(seed).standard_t(4, (400, 3, 3, 3))
    scale = unit_scale(kernels)
    assert np.mean(np.abs(kernels / scale) < 0.95) == pytest.approx(0.999, abs=2e-4)
    assert unit_scale(factor * kernels) == pytest.approx(factor * scale)
