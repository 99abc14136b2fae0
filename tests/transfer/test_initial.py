"""Initial weights by one word."""
import hashlib

import numpy as np
import pytest
import yaml

from mstl._keras import keras, sm
from mstl.errors import InputError, TransferError
from mstl.models import unet_resnet34, unet_small
from mstl.models.tree import tensors_of
from mstl.transfer import registry as registry_module
from mstl.transfer.initial import initialise
from mstl.transfer.origin import origins_of


def small(seed=0, channels=2):
    keras.utils.set_random_seed(seed)
    return unet_small(channels=channels, width=2, depth=2)


def values(model):
    return {path: tensor.value.numpy() for path, tensor in tensors_of(model).items()}


def equal(one, other):
    return {path for path, array in values(one).items() if np.array_equal(array, values(other)[path])}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Function that ships a file under a name, and returns the name."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(registry_module, "shipped_folder", lambda: folder)

    def ship(name, model, **entry):
        model.save_weights(folder / f"{name}.h5")
        digest = hashlib.sha256((folder / f"{name}.h5").read_bytes()).hexdigest()
        about = dict.fromkeys(("architecture", "licence", "source", "trained_on", "scores"), "-")
        values = {"name": name, "file": f"{name}.h5", "digest": f"sha256:{digest}", **about, **entry}
        (folder / "manifest.yaml").write_text(yaml.safe_dump([values]))
        return name

    return ship


def test_random_leaves_weights_as_they_were_drawn():
    model = small()
    before = values(model)
    assert initialise(model, "random") is None
    assert all(np.array_equal(array, before[path]) for path, array in values(model).items())
    assert origins_of(model) == ()


def test_a_published_name_loads_the_scope_of_its_entry(published):
    source, model = small(seed=1), small(seed=2)
    report = initialise(model, published("phantoms", source, include="encoder"))
    assert set(report.loaded) <= equal(source, model)
    assert all(path.startswith(("encoder", "bottleneck")) for path in report.loaded)
    assert "final_conv/kernel" not in report.loaded
    assert origins_of(model)[0].init == "phantoms"


def test_a_scope_that_is_asked_for_comes_before_that_of_the_entry(published):
    model = small(seed=2)
    report = initialise(model, published("phantoms", small(seed=1), include="encoder"), include="head")
    assert set(report.loaded) == {"final_conv/kernel", "final_conv/bias"}


def test_other_modalities_than_the_weights_know_are_said(published):
    name = published("phantoms", small(seed=1), modalities=["flair", "t1"])
    given = [{"modalities": names} for names in (["flair", "t1"], ["t1", "flair"])]
    same, other = (initialise(small(), name, preparation=one) for one in given)
    assert same.notes == ()
    assert other.notes == ("These weights know the channels flair, t1; the cases have t1, flair.",)


def test_imagenet_fills_the_encoder_of_the_resnet_and_nothing_else(published, tmp_path):
    unet = sm.Unet("resnet34", encoder_weights=None)
    encoder = keras.Model(unet.input, unet.get_layer("relu1").output)
    published("imagenet-resnet34", encoder, include="encoder")
    model = unet_resnet34(channels=1)
    report = initialise(model, "imagenet", model_name="unet-resnet34")
    inner = model.get_layer("model_1")
    assert np.array_equal(inner.get_layer("conv0").get_weights()[0], encoder.get_layer("conv0").get_weights()[0])
    assert not any("decoder" in path or "final_conv" in path for path in report.loaded)


def test_a_folder_gives_its_best_weights(tmp_path):
    source, model = small(seed=1), small(seed=2)
    source.save_weights(tmp_path / "best.h5")
    initialise(model, str(tmp_path))
    assert equal(source, model) == set(values(model))


@pytest.mark.parametrize(
    ("init", "message"),
    [("absent.h5", "are no file, no run and none of"), ("imagenet", "No ImageNet weights belong")],
)
def test_what_means_nothing_is_refused(init, message):
    with pytest.raises(InputError, match=message):
        initialise(small(), init, model_name="unet-small")


def test_weights_for_other_channels_are_refused_unless_adapted(tmp_path):
    small(seed=1, channels=3).save_weights(tmp_path / "three.h5")
    with pytest.raises(TransferError, match="has nothing for 1 of"):
        initialise(small(), str(tmp_path / "three.h5"))
    report = initialise(small(), str(tmp_path / "three.h5"), adapt="truncate")
    assert report.counts["adapted"] == 1
