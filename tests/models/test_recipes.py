import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import build_model, recipe_of, unet_resnet34


def test_a_model_of_ours_remembers_how_it_was_built():
    model = unet_resnet34(channels=2, stem="direct")
    assert recipe_of(model) == {"model": "unet-resnet34", "channels": 2, "stem": "direct"}


def test_a_model_of_the_user_has_no_recipe():
    image = keras.layers.Input((4,))
    assert recipe_of(keras.Model(image, keras.layers.Dense(1)(image))) is None


def test_equal_seeds_draw_equal_weights():
    first, twin = (build_model("unet-resnet34", seed=3, channels=1).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, twin, strict=True))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"Model 'resunet' is unknown. Choose one of .*unet-resnet34"):
        build_model("resunet", channels=1)
