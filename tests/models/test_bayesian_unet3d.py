import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import build_model, residual_unet3d
from mstl.models.bayesian_conv3d import BayesianConv3D, bayesian_layers
from mstl.models.bayesian_unet3d import bayesian_unet3d, draw_weights, mean_network
from mstl.models.entry import channel_axes
from mstl.models.groups import groups_of
from mstl.models.memory import bytes_per_voxel
from mstl.models.sides import side_multiple
from mstl.models.tree import layers_of

VOLUME = np.random.default_rng(0).normal(size=(1, 8, 8, 8, 2)).astype(np.float32)


def small(**options) -> keras.Model:
    return bayesian_unet3d(**{"channels": 2, "filters": (2, 3, 4), **options})


def kernels(model: keras.Model) -> dict[str, np.ndarray]:
    return {path: layer.get_weights()[0] for path, layer in layers_of(model).items() if layer.weights}


def test_the_network_has_the_published_means_and_a_variance_for_every_3x3x3_weight():
    model = build_model("unet3d-bayesian")
    variances = sum(np.prod(layer.log_variance.shape) for layer in bayesian_layers(model).values())
    assert model.count_params() == 726_480 + variances
    assert variances == 719_280
    assert {layer.kernel_size for layer in bayesian_layers(model).values()} == {(3, 3, 3)}
    sizes = {layer.kernel_size for layer in model.layers if type(layer) is keras.layers.Conv3D}
    assert sizes == {(1, 1, 1)}


def test_layers_parts_and_sizes_are_those_of_the_plain_network():
    ours, plain = small(), residual_unet3d(channels=2, num_classes=2, filters=(2, 3, 4))
    assert [layer.name for layer in ours.layers] == [layer.name for layer in plain.layers]
    for found in (groups_of, side_multiple, bytes_per_voxel):
        assert found(ours) == found(plain)


def test_kernels_and_variances_of_the_first_layer_meet_the_channels_of_the_image():
    assert channel_axes(small()) == {"encoder1_conv/kernel": -2, "encoder1_conv/log_variance": -2}


def test_the_network_of_means_is_plain_and_predicts_the_same():
    model = small(norm="batch")
    network = mean_network(model)
    assert not bayesian_layers(network)
    plain = residual_unet3d(channels=2, num_classes=2, filters=(2, 3, 4), norm="batch")
    assert network.count_params() == plain.count_params()
    np.testing.assert_allclose(network(VOLUME), model(VOLUME), atol=1e-6)
    np.testing.assert_allclose(network.predict(VOLUME, verbose=0), model.predict(VOLUME, verbose=0), atol=1e-5)


def test_the_network_of_means_of_a_nested_model_is_plain_all_the_way_down():
    image = keras.layers.Input((None, None, None, 2))
    model = keras.Model(image, small()(keras.layers.Conv3D(2, 1)(image)))
    network = mean_network(model)
    assert not bayesian_layers(network)
    np.testing.assert_allclose(network(VOLUME), model(VOLUME), atol=1e-6)


def test_training_the_network_of_means_leaves_the_model_alone():
    model = small()
    network, before = mean_network(model), model.get_weights()
    network.compile("sgd", "sparse_categorical_crossentropy")
    network.train_on_batch(VOLUME, np.zeros((1, 8, 8, 8, 1)))
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_drawn_weights_have_the_mean_and_variance_of_the_posterior():
    model = small(sigma_ratio=0.5)
    network, path = mean_network(model), "encoder3_block2_conv1"
    draws = []
    for seed in range(300):
        draw_weights(model, network, seed=seed)
        draws.append(kernels(network)[path])
    layer = bayesian_layers(model)[path]
    sigma = np.exp(layer.log_variance.numpy() / 2)
    score = (np.mean(draws, axis=0) - layer.kernel.numpy()) / sigma * np.sqrt(300)
    assert np.abs(score).max() < 5
    np.testing.assert_allclose(np.std(draws, axis=0) / sigma, 1, atol=0.25)


def test_one_seed_draws_the_same_weights_and_others_others():
    model = small()
    network, other = mean_network(model), mean_network(model)
    draw_weights(model, network, seed=3)
    draw_weights(model, other, seed=3)
    np.testing.assert_array_equal(network(VOLUME), other(VOLUME))
    draw_weights(model, other, seed=4)
    assert all(not np.array_equal(kernels(network)[path], kernels(other)[path]) for path in bayesian_layers(model))


def test_plain_layers_are_copied_with_a_draw():
    model = small(norm="batch")
    network = mean_network(model)
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    draw_weights(model, network, seed=0)
    for path, layer in layers_of(model).items():
        if not isinstance(layer, BayesianConv3D):
            for ours, theirs in zip(layer.get_weights(), layers_of(network)[path].get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_saved_weights_come_back(tmp_path):
    first, second = small(), small()
    first.save_weights(tmp_path / "weights.h5")
    second.load_weights(tmp_path / "weights.h5")
    assert all(np.array_equal(one, other) for one, other in zip(first.get_weights(), second.get_weights(), strict=True))


def test_models_without_bayesian_layers_are_refused():
    plain = residual_unet3d(channels=2, num_classes=2, filters=(2, 3, 4))
    with pytest.raises(InputError, match="no Bayesian layer"):
        mean_network(plain)
    with pytest.raises(InputError, match="no Bayesian layer"):
        draw_weights(plain, plain, seed=0)


def test_a_draw_into_another_architecture_is_refused():
    with pytest.raises(InputError, match=r"Layer encoder1_conv .* has no like"):
        draw_weights(small(), mean_network(small(filters=(3, 3, 4))), seed=0)


def test_wrong_arguments_are_refused_as_by_the_plain_network():
    with pytest.raises(InputError, match="num_classes is 0"):
        small(num_classes=0)
    with pytest.raises(InputError, match="sigma_ratio is -1"):
        small(sigma_ratio=-1)
