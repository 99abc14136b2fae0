"""The file that a word means."""
import re
from pathlib import Path

import pytest

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.transfer.source import FITTED, Source, find_source


def test_a_file_is_itself_and_a_folder_its_best_weights(tmp_path):
    for name in ("weights.h5", "best.h5"):
        (tmp_path / name).write_bytes(b"")
    assert find_source(str(tmp_path / "weights.h5")).path == tmp_path / "weights.h5"
    assert find_source(str(tmp_path)).path == tmp_path / "best.h5"
    assert find_source(str(tmp_path)).include is None


def test_a_published_name_brings_its_entry():
    source = find_source("unet-small-phantoms")
    assert source.path.name == "unet-small-phantoms.h5"
    assert source.entry.modalities == ("flair", "t1", "t2")


def test_a_file_of_a_published_name_comes_first(tmp_path, monkeypatch):
    (tmp_path / "unet-small-phantoms").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert find_source("unet-small-phantoms").entry is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("block1_conv2/kernel", "encoder1_conv2/kernel"),
        ("block5_conv3/bias", "encoder5_conv3/bias"),
        ("block3_conv1/block3_conv1_W_1", "encoder3_conv1/kernel"),
        ("block3_conv1/block3_conv1_b_1", "encoder3_conv1/bias"),
        ("block1_pool/kernel", "block1_pool/kernel"),
    ],
)
def test_variables_of_vgg16_are_led_to_those_of_segnet_in_files_old_and_new(theirs, ours):
    _, rules = FITTED["segnet", "imagenet-vgg16"]
    for pattern, replacement in rules:
        theirs = re.sub(pattern, replacement, theirs)
    assert theirs == ours


def test_what_a_caller_asks_for_comes_before_what_the_source_knows():
    source = Source(Path("a.h5"), include="encoder", rename=(("a", "b"),))
    assert source.completed({"adapt": "sum"}) == {"adapt": "sum", "include": "encoder", "rename": (("a", "b"),)}
    given = {"include": "head", "rename": [("c", "d")]}
    assert source.completed(given) == given


@pytest.mark.parametrize(
    ("word", "message"),
    [("absent.h5", "are no file, no run and none of imagenet"), ("imagenet", "No ImageNet weights belong to")],
)
def test_what_means_nothing_is_refused(word, message):
    with pytest.raises(InputError, match=message):
        find_source(word, model_name="x")


def test_a_folder_without_best_weights_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"holds no best\.h5; a run has one"):
        find_source(str(tmp_path))


def test_a_run_tells_what_images_it_knows(tmp_path):
    (tmp_path / "best.h5").write_bytes(b"")
    write_text(tmp_path / "experiment.yaml", "model: unet-small\n")
    write_json(tmp_path / "preparation.json", {"modalities": ["flair", "t1"], "normalise": "zscore"})
    source = find_source(str(tmp_path))
    assert (source.modalities, source.normalise) == (("flair", "t1"), "zscore")
    assert (source.include, source.activation, source.norm_mode) == (None, "", "")


def test_of_a_pretrained_gan_the_encoder_is_worth_loading(tmp_path):
    (tmp_path / "best.h5").write_bytes(b"")
    write_text(tmp_path / "experiment.yaml", "pretraining: gan\nactivation: sigmoid\nnorm_mode: instance\n")
    source = find_source(str(tmp_path))
    assert (source.include, source.activation, source.norm_mode) == ("encoder", "sigmoid", "instance")
    assert source.modalities == ()
    assert find_source(str(tmp_path), model_name="pix2pix-segmenter").include == "encoder"
    assert find_source(str(tmp_path), model_name="pix2pix-generator").include is None
    write_text(tmp_path / "experiment.yaml", "pretraining: gan\ngenerator: unet-s5\n")
    assert find_source(str(tmp_path), model_name="unet-s5").include == ("encoder", "decoder")
    assert find_source(str(tmp_path), model_name="unet-s5-generator").include is None


def test_damaged_records_of_a_run_are_named(tmp_path):
    (tmp_path / "best.h5").write_bytes(b"")
    write_text(tmp_path / "experiment.yaml", "pretraining: [")
    with pytest.raises(InputError, match=r"experiment\.yaml cannot be read as YAML"):
        find_source(str(tmp_path))
