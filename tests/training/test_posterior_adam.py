"""An Adam under which variances learn at a rate of their own."""
import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.training.posterior_adam import PosteriorAdam


def steps(optimizer, mean, log_variance):
    """Values after three steps along fixed gradients."""
    for slope in (1.0, -2.0, 0.5):
        optimizer.apply_gradients([(tf.fill((2,), slope), mean), (tf.fill((2,), 3 * slope), log_variance)])
    return mean.numpy(), log_variance.numpy()


@pytest.mark.parametrize("rate", [1.0, 10.0, 0.0])
def test_log_variances_step_so_many_times_as_far_and_means_as_ever(rate):
    plain = steps(keras.optimizers.Adam(0.1), tf.Variable([1.0, 2.0]), tf.Variable([0.0, 0.0]))
    mean, log_variance = tf.Variable([1.0, 2.0]), tf.Variable([0.0, 0.0])
    ours = steps(PosteriorAdam(0.1, variances=[log_variance], variance_rate=rate), mean, log_variance)
    np.testing.assert_array_equal(ours[0], plain[0])
    np.testing.assert_allclose(ours[1], rate * plain[1], rtol=1e-5)
