"""The autoencoder of kernels: shapes from 3 to 1 and back, sizes, bounds, seed."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.kernel_vae import PUBLISHED_RANGE, kernel_vae
from mstl.training.precision import precision


@pytest.fixture(scope="module")
def vae():
    return kernel_vae()


def parameters(*layers):
    """Weights and biases of (taps, channels in, channels out)."""
    return sum(taps * before * after + after for taps, before, after in layers)


def test_a_kernel_shrinks_from_three_to_two_to_one_and_becomes_a_code(vae):
    sides = [vae.encoder.get_layer(name).output_shape[1:] for name in ("conv1", "pool1", "conv2", "pool2", "conv3")]
    assert sides == [(3, 3, 3, 32), (2, 2, 2, 32), (2, 2, 2, 64), (1, 1, 1, 64), (1, 1, 1, 128)]
    assert vae.encoder.output_shape == [(None, 6), (None, 6)]


def test_a_code_grows_from_one_to_three_and_becomes_a_kernel(vae):
    sides = [vae.decoder.get_layer(name).output_shape[1:] for name in ("dense", "conv1", "conv2", "conv3", "conv4")]
    assert sides == [(128,), (1, 1, 1, 128), (3, 3, 3, 128), (3, 3, 3, 64), (3, 3, 3, 32)]
    assert vae.decoder.output_shape == [(None, 3, 3, 3, 1), (None, 3, 3, 3, 1)]


def test_it_has_the_stated_number_of_weights(vae):
    heads = ((1, 128, 6), (1, 128, 6))
    assert vae.encoder.count_params() == parameters((27, 1, 32), (27, 32, 64), (1, 64, 128), *heads) == 66_124
    back = ((1, 6, 128), (1, 128, 128), (27, 128, 128), (1, 128, 64), (1, 64, 32), (1, 32, 1), (1, 32, 1))
    assert vae.decoder.count_params() == parameters(*back) == 470_306


def test_a_three_cubed_convolution_of_one_voxel_is_the_middle_of_its_kernel(vae):
    middle = vae.decoder.get_layer("conv1")
    whole = keras.layers.Conv3D(128, 3, padding="same")
    voxels = np.random.default_rng(0).normal(size=(2, 1, 1, 1, 128)).astype(np.float32)
    whole.build(voxels.shape)
    whole.set_weights([np.random.default_rng(1).normal(size=whole.kernel.shape), middle.bias])
    middle.kernel.assign(whole.kernel[1:2, 1:2, 1:2])
    assert np.allclose(whole(voxels), middle(voxels), atol=1e-4)


@pytest.mark.parametrize("bounds", [PUBLISHED_RANGE, (-7.0, 0.5)])
def test_means_and_log_variances_stay_within_their_bounds(bounds):
    decoder = kernel_vae(latent=2, log_variance_range=bounds).decoder
    mean, log_variance = decoder(100 * np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32))
    assert np.abs(mean).max() <= 1
    assert bounds[0] - 1e-5 <= np.min(log_variance) < np.max(log_variance) <= bounds[1] + 1e-5


def test_it_is_float32_under_any_policy():
    with precision("mixed_bfloat16"):
        vae = kernel_vae()
    outputs = [*vae.encoder.outputs, *vae.decoder.outputs]
    assert {output.dtype.name for output in outputs} == {"float32"}
    assert {layer.compute_dtype for model in (vae.encoder, vae.decoder) for layer in model.layers} == {"float32"}


def test_a_seed_says_its_weights():
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        drawn.append(kernel_vae().decoder.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*drawn, strict=True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"latent": 0}, "latent is 0; at least 1"),
        ({"log_variance_range": (1, -1)}, "two rising numbers are expected"),
        ({"log_variance_range": (0, 0)}, "two rising numbers are expected"),
        ({"log_variance_range": (-1,)}, "two rising numbers are expected"),
        ({"log_variance_range": (float("-inf"), 0)}, "two rising numbers are expected"),
    ],
)
def test_options_out_of_range_are_errors(options, expected):
    with pytest.raises(InputError, match=expected):
        kernel_vae(**options)
