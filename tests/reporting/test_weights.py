"""What the report says about weights, from records written by hand and from a training of our own."""
import numpy as np
import pytest

from mstl.files import write_json
from mstl.reporting.weights import weights_section


@pytest.fixture
def tell(tmp_path):
    """The section for records that are given."""
    def told(origins=None, frozen=None):
        for name, record in (("transfer.json", origins), ("freeze.json", frozen)):
            if record is not None:
                write_json(tmp_path / name, record)
        return weights_section(tmp_path)
    return told


def blocks(*rows, names=("loaded", "adapted", "random")):
    return [{"group": group, **dict(zip(names, counts, strict=True))} for group, *counts in rows]


def test_the_story_of_a_transferred_and_frozen_encoder(tell, origins, frozen):
    section = tell(origins, frozen)
    assert section["sentences"] == [
        "The encoder (1.0 of 1.5 million parameters) came from old-run (best.h5); the other 490,151 began at random. "
        "Of what came, 6,272 were adapted to fit (part of encoder1).",
        "Frozen: the encoder (1.0 of 1.5 million parameters); 3 tensors, every one unchanged to the bit after "
        "training.",
    ]
    assert section["notes"] == [origins["transfers"][0]["notes"][0], frozen["notes"][0]]
    assert section["figure"].startswith("<svg")
    assert section["proof"][1] == {"layer": "bn0", "parameters": 128, "tensors": "gamma cdcdcdcd, beta cdcdcdcd",
                                   "unchanged": True, "thawed_after": None}
    assert section["changed"] == []


def test_a_run_without_records_has_no_section(tell):
    assert tell() is None


def test_one_record_alone_is_told_and_the_other_is_said_to_be_missing(tmp_path, origins, frozen):
    for folder, name, record in (("a", "transfer.json", origins), ("b", "freeze.json", frozen)):
        write_json(tmp_path / folder / name, record)
    first, second = (weights_section(tmp_path / folder) for folder in ("a", "b"))
    assert first["sentences"][1] == "What stayed frozen is not known: no freeze.json."
    assert second["sentences"][0] == "Where the weights came from is not known: no transfer.json."
    assert "loaded" in first["figure"]
    assert "frozen" not in first["figure"]
    assert "loaded" not in second["figure"]


@pytest.mark.parametrize(("groups", "sentence"), [
    ([("encoder1", 0, 0, 2_000_000), ("head", 0, 0, 9)], "All 2.0 million parameters began at random."),
    ([("model", 0, 0, 500)], "All 500 parameters began at random."),
    ([], "All weights began at random."),
])
def test_random_weights_are_said_to_be_random(tell, groups, sentence):
    assert tell({"transfers": [], "groups": blocks(*groups)})["sentences"][0] == sentence


@pytest.mark.parametrize(("groups", "beginning"), [
    ([("encoder1", 70, 0, 0), ("head", 7, 0, 0)], "All 77 parameters came from imagenet."),
    ([("encoder1", 70, 0, 0), ("encoder2", 50, 0, 9), ("head", 0, 0, 1)],
     "Encoder1 and part of encoder2 (120 of 130 parameters) came from imagenet; the other 10 began at random."),
    ([("decoder1", 5, 0, 0), ("decoder2", 6, 0, 0), ("head", 3, 0, 4)],
     "The decoder and part of the head (14 of 18 parameters) came"),
    ([("encoder1", 3_000_000, 0, 0), ("head", 0, 0, 9)], "The encoder (3,000,000 of 3,000,009 parameters) came"),
    ([("encoder1", 8000, 0, 0), ("head", 0, 0, 3_000_000)], "The encoder (8,000 of 3,008,000 parameters) came"),
    ([], "Weights came from imagenet."),
])
def test_what_was_transferred_is_named_by_its_blocks(tell, groups, beginning):
    transfers = [{"init": "imagenet", "options": {}}]
    assert tell({"transfers": transfers, "groups": blocks(*groups)})["sentences"][0].startswith(beginning)


def test_two_sources_are_both_named(tell):
    transfers = [{"init": name, "options": {}} for name in ("imagenet", "phantoms")]
    told = tell({"transfers": transfers, "groups": blocks(("encoder1", 5, 0, 0))})
    assert told["sentences"][0] == "All 5 parameters came from imagenet and phantoms."


def test_nothing_frozen_is_said_so(tell, frozen):
    groups = blocks(("encoder1", 0, 7), names=("frozen", "trainable"))
    section = tell(None, {**frozen, "groups": groups, "tensors": []})
    assert section["sentences"][1] == "Nothing was frozen: training was free to change every weight."
    assert section["proof"] == []


def test_a_prior_that_stayed_is_told_where_the_network_was_free(tell, frozen):
    groups = blocks(("encoder1", 0, 7), names=("frozen", "trainable"))
    tensors = [{**row, "unchanged": True} for row in frozen["tensors"]]
    told = tell(None, {**frozen, "groups": groups, "tensors": tensors})["sentences"][1]
    assert told.startswith("Nothing of the network was frozen, the prior of its weights was:")
    assert told.endswith("every one unchanged to the bit after training.")


def test_a_training_that_has_not_ended_proves_nothing_yet(tell, frozen):
    frozen["tensors"][1] |= {"unchanged": None, "sha256_after": None}
    section = tell(None, frozen)
    assert "not yet compared, because training has not come to its end." in section["sentences"][1]
    assert [row["unchanged"] for row in section["proof"]] == [True, None]


def test_a_frozen_tensor_that_changed_is_named(tell, frozen):
    frozen["tensors"][2] |= {"unchanged": False, "sha256_after": "ef" * 32}
    section = tell(None, frozen)
    assert "of 3 tensors, 1 changed nevertheless" in section["sentences"][1]
    assert section["changed"] == ["bn0/beta"]
    assert section["proof"][1]["tensors"] == "gamma cdcdcdcd, beta cdcdcdcd → efefefef"
    assert section["proof"][1]["unchanged"] is False


def test_blocks_that_thawed_are_told_with_their_epochs(tell, frozen):
    for tensor, epoch in zip(frozen["tensors"], (5, 3, 3), strict=True):
        tensor["thawed_after"] = epoch
    assert tell(None, frozen)["sentences"][1] == (
        "Frozen at first: the encoder (1.0 of 1.5 million parameters), parts of it released after epoch 3 and 5; "
        "3 tensors, every one unchanged to the bit while frozen."
    )


def test_normalisation_left_training_is_told(tell, frozen):
    sentence = tell(None, {**frozen, "norm": "train"})["sentences"][1]
    assert sentence.endswith("Normalisation layers among them went on training, as asked.")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """Run folders: a small U-Net from scratch, and one that takes its encoder and freezes it."""
    from mstl.config import Experiment
    from mstl.data.prepare import prepare
    from mstl.training.experiment import train_experiment

    root = tmp_path_factory.mktemp("trained")
    cohort = prepare(tiny.cohort, root / "prepared", modalities=("flair",))
    settings = {"prepared": str(cohort.folder), "train_subjects": ("anna",), "model": "unet-small", "epochs": 1,
                "model_options": {"width": 2, "depth": 2}, "batch_size": 2, "steps_per_epoch": 1}
    first = train_experiment(Experiment(**settings), out=root / "first")
    taken = {"init": str(first.folder), "init_include": "encoder", "freeze": "encoder"}
    return first, train_experiment(Experiment(**settings, **taken), out=root / "second")


def test_a_real_training_is_told_as_it_was(trained):
    first, second = trained
    total = first.model().count_params()
    random, free = weights_section(first.folder)["sentences"]
    assert random == f"All {total:,} parameters began at random."
    assert free.startswith("Nothing was frozen")
    section = weights_section(second.folder)
    came, stayed = section["sentences"]
    frozen = sum(row["parameters"] for row in section["proof"])
    assert came.startswith(f"The encoder ({frozen:,} of {total:,} parameters) came from first (best.h5);")
    assert stayed.startswith(f"Frozen: the encoder ({frozen:,} of {total:,} parameters);")
    assert stayed.endswith("every one unchanged to the bit after training.")
    model = second.model()
    layers = {row["layer"] for row in section["proof"]}
    assert frozen == sum(np.size(value) for layer in model.layers if layer.name in layers
                         for value in layer.get_weights())
    assert {line[1] for line in section["transfers"][0].by_layer() if line[0] == "load"} == layers
