"""Reading experiments from YAML: what people write means what they think, what is wrong is said in one line."""
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from mstl.config import Experiment
from mstl.config_gan import GanExperiment
from mstl.errors import InputError
from mstl.settings import check_counts, check_crop, check_rate, check_seed, command_of, strategies_of

KINDS = (Experiment, GanExperiment)


def file(folder: Path, text: str) -> Path:
    (folder / "experiment.yaml").write_text(text, encoding="utf-8")
    return folder / "experiment.yaml"


def error_of(path: Path, *changes: str, kind=Experiment) -> str:
    with pytest.raises(InputError) as caught:
        kind.load(path, changes=changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


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


STUDY = "epochs: 3\nloss: bce\nstrategies:\n  short: {epochs: 1}\n  dice: {loss: dice, epochs: 2}\n"


def test_a_strategy_is_put_over_the_file_and_the_command_line_over_both(tmp_path):
    path = file(tmp_path, STUDY)
    assert strategies_of(path) == ("short", "dice")
    assert strategies_of(file(tmp_path, "epochs: 3\n")) == ()
    path = file(tmp_path, STUDY)
    assert Experiment.load(path, strategy="dice") == Experiment(epochs=2, loss="dice")
    assert Experiment.load(path, strategy="dice", changes=["epochs=7"]) == Experiment(epochs=7, loss="dice")
    assert Experiment.load(path, changes=["strategy=short"]) == Experiment(epochs=1, loss="bce")
    assert Experiment.load(file(tmp_path, STUDY + "strategy: dice\n")).epochs == 2


def test_a_strategy_is_needed_where_there_are_some_and_its_keys_are_checked(tmp_path):
    assert "has the strategies short, dice" in error_of(file(tmp_path, STUDY))
    assert "Did you mean 'short'?" in error_of(file(tmp_path, STUDY), "strategy=shrot")
    wrong = file(tmp_path, "strategies: {short: {epoch: 1}}\n")
    assert "Did you mean 'epochs'?" in error_of(wrong, "strategy=short")


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


def test_an_unknown_key_is_an_error_that_proposes_the_nearest(tmp_path):
    path = file(tmp_path, "learnig_rate: 1e-3\n")
    assert error_of(path) == f"Key 'learnig_rate' in {path} is unknown to 'mstl train'. Did you mean 'learning_rate'?"
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




def test_each_kind_says_in_its_file_what_it_is_for(tmp_path):
    Experiment().save(tmp_path / "train.yaml")
    GanExperiment().save(tmp_path / "gan.yaml")
    assert "pretraining" not in (tmp_path / "train.yaml").read_text()
    assert (tmp_path / "gan.yaml").read_text().startswith("pretraining: gan\n")
    assert [command_of(kind.KIND) for kind in KINDS] == ["mstl train", "mstl pretrain gan"]


def test_an_experiment_of_another_command_is_an_error_that_names_it(tmp_path):
    path = file(tmp_path, "pretraining: gan\nepochs: 3\n")
    assert GanExperiment.load(path).epochs == 3
    assert error_of(path) == (
        f"{path} has pretraining: gan. It is one for 'mstl pretrain gan', not for 'mstl train'."
    )
    path = file(tmp_path, "pretraining: kernel-prior\n")
    assert "is one for 'mstl pretrain kernel-prior', not for 'mstl pretrain gan'" in error_of(path, kind=GanExperiment)


def test_a_key_of_another_command_is_unknown_to_this_one(tmp_path):
    path = file(tmp_path, "model: unet-small\n")
    assert f"Key 'model' in {path} is unknown to 'mstl pretrain gan'. Known keys:" in error_of(path, kind=GanExperiment)
    path = file(tmp_path, "corruption: blocks\n")
    assert f"Key 'corruption' in {path} is unknown to 'mstl train'." in error_of(path)


def test_what_an_experiment_is_for_can_be_left_out_of_its_file(tmp_path):
    assert GanExperiment.load(file(tmp_path, "")) == GanExperiment()


class Numbers:
    none, zero, one, nan, infinite = None, 0, 1, float("nan"), float("inf")


def test_counts_are_finite_and_not_below_the_least():
    check_counts(Numbers(), names=("none", "one"))
    check_counts(Numbers(), names=("none", "zero", "one"), least=0)
    for name in ("zero", "nan", "infinite"):
        with pytest.raises(InputError, match=rf"{name} is .*; at least 1 is expected"):
            check_counts(Numbers(), names=["one", name])


def test_seeds_crops_and_rates_in_range_pass():
    for check, least, most in ((check_seed, 0, 2**32 - 1), (check_rate, 0, 1e9)):
        check(least)
        check(most)
    for crop in (None, 64, 640):
        check_crop(crop, multiple=64)
    for wrong in (lambda: check_seed(2**32), lambda: check_rate(float("nan")), lambda: check_crop(96, multiple=64)):
        with pytest.raises(InputError, match="expected"):
            wrong()


def test_subjects_stand_in_a_text_file_where_its_path_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.txt").write_bytes("\ufeffimg_1\r\nimg_2\n\n img_10".encode())  # the last line has no end
    (tmp_path / "e.yaml").write_text("train_subjects: train.txt\nvalidation_subjects: [img_3]\n")
    experiment = Experiment.load(tmp_path / "e.yaml")
    assert experiment.train_subjects == ("img_1", "img_2", "img_10")
    assert experiment.validation_subjects == ("img_3",)
    assert Experiment.from_dict(experiment.to_dict()) == experiment
    elsewhere = ["train_subjects=a", f"test_subjects={tmp_path / 'train.txt'}, 7"]
    changed = Experiment.load(tmp_path / "e.yaml", changes=elsewhere)
    assert changed.test_subjects == ("img_1", "img_2", "img_10", "7")


@pytest.mark.parametrize(("content", "expected"), [(None, "cannot be read: No such file"), (b" \n", "is empty")])
def test_a_file_of_subjects_that_is_missing_or_empty_is_an_error(tmp_path, content, expected):
    path = tmp_path / "train.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"train_subjects is the file .*train\.txt, which {expected}"):
        Experiment(train_subjects=str(path))


def test_a_file_of_subjects_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="it is no text"):
        Experiment(train_subjects=str(tmp_path / "train.txt"))
