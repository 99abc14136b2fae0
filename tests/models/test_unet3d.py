import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import build_model, classic_unet3d, residual_unet3d
from mstl.models.groups import groups_of
from mstl.models.sides import side_multiple
from mstl.transfer.freezing import freeze

SMALL = {"residual": (2, 3, 4), "classic": (2, 4)}
BUILDERS = {"residual": residual_unet3d, "classic": classic_unet3d}


@pytest.fixture(params=BUILDERS)
def kind(request):
    return request.param


def small(kind: str, **options) -> keras.Model:
    return BUILDERS[kind](**{"channels": 2, "filters": SMALL[kind], **options})


def test_the_residual_network_has_the_published_number_of_parameters():
    assert residual_unet3d(channels=1, num_classes=2).count_params() == 726_480


def test_the_classic_network_has_the_published_number_of_layers():
    assert len(classic_unet3d(channels=2, num_classes=4).layers) == 37


@pytest.mark.parametrize(("num_classes", "norm"), [(1, "instance"), (4, "none"), (2, "batch"), (1, "none")])
def test_any_sides_that_divide_give_probabilities_of_their_shape(kind, num_classes, norm):
    model = small(kind, num_classes=num_classes, norm=norm)
    multiple = side_multiple(model)
    assert multiple == 2 ** (len(SMALL[kind]) - 1)
    volume = np.random.default_rng(0).normal(size=(1, 2 * multiple, multiple, 3 * multiple, 2)).astype(np.float32)
    probability = model(volume).numpy()
    assert probability.shape == (*volume.shape[:4], num_classes)
    assert ((probability >= 0) & (probability <= 1)).all()
    if num_classes > 1:
        np.testing.assert_allclose(probability.sum(-1), 1, atol=1e-5)


def test_group_norm_is_a_choice():
    assert residual_unet3d(channels=1, filters=(8, 8), norm="group").count_params() > 0


def test_encoder_decoder_and_head_are_groups_that_cover_every_layer_with_weights(kind):
    groups = groups_of(small(kind))
    for name, paths in groups.items():
        if name in ("encoder", "decoder"):
            assert all(path.startswith((name, "bottleneck")) for path in paths), name
    assert groups["head"] == ("final_conv",)
    levels = len(SMALL[kind])
    assert {f"encoder{level}" for level in range(1, levels + 1)} <= groups.keys()
    assert {f"decoder{level}" for level in range(1, levels)} <= groups.keys()
    assert f"decoder{levels}" not in groups


def test_each_block_of_the_residual_decoder_opens_with_its_own_reduction():
    groups = groups_of(small("residual"))
    assert "decoder1_reduce" in groups["decoder1"]
    assert "decoder2_reduce" in groups["decoder2"]


def test_the_first_25_layers_of_the_classic_network_are_its_encoder_and_two_levels_of_the_decoder():
    model = classic_unet3d(channels=1, filters=(2, 2, 2, 2, 2))
    freeze(model, "first:25")
    trained = {layer.name.split("_")[0] for layer in model.layers if layer.trainable_weights}
    assert trained == {"decoder3", "decoder4", "final"}


def test_one_step_of_training_changes_every_kernel(kind):
    model = small(kind, num_classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.train_on_batch(random.normal(size=(1, 8, 8, 8, 2)), random.integers(0, 3, (1, 8, 8, 8, 1)))
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.trainable_weights, strict=True)]
    assert all(changed)


def test_saved_weights_come_back(kind, tmp_path):
    first, second = small(kind), small(kind)
    first.save_weights(tmp_path / "weights.h5")
    second.load_weights(tmp_path / "weights.h5")
    volume = np.ones((1, 8, 8, 8, 2), np.float32)
    np.testing.assert_array_equal(first(volume), second(volume))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"filters": (4,)}, "at least two levels"),
        ({"filters": (4, 0)}, "filters is 0"),
        ({"norm": "layer"}, "expected one of instance"),
        ({"norm": "group", "filters": (8, 12)}, "group norm divides each into 8 groups"),
    ],
)
def test_wrong_arguments_are_refused(kind, options, message):
    with pytest.raises(InputError, match=message):
        small(kind, **options)


def test_both_are_built_by_name():
    assert build_model("unet3d-residual", channels=1, filters=[2, 2]).name == "residual_unet3d"
    assert build_model("unet3d-classic", channels=1, filters=[2, 2]).name == "classic_unet3d"
