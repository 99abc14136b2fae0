"""Sums over replicas, where there is one."""
import numpy as np

from mstl._keras import tf
from mstl.models.replicas import summed


def test_one_device_keeps_what_it_has():
    value = tf.constant([1.0, 2.0])
    assert summed(value) is value


def test_within_the_scope_of_a_strategy_but_in_no_replica_it_does_nothing():
    value = tf.constant([1.0, 2.0])
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert summed(value) is value


def test_one_replica_sums_what_it_has():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    assert np.array_equal(strategy.run(lambda: summed(tf.constant([1.0, 2.0]))), [1, 2])
