"""Settings of a training that do not go together are refused, and say what does."""
import pytest

from mstl.config import Training
from mstl.errors import InputError


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pos_weight": 0.0}, "pos_weight is 0.0; a number above 0"),
        ({"pos_weight": float("inf")}, "pos_weight is inf; a number above 0"),
        ({"optimizer": "rmsprop"}, "optimizer is 'rmsprop'; expected one of adam, sgd"),
        ({"optimizer": "sgd", "momentum": 1.0}, "momentum is 1.0; from 0 to below 1"),
        ({"momentum": 0.5}, "momentum is 0.5, but it is for optimizer: sgd"),
        ({"optimizer": "sgd", "prior": "gaussian"}, "a posterior is learned by adam"),
        ({"class_share": 0.75}, "class_share is 0.75, but slices are not cropped"),
        ({"class_share": 1.0, "crop": 64}, "class_share is 1.0; between 0 and 1"),
    ],
)
def test_a_value_that_nothing_goes_with_is_an_error(changes, expected):
    with pytest.raises(InputError) as caught:
        Training(**changes)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 5e-3, "decay": "polynomial"},
        {"crop": 288, "class_share": 0.75},
        {"pos_weight": 1},
        {"auxiliary_weight": 0},
    ],
)
def test_what_goes_together_is_kept_as_it_is(changes):
    training = Training(**changes)
    assert {name: getattr(training, name) for name in changes} == changes
