"""An experiment goes to YAML and back unchanged; what is wrong in a file is said with its key."""
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.config import Experiment, Training
from mstl.errors import InputError

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).map(str.strip).filter(bool)
WHOLE = st.integers(1, 10**9)
BY_TYPE = {
    "int": WHOLE,
    "int | None": st.none() | WHOLE,
    "float | None": st.none() | st.floats(0.1, 0.9),
    "str": WORDS,
    "bool": st.booleans(),
    "dict": st.dictionaries(WORDS, st.integers() | WORDS, max_size=3),
    "tuple[int, ...]": st.just(()),
    "tuple[str, ...]": st.just(()),
    "tuple[float, ...]": st.lists(st.floats(0, 1), max_size=4).map(tuple),
}
BY_NAME = {
    "crop": st.none() | st.integers(1, 16).map(lambda number: 32 * number),
    "decay": st.sampled_from(["constant", "cosine"]),
    "freeze": st.lists(WORDS.filter("gradual".__ne__), max_size=3).map(tuple),
    "freeze_norm": st.sampled_from(["freeze", "train"]),
    "init_include": st.lists(WORDS, max_size=3).map(tuple),
    "init_rename": st.lists(st.sampled_from(["a => b", "^x/ => ", "(.) => \\1"]), max_size=2).map(tuple),
    "learning_rate": st.floats(0, 1e6),
    "plateau_factor": st.floats(0, 1, exclude_min=True, exclude_max=True),
    "train_subjects": st.just(()),
}


@st.composite
def experiments(draw) -> Experiment:
    """Any experiment, its subjects named or left to ratios."""
    drawn = {field.name: BY_NAME.get(field.name, BY_TYPE.get(field.type)) for field in fields(Experiment)}
    values = {name: draw(strategy) for name, strategy in drawn.items()}
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    if names:
        values["train_subjects"], values["validation_subjects"] = tuple(names[:2]), tuple(names[2:])
    return Experiment(**values)


def file(folder: Path, text: str) -> Path:
    (folder / "experiment.yaml").write_text(text, encoding="utf-8")
    return folder / "experiment.yaml"


def error_of(path: Path, *changes: str) -> str:
    with pytest.raises(InputError) as caught:
        Experiment.load(path, changes=changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


@settings(max_examples=60, deadline=None)
@given(experiment=experiments())
def test_an_experiment_goes_to_yaml_and_back(tmp_path_factory, experiment):
    path = tmp_path_factory.mktemp("experiment") / "experiment.yaml"
    experiment.save(path)
    assert Experiment.load(path) == experiment
    assert Experiment.from_dict(experiment.to_dict()) == experiment


def test_an_empty_file_means_the_defaults(tmp_path):
    assert Experiment.load(file(tmp_path, "")) == Experiment()
    assert Experiment.load(file(tmp_path, "# nothing yet\n")) == Experiment()


def test_from_dict_leaves_its_argument_alone():
    values = {"epochs": "12", "learning_rate": "1e-3"}
    assert Experiment.from_dict(values).epochs == 12
    assert values == {"epochs": "12", "learning_rate": "1e-3"}


@pytest.mark.parametrize("text", ["1e-3", "0.001", "1.0e-3", "'1e-3'"])
def test_a_rate_may_be_written_as_people_write_it(tmp_path, text):
    assert Experiment.load(file(tmp_path, f"learning_rate: {text}\n")).learning_rate == 1e-3


def test_a_whole_number_may_stand_for_a_fraction_and_the_other_way_round(tmp_path):
    experiment = Experiment.load(file(tmp_path, "epochs: 20.0\nlearning_rate: 1\n"))
    assert (experiment.epochs, experiment.learning_rate) == (20, 1.0)
    assert isinstance(experiment.epochs, int)
    assert isinstance(experiment.learning_rate, float)


def test_settings_of_the_command_line_replace_those_of_the_file(tmp_path):
    path = file(tmp_path, "epochs: 3\ncrop: 96\nloss: bce\n")
    changes = ["epochs=7", " loss = dice", "crop=null", "ratios=[0.5, 0.5, 0]", "prepared=a=b"]
    experiment = Experiment.load(path, changes=changes)
    assert (experiment.epochs, experiment.loss, experiment.crop) == (7, "dice", None)
    assert experiment.ratios == (0.5, 0.5, 0.0)
    assert experiment.prepared == "a=b"


def test_subjects_are_given_as_a_list_or_with_commas(tmp_path):
    path = file(tmp_path, "train_subjects: [p1, 7]\n")
    assert Experiment.load(path).train_subjects == ("p1", "7")
    experiment = Experiment.load(path, changes=["train_subjects=p1, p2", "test_subjects=p3"])
    assert experiment.train_subjects == ("p1", "p2")
    assert experiment.test_subjects == ("p3",)


def test_what_to_freeze_is_a_policy_or_a_list_and_epochs_a_number_or_a_list(tmp_path):
    assert Experiment.load(file(tmp_path, "")).freeze == ()
    path = file(tmp_path, "freeze: encoder\n")
    assert Experiment.load(path).freeze == ("encoder",)
    assert Experiment.load(path, changes=["freeze=first:25"]).freeze == ("first:25",)
    assert Experiment.load(path, changes=['freeze=[stem, "^conv[12]_"]']).freeze == ("stem", "^conv[12]_")
    gradual = Experiment.load(path, changes=["freeze=gradual", "unfreeze_epochs=5"])
    assert (gradual.freeze, gradual.unfreeze_epochs) == (("gradual",), (5,))
    assert Training(freeze="gradual", unfreeze_epochs=[5, 10]).unfreeze_epochs == (5, 10)


def test_an_unknown_key_is_an_error_that_proposes_the_nearest(tmp_path):
    path = file(tmp_path, "learnig_rate: 1e-3\n")
    assert error_of(path) == f"Key 'learnig_rate' in {path} is unknown. Did you mean 'learning_rate'?"
    assert "Known keys: prepared, train_subjects" in error_of(file(tmp_path, "zzz: 1\n"))
    assert "Key '7' in" in error_of(file(tmp_path, "7: 1\n"))
    assert "Did you mean 'epochs'?" in error_of(file(tmp_path, ""), "epoch=3")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("epochs: many", "epochs in {path} is 'many'; int is expected"),
        ("epochs: 2.5", "epochs in {path} is 2.5; int is expected"),
        ("epochs: true", "epochs in {path} is True; int is expected"),
        ("epochs: null", "epochs in {path} is None; int is expected"),
        ("epochs: .inf", "epochs in {path} is inf; int is expected"),
        ("crop: [96, 96]", "crop in {path} is [96, 96]; int | None is expected"),
        ("learning_rate: fast", "learning_rate in {path} is 'fast'; float is expected"),
        ("learning_rate: false", "learning_rate in {path} is False; float is expected"),
        ("loss: 3", "loss in {path} is 3; str is expected"),
        ("init: null", "init in {path} is None; str is expected"),
        ("ratios: 0.6", "ratios in {path} is 0.6; tuple[float, ...] is expected"),
        ("ratios: [a, b, c]", "ratios in {path} is ['a', 'b', 'c']; tuple[float, ...] is expected"),
        ("freeze: 7", "freeze in {path} is 7; tuple[str, ...] is expected"),
        ("unfreeze_epochs: [5, x]", "unfreeze_epochs in {path} is [5, 'x']; tuple[int, ...] is expected"),
        ("train_subjects: 7", "train_subjects in {path} is 7; tuple[str, ...] is expected"),
    ],
)
def test_a_value_of_another_kind_is_an_error_with_key_and_file(tmp_path, line, expected):
    path = file(tmp_path, line + "\n")
    assert error_of(path) == expected.format(path=path) + ". Mend the value."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 0}, "epochs is 0; at least 1"),
        ({"batch_size": 0}, "batch_size is 0; at least 1"),
        ({"crop": 0}, "crop is 0; at least 1"),
        ({"stop_patience": -1}, "stop_patience is -1; at least 1"),
        ({"seed": -1}, "seed is -1; at least 0"),
        ({"context": -1}, "context is -1; at least 0"),
        ({"learning_rate": -1e-3}, "learning_rate is -0.001; at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"plateau_factor": 1.0}, "plateau_factor is 1.0; between 0 and 1"),
        ({"freeze_norm": "thaw"}, "freeze_norm is 'thaw'; expected one of freeze, train"),
        ({"freeze": ("gradual", "stem")}, "'gradual' stands alone"),
        ({"freeze": "gradual"}, "'gradual' and its epochs are given together"),
        ({"unfreeze_epochs": (5,)}, "freeze is [] and unfreeze_epochs [5]; 'gradual'"),
        ({"decay": "linear"}, "decay is 'linear'; expected one of constant, cosine"),
    ],
)
def test_a_value_out_of_range_is_an_error(changes, expected):
    for kind in (Training, Experiment):
        with pytest.raises(InputError) as caught:
            kind(**changes)
        assert expected in str(caught.value)


def test_the_least_values_are_allowed():
    experiment = Experiment(epochs=1, seed=0, context=0, learning_rate=0, steps_per_epoch=None, crop=None)
    assert experiment.training()["seed"] == 0


def test_a_subject_on_two_sides_is_an_error():
    for sides in (
        {"train_subjects": ("a", "b"), "test_subjects": ("b",)},
        {"train_subjects": ("a", "b"), "validation_subjects": ("b",)},
        {"train_subjects": "a, b, b"},
    ):
        with pytest.raises(InputError, match=r"Subjects b stand on two sides of the split"):
            Experiment(**sides)


def test_subjects_of_one_side_alone_are_an_error():
    with pytest.raises(InputError, match="no train_subjects"):
        Experiment(test_subjects=("a",))


@pytest.mark.parametrize("text", ["epochs: [1", "a: b: c", "- epochs\n- 3", "epochs", "d: 2021-99-99", "\0"])
def test_what_is_no_list_of_keys_and_values_is_an_error_of_one_line(tmp_path, text):
    path = file(tmp_path, text)
    assert str(path) in error_of(path)


def test_a_file_that_is_missing_or_no_text_is_an_error(tmp_path):
    assert "does not exist" in error_of(tmp_path / "nothing.yaml")
    assert "cannot be read" in error_of(tmp_path)
    (tmp_path / "scan.yaml").write_bytes(b"\x1f\x8b\xff\xfe")
    assert "scan.yaml cannot be read" in error_of(tmp_path / "scan.yaml")


@pytest.mark.parametrize("change", ["epochs", "epochs=[1", "loss={"])
def test_a_change_that_cannot_be_read_is_an_error_that_shows_it(tmp_path, change):
    assert f"--set {change}" in error_of(file(tmp_path, ""), change)


def test_training_gives_the_arguments_of_fit_alone():
    assert Experiment(epochs=7, prepared="x").training() == Training(epochs=7).training()
    assert set(Training().training()) == {field.name for field in fields(Training)}


def test_the_saved_file_has_a_key_a_line_in_the_order_of_the_class(tmp_path):
    Experiment(train_subjects=("p1",)).save(tmp_path / "e.yaml")
    values = yaml.safe_load((tmp_path / "e.yaml").read_text())
    assert list(values) == [field.name for field in fields(Experiment)]
    assert values["train_subjects"] == ["p1"]


def test_a_subject_that_looks_like_a_number_is_a_name(tmp_path):
    (tmp_path / "e.yaml").write_text("epochs: 1")
    experiment = Experiment.load(tmp_path / "e.yaml", changes=["train_subjects=04", "test_subjects=010,011"])
    assert experiment.train_subjects == ("04",)
    assert experiment.test_subjects == ("010", "011")


@pytest.mark.parametrize("wrong", ["crop=100", "seed=4294967296"])
def test_values_that_would_fail_later_are_refused_at_once(tmp_path, wrong):
    (tmp_path / "e.yaml").write_text("epochs: 1")
    with pytest.raises(InputError, match=wrong.partition("=")[0]):
        Experiment.load(tmp_path / "e.yaml", changes=[wrong])


def test_from_scratch_takes_back_all_that_transfers_or_freezes_and_nothing_else():
    transfer = {"init": "runs/gan", "init_include": "encoder", "init_adapt": "sum", "init_partial": True}
    freezing = {"freeze": "gradual", "unfreeze_epochs": (2, 4), "freeze_norm": "train"}
    scratch = Experiment(epochs=7, seed=3, model="unet-small", twin=True, **transfer, **freezing).from_scratch()
    assert scratch == Experiment(epochs=7, seed=3, model="unet-small", freeze="none")


@pytest.mark.parametrize("freeze", [(), "none"])
def test_a_twin_of_what_begins_at_random_is_refused(freeze):
    with pytest.raises(InputError, match="twin is true, but init is 'random' and nothing is frozen"):
        Experiment(twin=True, freeze=freeze)
    assert Experiment(twin=True, freeze="encoder").twin
    assert Experiment(twin=True, init="imagenet", freeze=freeze).twin
