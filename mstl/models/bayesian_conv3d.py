"""A 3D convolution whose kernel is uncertain: a factorised Gaussian over its weights in place of one number each."""
from __future__ import annotations

import math

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.tree import layers_of

SIGMA_RATIO = 0.1
FLOOR = 1e-10  # of the variance of an output: where a map is zero, as around the brain, its root has no slope


@keras.utils.register_keras_serializable("mstl")
class BayesianConv3D(keras.layers.Conv3D, keras.__internal__.layers.BaseRandomLayer):
    """Conv3D with a posterior N(kernel, exp(log_variance)), independent for every weight; a bias stays a number.

    `kernel` is the posterior's mean, so that its name, shape and place are those of `Conv3D`; `log_variance`, of the
    same shape, is the logarithm of sigma^2, float32 in every precision. At first sigma is `sigma_ratio` times the
    standard deviation of He et al. 2015 (arXiv 1502.01852), sqrt(2 / fan_in).

    Called with `training=True` every output voxel is drawn from the Gaussian that the posterior makes of it, of mean
    conv(x, kernel) and variance conv(x^2, sigma^2) (local reparametrisation), also where the layer is frozen; without,
    the mean weights are used; with `sample=True` one kernel is drawn for the call. `seed` starts the noise, else Keras'
    own seed does. Input `(N, D, H, W, C)`, output as of `Conv3D`. Building raises `InputError` for groups, dilation,
    channels first, and for a `sigma_ratio` that is not positive.

    Source: Kingma, Salimans and Welling 2015, arXiv 1506.02557.
    """

    own_variables = ("log_variance",)  # that weights of a plain convolution need not have

    def __init__(self, filters: int, kernel_size: int | tuple, *, sigma_ratio: float = SIGMA_RATIO, **options) -> None:
        super().__init__(filters, kernel_size, **options)
        if not 0 < sigma_ratio < math.inf:
            raise InputError(f"sigma_ratio is {sigma_ratio}; a positive number is expected, such as {SIGMA_RATIO}.")
        if self.groups > 1 or max(self.dilation_rate) > 1 or self.data_format != "channels_last":
            raise InputError(
                f"Layer {self.name} has groups {self.groups}, dilation {self.dilation_rate}, {self.data_format}; a "
                "Bayesian convolution has neither groups nor dilation, and channels last. Leave them out."
            )
        self.sigma_ratio = sigma_ratio

    def build(self, input_shape: tf.TensorShape) -> None:
        """Make the weights for inputs of `input_shape`."""
        super().build(input_shape)
        fan_in = math.prod(self.kernel.shape[:-1])
        self.log_variance = self.add_weight(
            name="log_variance",
            shape=self.kernel.shape,
            initializer=keras.initializers.Constant(math.log(self.sigma_ratio**2 * 2 / fan_in)),
            dtype="float32",
            experimental_autocast=False,  # half precision would miss sigma by per cents
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None, sample: bool = False) -> tf.Tensor:
        """Convolve with weights that are drawn voxel by voxel, once, or not at all."""
        kernel = tf.convert_to_tensor(self.kernel)
        if sample:
            kernel += tf.cast(tf.exp(self.log_variance / 2) * self._noise(kernel, tf.float32), kernel.dtype)
        outputs = self.convolution_op(inputs, kernel)
        if training and not sample:
            outputs += self._deviation(inputs, self._noise(outputs, _wide(inputs.dtype)))
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return self.activation(outputs)

    def get_config(self) -> dict:
        """Arguments from which the layer can be built again."""
        return {**super().get_config(), "sigma_ratio": self.sigma_ratio, "seed": self._random_generator._seed}

    def _noise(self, like: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Standard normal numbers, one for each element of `like`."""
        return self._random_generator.random_normal(tf.shape(like), dtype=dtype)

    def _deviation(self, inputs: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """`noise` times the standard deviation of each output voxel."""
        options = {"strides": [1, *self.strides, 1], "padding": self.padding.upper()}
        return deviation(inputs, tf.convert_to_tensor(self.log_variance), noise, **options)


def deviation(
    inputs: tf.Tensor, log_variance: tf.Tensor, noise: tf.Tensor, *, strides: list[int], padding: str
) -> tf.Tensor:
    """`noise` times sqrt(conv(inputs^2, exp(log_variance))), of the type of `inputs` and the shape of `noise`.

    Squares and variances are computed in the type of `noise`. For the gradient, in closed form, only `inputs` and one
    tensor of the output's size are kept, where TensorFlow would keep four.
    """
    dtype = noise.dtype

    @tf.custom_gradient
    def scaled(inputs: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
        """The product and its gradient."""
        squares, variances = tf.square(tf.cast(inputs, dtype)), tf.cast(tf.exp(log_variance), dtype)
        variance = tf.maximum(tf.nn.conv3d(squares, variances, strides, padding), 0) + FLOOR
        ratio = noise * tf.math.rsqrt(variance)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """With respect to inputs and log variances."""
            values, sigmas = tf.cast(inputs, dtype), tf.cast(tf.exp(log_variance), dtype)
            up, options = tf.cast(upstream, dtype) * ratio, {"strides": strides, "padding": padding}
            to_inputs = values * tf.raw_ops.Conv3DBackpropInputV2(
                input_sizes=tf.shape(values), filter=sigmas, out_backprop=up, **options
            )
            to_variances = tf.raw_ops.Conv3DBackpropFilterV2(
                input=tf.square(values), filter_sizes=tf.shape(sigmas), out_backprop=up, **options
            )
            to_logarithms = 0.5 * tf.exp(log_variance) * tf.cast(to_variances, log_variance.dtype)
            return tf.cast(to_inputs, inputs.dtype), to_logarithms

        return tf.cast(variance * ratio, inputs.dtype), gradient

    return scaled(inputs, log_variance)


def bayesian_layers(model: keras.Model) -> dict[str, BayesianConv3D]:
    """The Bayesian convolutions of a model by path (`mstl.models.tree.layers_of`), in the order of the data."""
    return {path: layer for path, layer in layers_of(model).items() if isinstance(layer, BayesianConv3D)}


def _wide(dtype: tf.DType) -> tf.DType:
    """Type for variances: those of weights are below what float16 can hold, and squares above."""
    return tf.float32 if dtype == tf.float16 else dtype
