"""Strategies under one experiment: settings over common ones, and an error that names them where one is needed."""
import pytest

from mstl.errors import InputError
from mstl.strategies import named_strategies, with_strategy

VALUES = {"epochs": 5, "loss": "bce", "strategies": {"frozen": {"freeze": "encoder", "loss": "dice"}, "plain": None}}


def test_a_strategy_stands_over_the_common_settings():
    assert with_strategy(VALUES | {"strategy": "frozen"}, source="x") == {
        "epochs": 5, "loss": "dice", "freeze": "encoder",
    }  # fmt: skip
    assert with_strategy(VALUES | {"strategy": "plain"}, source="x") == {"epochs": 5, "loss": "bce"}


def test_values_without_strategies_stay_as_they_are():
    assert with_strategy({"epochs": 5}, source="x") == {"epochs": 5}
    assert named_strategies({"epochs": 5}, source="x") == {}


def test_strategies_are_listed_in_the_order_of_the_file():
    assert list(named_strategies(VALUES, source="x")) == ["frozen", "plain"]


def test_a_name_that_looks_like_a_number_is_a_name():
    values = {"strategies": {5: {"epochs": 2}}}
    assert with_strategy(values | {"strategy": 5}, source="x") == {"epochs": 2}
    assert with_strategy(values | {"strategy": "5"}, source="x") == {"epochs": 2}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (VALUES, "study.yaml has the strategies frozen, plain. Choose one: --strategy NAME of 'mstl train'"),
        (VALUES | {"strategy": "forzen"}, "Strategy 'forzen' is unknown to study.yaml. Did you mean 'frozen'?"),
        (VALUES | {"strategy": "gan"}, "Strategy 'gan' is unknown to study.yaml. It has frozen, plain."),
        ({"strategy": "gan"}, "study.yaml has no strategies, but strategy 'gan' is asked for"),
        ({"strategies": ["gan"]}, "strategies in study.yaml is ['gan']; 'NAME: {key: value}' is expected"),
        ({"strategies": {"gan": 3}}, "Strategy 'gan' in study.yaml is 3; settings of the form {key: value}"),
    ],
)
def test_what_is_amiss_is_said_in_one_line(values, expected):
    with pytest.raises(InputError) as caught:
        with_strategy(values, source="study.yaml")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
