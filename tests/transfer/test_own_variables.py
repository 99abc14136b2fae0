import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import bayesian_unet3d, residual_unet3d
from mstl.models.bayesian_conv3d import BayesianConv3D, bayesian_layers
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.freezing import freeze
from mstl.transfer.origin import describe_origins
from mstl.transfer.plan import plan_transfer, transfer_weights
from tests.twins import FILES, randomise, response, weights, write

FILTERS = (2, 3, 4)


def plain(seed: int = 1, **options) -> keras.Model:
    return randomise(residual_unet3d(**{"channels": 1, "num_classes": 2, "filters": FILTERS, **options}), seed)


def bayesian(seed: int = 2, **options) -> keras.Model:
    return randomise(bayesian_unet3d(**{"filters": FILTERS, **options}), seed)


def chain(*kinds: type, size: int = 3, name: str | None = None) -> keras.Model:
    """Convolutions of those classes in a row, of equal shapes and with automatic names where no `name` is given."""
    image = maps = keras.layers.Input((8, 8, 8, 2))
    for number, kind in enumerate(kinds):
        maps = kind(2, size, padding="same", use_bias=False, name=name and f"{name}{number}")(maps)
    return keras.Model(image, maps)


def variances(model: keras.Model) -> list[np.ndarray]:
    return [layer.log_variance.numpy() for layer in bayesian_layers(model).values()]


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("file", ["save_weights.h5", "save.h5", "keras3.keras"])
def test_a_plain_network_gives_the_means_and_the_variances_stay(tmp_path, file):
    source, target = plain(), bayesian()
    before = variances(target)
    report = transfer_weights(write(source, tmp_path, file), target)
    assert np.array_equal(response(target), response(source))
    assert_same(variances(target), before)
    assert report.counts["load"] == len(source.weights)
    assert report.counts["kept"] == len(before)
    assert "the model's own" in str(report)


@pytest.mark.parametrize("file", ["save_weights.h5", "save.h5", "keras3.keras"])
def test_a_bayesian_network_gives_its_means_to_a_plain_one(tmp_path, file):
    source, target = bayesian(), plain()
    report = transfer_weights(write(source, tmp_path, file), target)
    assert np.array_equal(response(target), response(source))
    assert report.counts["unused"] == len(bayesian_layers(source))


@pytest.mark.parametrize("file", FILES)
def test_a_bayesian_network_gives_another_means_and_variances(tmp_path, file):
    source, target = bayesian(1), bayesian(2)
    transfer_weights(write(source, tmp_path, file), target)
    assert weights(target) == weights(source)


@pytest.mark.parametrize("file", ["save_weights.h5", "save.h5"])
@pytest.mark.parametrize("kinds", [(keras.layers.Conv3D, BayesianConv3D), (BayesianConv3D, keras.layers.Conv3D)])
def test_by_order_kernels_go_to_kernels_and_no_variance_takes_the_place_of_one(tmp_path, file, kinds):
    source = randomise(chain(*[kinds[0]] * 3), seed=1)
    target = randomise(chain(*[kinds[1]] * 3), seed=2)
    before = variances(target)
    transfer_weights(write(source, tmp_path, file), target)
    assert np.array_equal(response(target), response(source))
    assert_same(variances(target), before)


@pytest.mark.parametrize("file", ["save_weights.h5", "save.h5"])
def test_by_order_variances_go_with_their_kernels(tmp_path, file):
    source, target = (randomise(chain(*[BayesianConv3D] * 3), seed) for seed in (1, 2))
    transfer_weights(write(source, tmp_path, file), target)
    assert weights(target) == weights(source)


@pytest.mark.parametrize("options", [{"mapping": {"b0": "a0", "b1": "a1"}}, {"rename": [("^a", "b")]}])
def test_mappings_and_rules_lead_variances_too(tmp_path, options):
    source, target = (
        randomise(chain(BayesianConv3D, BayesianConv3D, name=name), seed) for name, seed in (("a", 1), ("b", 2))
    )
    transfer_weights(write(source, tmp_path, "save_weights.h5"), target, **options)
    assert weights(target) == weights(source)


def test_a_kernel_without_source_is_still_an_error(tmp_path):
    path = write(plain(filters=(2, 3)), tmp_path, "save_weights.h5")
    with pytest.raises(InputError, match="has nothing for"):
        transfer_weights(path, bayesian())


def test_variances_follow_the_channels_of_the_image(tmp_path):
    source, target = bayesian(1, channels=2), bayesian(2, channels=3)
    path = write(source, tmp_path, "save_weights.h5")
    with Checkpoint.open(path) as checkpoint:
        rows = {row.target: row.status for row in plan_transfer(checkpoint, target, adapt="mean").rows}
    assert [path for path, status in rows.items() if status == "adapted"] == [
        "encoder1_conv/kernel", "encoder1_conv/log_variance"]  # fmt: skip
    transfer_weights(path, target, adapt="mean")
    old, new = (np.exp(variances(model)[0]) for model in (source, target))
    assert new.shape[-2] == 3
    assert new.sum() == pytest.approx(old.sum(), rel=1e-5)


def test_frozen_bayesian_layers_keep_both_tensors_to_the_bit(tmp_path):
    source, model = residual_unet3d(channels=1, num_classes=2, filters=FILTERS), bayesian_unet3d(filters=FILTERS)
    transfer_weights(write(source, tmp_path, "save_weights.h5"), model)
    report = freeze(model, "middle")
    before = {path: layer.get_weights() for path, layer in bayesian_layers(model).items()}
    frozen = [path for path, layer in bayesian_layers(model).items() if not layer.trainable]
    assert report.frozen == sum(layer.count_params() for layer in model.layers if not layer.trainable)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.random.default_rng(0).normal(size=(1, 8, 8, 8, 1)), np.zeros((1, 8, 8, 8, 1)), verbose=0)
    for path, layer in bayesian_layers(model).items():
        same = [np.array_equal(old, new) for old, new in zip(before[path], layer.get_weights(), strict=True)]
        assert same == [path in frozen] * 2


def test_the_account_of_a_model_counts_variances_only_where_they_were_loaded(tmp_path):
    filled, other = bayesian(1), bayesian(2)
    transfer_weights(write(plain(), tmp_path, "save_weights.h5"), filled)
    transfer_weights(write(filled, tmp_path, "save.h5"), other)
    for model, expected in ((filled, plain().count_params()), (other, other.count_params())):
        groups = describe_origins(model)["groups"]
        assert sum(group["loaded"] for group in groups) == expected
        assert sum(group["random"] + group["adapted"] for group in groups) == 0
        assert len(describe_origins(model)["transfers"]) == 1
