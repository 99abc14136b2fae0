"""Noise on two devices, in a process of its own: devices must be known before TensorFlow starts.

`python -m tests.models.bayesian_replicas` prints JSON: for each of two draws the output of each replica.
"""
import json

from mstl._keras import keras, tf
from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.training.state import reseed


def main() -> None:
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        image = keras.layers.Input((4, 4, 4, 1))
        model = keras.Model(image, BayesianConv3D(1, 3, padding="same")(image))
    drawn = []
    for _ in range(2):
        reseed(model, seed=1, epoch=0)
        outputs = strategy.run(tf.function(lambda: model(tf.ones((1, 4, 4, 4, 1)), training=True)))
        drawn.append([float(tf.reduce_sum(value)) for value in strategy.experimental_local_results(outputs)])
    print(json.dumps(drawn))


if __name__ == "__main__":
    main()
