"""A network with two Bayesian convolutions and small priors for it, for tests of variational training."""
from mstl._keras import keras
from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.models.kernel_groups import kernel_groups
from mstl.models.kernel_prior import GroupPrior, KernelPrior
from mstl.models.kernel_vae import KernelVAE, kernel_vae

LATENT = 2
CENTRE, SPREAD = 0.3, -1.5  # mean and log variance of the fixed prior's weights in unit scale
SCALE = 0.2


def bayesian_network(*, sigma_ratio: float = 0.1, channels: int = 2) -> keras.Model:
    """Always the same weights; one group of kernels, 3 x `channels` of the first layer and 3 of the second."""
    keras.utils.set_random_seed(0)
    options = {"padding": "same", "sigma_ratio": sigma_ratio}
    image = keras.layers.Input((None, None, None, channels))
    maps = keras.layers.ReLU()(BayesianConv3D(3, 3, name="first", **options)(image))
    maps = keras.layers.ReLU()(BayesianConv3D(1, 3, name="second", **options)(maps))
    maps = keras.layers.Conv3D(1, 1, name="last")(maps)
    return keras.Model(image, keras.layers.Activation("sigmoid", dtype="float32")(maps), name="tiny")


def prior_of(network: keras.Model, vae: KernelVAE | None = None, *, scale: float = SCALE) -> KernelPrior:
    """A prior with `vae`, or one that has learned nothing, for each group of the network."""
    groups = kernel_groups(network).items()
    return KernelPrior({name: GroupPrior(paths, scale, vae or random_vae()) for name, paths in groups})


def random_vae() -> KernelVAE:
    """One of the published size with random weights, always the same."""
    keras.utils.set_random_seed(1)
    return kernel_vae()


def fixed_vae() -> KernelVAE:
    """A decoder that gives one Gaussian whatever the latents, and the encoder that belongs to it."""
    return small_vae(stddev=0.0)


def small_vae(*, stddev: float = 0.2) -> KernelVAE:
    """One dense layer each for means and log variances, always the same weights."""
    kernel, code = keras.layers.Input((3, 3, 3, 1)), keras.layers.Input((LATENT,))

    def head(size: int, bias: float, seed: int) -> keras.layers.Layer:
        weights, biases = keras.initializers.RandomNormal(stddev=stddev, seed=seed), keras.initializers.Constant(bias)
        return keras.layers.Dense(size, kernel_initializer=weights, bias_initializer=biases, name=f"head{seed}")

    flat, shape = keras.layers.Flatten()(kernel), keras.layers.Reshape((3, 3, 3, 1))
    encoder = keras.Model(kernel, [head(LATENT, 0.0, 1)(flat), head(LATENT, 0.0, 2)(flat)], name="kernel_encoder")
    decoded = [shape(head(27, bias, seed)(code)) for bias, seed in ((CENTRE, 3), (SPREAD, 4))]
    return KernelVAE(encoder, keras.Model(code, decoded, name="kernel_decoder"), LATENT, (-10.0, 1.0))
