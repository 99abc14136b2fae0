import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import build_model, recipe_of
from mstl.models.groups import groups_of
from mstl.models.unet_small import unet_small
from mstl.transfer.initial import initialise

PARAMETERS = 1_095_589


@pytest.fixture(scope="module")
def model():
    return build_model("unet-small", seed=0, channels=3)


def test_parameter_count_is_the_stated_one(model):
    assert model.count_params() == PARAMETERS


def test_its_weights_fit_into_five_megabytes(model, tmp_path):
    model.save_weights(tmp_path / "small.h5")
    assert (tmp_path / "small.h5").stat().st_size < 5e6


def test_the_shipped_weights_fill_every_layer_and_find_a_bright_spot():
    model = unet_small(channels=3)
    report = initialise(model, "unet-small-phantoms", preparation={"modalities": ["flair", "t1", "t2"]})
    assert {row.status for row in report.rows} == {"load"}
    image = 0.3 * np.random.default_rng(0).standard_normal((1, 64, 64, 3)).astype(np.float32)
    image[0, 30:35, 30:35, 0] += 3
    probability = model.predict(image, verbose=0)[0, ..., 0]
    assert probability[31:34, 31:34].mean() > 5 * probability.mean()


def test_any_side_that_16_divides_gives_probabilities_of_its_shape(model):
    image = np.random.default_rng(0).standard_normal((2, 48, 16, 3), np.float32)
    probability = model.predict(image, verbose=0)
    assert probability.shape == (2, 48, 16, 1)
    assert probability.dtype == np.float32
    assert probability.min() >= 0
    assert probability.max() <= 1


def test_depth_and_width_set_the_filters_of_every_level():
    model = unet_small(channels=1, width=4, depth=2)
    filters = {layer.name: layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert filters == {
        "encoder1_conv1": 4, "encoder1_conv2": 4, "encoder2_conv1": 8, "encoder2_conv2": 8,
        "bottleneck_conv1": 16, "bottleneck_conv2": 16,
        "decoder1_up": 8, "decoder1_conv1": 8, "decoder1_conv2": 8,
        "decoder2_up": 4, "decoder2_conv1": 4, "decoder2_conv2": 4, "final_conv": 1,
    }  # fmt: skip


def test_its_groups_are_the_blocks_that_its_layers_are_named_after(model):
    groups = groups_of(model)
    assert set(groups["encoder4"]) == {f"encoder4_{kind}{number}" for kind in ("conv", "bn") for number in (1, 2)}
    assert set(groups["encoder5"]) == {f"bottleneck_{kind}{number}" for kind in ("conv", "bn") for number in (1, 2)}
    for level in range(1, 5):
        assert {path.split("_")[0] for path in groups[f"decoder{level}"]} == {f"decoder{level}"}
    assert groups["head"] == ("final_conv",)


def test_no_layer_has_an_automatic_name(model):
    parts = ("image", "encoder", "bottleneck", "decoder", "final_conv", "sigmoid")
    assert all(layer.name.startswith(parts) for layer in model.layers)


def test_several_classes_sum_to_one():
    model = unet_small(channels=2, num_classes=3, width=2, depth=1)
    probability = model.predict(np.ones((1, 8, 8, 2), np.float32), verbose=0)
    assert np.allclose(probability.sum(axis=-1), 1, atol=1e-5)


def test_probabilities_stay_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = unet_small(channels=1, width=2, depth=1)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.output.dtype == "float32"


def test_the_recipe_builds_the_same_model_again(model):
    recipe = recipe_of(model)
    assert recipe == {"model": "unet-small", "channels": 3}


@pytest.mark.parametrize("name", ["channels", "num_classes", "width", "depth"])
def test_a_number_below_one_is_refused_by_name(name):
    with pytest.raises(InputError, match=f"{name} is 0; at least 1 is expected"):
        unet_small(**{"channels": 1, name: 0})
