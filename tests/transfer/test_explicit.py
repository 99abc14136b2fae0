import pytest

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.models.tree import tensors_of
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.explicit import pair_by_mapping, pair_by_rename
from mstl.transfer.pairing import open_pairing
from tests.twins import write


def chain(name: str) -> keras.Model:
    image = keras.layers.Input((8, 8, 2))
    maps = keras.layers.Conv2D(2, 3, name=f"{name}_1")(image)
    return keras.Model(image, keras.layers.Conv2D(2, 3, name=f"{name}_2")(maps))


@pytest.fixture
def todo(tmp_path):
    """Nothing is paired yet of a chain "a" in a file with a chain "b"."""
    model = chain("b")
    with Checkpoint.open(write(chain("a"), tmp_path, "save_weights.h5")) as checkpoint:
        yield open_pairing(checkpoint, model, tensors_of(model))


def pairs(todo) -> dict[str, str]:
    return {target: match.source for target, match in todo.found.items()}


def test_a_mapping_pairs_layers_and_single_tensors(todo):
    pair_by_mapping(todo, {"b_1": "a_1", "b_2/kernel": "a_2/kernel"})
    assert pairs(todo) == {"b_1/kernel": "a_1/kernel", "b_1/bias": "a_1/bias", "b_2/kernel": "a_2/kernel"}
    assert list(todo.targets) == ["b_2/bias"]


def test_rules_pair_what_they_lead_to_and_tell_new_names_of_the_rest(todo):
    renamed = pair_by_rename(todo, [("a_1", "b_1"), ("a_2/kernel", "c/kernel")])
    assert pairs(todo) == {"b_1/kernel": "a_1/kernel", "b_1/bias": "a_1/bias"}
    assert renamed == {"c/kernel": "a_2/kernel", "a_2/bias": "a_2/bias"}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [({"absent": "a_1"}, "which the model does not have"), ({"b_1": "absent"}, "which the file does not have")],
)
def test_a_mapping_of_unknown_paths_is_refused(todo, mapping, message):
    with pytest.raises(TransferError, match=message):
        pair_by_mapping(todo, mapping)


@pytest.mark.parametrize(
    ("rules", "message"),
    [([("(", "x")], r"Rename rule '\(' -> 'x' is wrong"), ([("a_[12]", "a")], "both to")],
)
def test_wrong_rules_are_refused(todo, rules, message):
    with pytest.raises(TransferError, match=message) as caught:
        pair_by_rename(todo, rules)
    assert len(str(caught.value).splitlines()) == 1
