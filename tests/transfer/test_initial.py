"""Initial weights by one word."""
import hashlib

import numpy as np
import pytest
import yaml

from mstl._keras import keras, sm
from mstl.errors import InputError, TransferError
from mstl.files import write_json, write_text
from mstl.models import segnet, unet_resnet34, unet_s5, unet_s5_generator, unet_small
from mstl.models.pix2pix import generator, segmentation_generator
from mstl.models.tree import tensors_of
from mstl.transfer import registry as registry_module
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.initial import initialise
from mstl.transfer.origin import origins_of
from mstl.transfer.plan import plan_transfer


def small(seed=0, channels=2):
    keras.utils.set_random_seed(seed)
    return unet_small(channels=channels, width=2, depth=2)


def values(model):
    return {path: tensor.value.numpy() for path, tensor in tensors_of(model).items()}


def equal(one, other):
    return {path for path, array in values(one).items() if np.array_equal(array, values(other)[path])}


@pytest.fixture
def gan(tmp_path):
    """Function that leaves the folder of a pretrained GAN, and returns it with its generator."""

    def pretrain(*, width=4, channels=1, norm_mode="batch", activation="tanh"):
        keras.utils.set_random_seed(1)
        shape = {"image_shape": (64, 64, channels), "out_channels": channels, "width": width}
        model = generator(**shape, norm_mode=norm_mode, activation=activation)
        model.save_weights(tmp_path / "best.h5")
        about = f"pretraining: gan\nwidth: {width}\nactivation: {activation}\nnorm_mode: {norm_mode}\n"
        write_text(tmp_path / "experiment.yaml", about)
        write_json(tmp_path / "preparation.json", {"modalities": ["flair", "t1"][:channels], "normalise": "max"})
        return str(tmp_path), model

    return pretrain


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


@pytest.fixture(scope="module")
def vgg16():
    keras.utils.set_random_seed(0)
    return keras.applications.VGG16(weights=None, include_top=False)


def test_imagenet_fills_the_convolutions_of_a_segnet_shaped_like_vgg16(published, vgg16):
    published("imagenet-vgg16", vgg16, include="encoder")
    model = segnet(channels=3, kernel=3)
    report = initialise(model, "imagenet", model_name="segnet")
    assert len(report.loaded) == 26
    for block, count in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, count + 1):
            ours = model.get_layer(f"encoder{block}_conv{number}").get_weights()
            theirs = vgg16.get_layer(f"block{block}_conv{number}").get_weights()
            assert all(map(np.array_equal, ours, theirs))


def test_imagenet_enters_a_segnet_of_other_channels_by_the_rules_of_adapt(published, vgg16):
    name = published("imagenet-vgg16", vgg16, include="encoder")
    model = segnet(channels=1, kernel=3)
    with pytest.raises(TransferError, match="has nothing for 1 of 26 tensors"):
        initialise(model, name, model_name="segnet")
    initialise(model, name, model_name="segnet", adapt="sum")
    expected = vgg16.get_layer("block1_conv1").get_weights()[0].sum(axis=2, keepdims=True)
    np.testing.assert_allclose(model.get_layer("encoder1_conv1").get_weights()[0], expected, rtol=1e-5)


def test_a_segnet_of_another_shape_than_vgg16_is_told_which_it_needs(published, vgg16):
    published("imagenet-vgg16", vgg16, include="encoder")
    with pytest.raises(TransferError, match=r"this SegNet 5x5 and 4\. Build it alike: model_options: \{kernel: 3"):
        initialise(segnet(channels=3, width=4), "imagenet", model_name="segnet")


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


ENCODER = ("conv_e", "batch_e", "bottleneck")


def test_a_gan_gives_its_encoder_and_leaves_the_rest_as_drawn(gan):
    folder, source = gan()
    model = segmentation_generator(channels=1, width=4)
    before = values(model)
    report = initialise(model, folder, preparation={"modalities": ["flair"], "normalise": "max"})
    encoder = {path for path in before if path.startswith(ENCODER)}
    assert set(report.loaded) == encoder <= equal(source, model)
    assert all(np.array_equal(array, before[path]) for path, array in values(model).items() if path not in encoder)
    assert report.notes == ()
    assert origins_of(model)[0].options["include"] == "encoder"


def test_more_of_a_gan_is_loaded_where_it_is_asked_for(gan):
    folder, _ = gan()
    report = initialise(segmentation_generator(channels=1, width=4), folder, include=["encoder", "decoder1"])
    assert "conv_d1/kernel" in report.loaded


def test_images_prepared_otherwise_than_those_of_the_gan_are_said(gan):
    folder, _ = gan()
    model = segmentation_generator(channels=1, width=4)
    report = initialise(model, folder, preparation={"modalities": ["t2"], "normalise": "zscore"})
    channels, values = report.notes
    assert channels == "These weights know the channels flair; the cases have t2."
    assert "images normalised by 'max'; the cases are by 'zscore'" in values


def test_images_prepared_otherwise_than_those_of_a_run_are_said(tmp_path):
    small(seed=1).save_weights(tmp_path / "best.h5")
    write_text(tmp_path / "experiment.yaml", "model: unet-small\n")
    write_json(tmp_path / "preparation.json", {"modalities": ["flair", "t1"], "normalise": "max"})
    given = [{"modalities": ["flair", "t1"], "normalise": how} for how in ("max", "nyul")]
    same, other = (initialise(small(), str(tmp_path), preparation=one) for one in given)
    assert same.notes == ()
    assert len(other.notes) == 1
    assert "Prepare them with --normalise max" in other.notes[0]


def test_subjects_that_the_weights_have_learned_from_are_said_where_they_are_held_out(tmp_path):
    small(seed=1).save_weights(tmp_path / "best.h5")
    write_text(tmp_path / "experiment.yaml", "train_subjects: [p01, p02]\n")
    assert initialise(small(), str(tmp_path), held_out=["p03"]).notes == ()
    with pytest.warns(UserWarning, match=r"learned from subjects held out here \(p02\)"):
        report = initialise(small(), str(tmp_path), held_out=["p02", "p03"])
    assert len(report.notes) == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "note"),
    [
        ({"rescale": False}, {}, "knows images in [-1, 1], for its generator ended in tanh. Give it those: "
                                 "model_options: {rescale: true}"),
        ({}, {"activation": "sigmoid"}, "model_options: {rescale: false}"),
        ({"norm_mode": "instance"}, {}, "trained with norm_mode 'batch'; the model has 'instance'"),
        ({"norm_mode": "moving"}, {}, "model_options: {norm_mode: batch}"),
    ],
)  # fmt: skip
def test_a_segmenter_built_otherwise_than_its_gan_is_said(gan, ours, theirs, note):
    folder, _ = gan(**theirs)
    (said,) = initialise(segmentation_generator(channels=1, width=4, **ours), folder).notes
    assert note in said


def test_what_the_model_has_otherwise_is_said_where_its_weights_do_not_fit(gan):
    folder, _ = gan(norm_mode="instance")
    with pytest.raises(TransferError, match=r"'batch_e2/moving_mean'.*the model has 'batch'"):
        initialise(segmentation_generator(channels=1, width=4), folder)


def test_a_gan_of_one_modality_serves_two_by_a_rule_and_is_refused_without(gan):
    folder, source = gan()
    with pytest.raises(TransferError, match=r"1 of 28 .* 'conv_e1/kernel' \(\(4, 4, 1, 4\) in the file, \(4, 4, 2,"):
        initialise(segmentation_generator(channels=2, width=4), folder)
    model = segmentation_generator(channels=2, width=4)
    report = initialise(model, folder, adapt="sum")
    assert (report.counts["adapted"], report.counts["load"]) == (1, 27)
    old, new = (one.get_layer("conv_e1").get_weights()[0] for one in (source, model))
    assert np.allclose(new.sum(axis=2), old.sum(axis=2), atol=1e-6)


def test_a_gan_of_another_width_is_refused_and_its_plan_lists_the_tensors(gan):
    folder, _ = gan(width=8)
    model = segmentation_generator(channels=1, width=4)
    message = r"Nothing of best.h5 fits scope 'encoder': all 28 tensors differ in shape, first 'conv_e1/kernel' \("
    with pytest.raises(TransferError, match=message) as caught:
        initialise(model, folder)
    assert "\n" not in str(caught.value)
    with Checkpoint.open(f"{folder}/best.h5") as checkpoint:
        plan = plan_transfer(checkpoint, model, include="encoder")
        differ = {row.target: row.reason for row in plan.rows if row.status == "shape mismatch"}
    assert len(differ) == 28
    assert differ["bottleneck/bias"] == "(64,) in the file, (32,) in the model"


@pytest.mark.parametrize("name", ["weights.h5", "model.h5", "model_noopt.h5"])
def test_a_generator_of_the_2021_work_gives_its_encoder(shared, name):
    fixtures = shared / "fixtures/keras-2021"
    model = segmentation_generator(channels=1, width=4)
    report = initialise(model, str(fixtures / f"pix2pix_gen_div16_{name}"), include="encoder")
    with np.load(fixtures / "pix2pix_gen_div16_weights.npz") as published:
        assert set(report.loaded) == {path for path in published if path.startswith(ENCODER)}
        loaded = values(model)
        assert all(np.array_equal(loaded[path], published[path]) for path in report.loaded)


def test_a_u_net_of_signed_images_is_said(tmp_path):
    source = unet_s5_generator(channels=1, width=2)
    source.save_weights(tmp_path / "best.h5")
    write_text(tmp_path / "experiment.yaml", "pretraining: gan\ngenerator: unet-s5\nactivation: tanh\n")
    model = unet_s5(channels=1, width=2)
    with pytest.warns(UserWarning, match=r"know images in \[-1, 1\].*Pre-train with activation: sigmoid"):
        report = initialise(model, str(tmp_path), model_name="unet-s5")
    assert {path for path in report.loaded} == {path for path in values(model) if path.startswith(("enc", "dec"))}
