"""What the replicas of a `tf.distribute` strategy do together: sums over the batch of which each has a part."""
from __future__ import annotations

from mstl._keras import tf


def replicas() -> int:
    """How many replicas run the step in which this is called; 1 outside of one."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def summed(value: tf.Tensor) -> tf.Tensor:
    """Sum of a tensor over all replicas, the same on each; the tensor itself where there is one device.

    For sums over a batch of which each replica holds a part. Gradients pass: Keras divides each replica's loss by their
    number and adds the gradients of all, so that a loss formed of such sums trains as that of the whole batch on one
    device does. Tensors of one rank and type are best stacked first: each call waits for all replicas.
    """
    if replicas() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
