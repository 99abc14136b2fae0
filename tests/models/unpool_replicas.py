"""A step of training with pooling and unpooling, in a process of its own: devices must be known at the start.

`python -m tests.models.unpool_replicas` prints JSON: the weights after the step on one device, and on two.
"""
import json

import numpy as np

from mstl._keras import keras, tf
from mstl.models.max_unpool import MaxPoolWithIndices, MaxUnpool


def main() -> None:
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    print(json.dumps([trained(strategy) for strategy in strategies]))


def trained(strategy: tf.distribute.Strategy) -> list[float]:
    keras.utils.set_random_seed(1)
    images, targets = np.random.default_rng(0).normal(size=(2, 4, 7, 5, 2)).astype(np.float32)
    with strategy.scope():
        image = keras.layers.Input((None, None, 2))
        maps = keras.layers.Conv2D(3, 3, padding="same")(image)
        pooled, places = MaxPoolWithIndices()(maps)
        restored = MaxUnpool()([keras.layers.Conv2D(3, 1)(pooled), places, maps])
        model = keras.Model(image, keras.layers.Conv2D(2, 1)(restored))
        model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(images, targets, batch_size=4, verbose=0)
    return np.concatenate([array.ravel() for array in model.get_weights()]).tolist()


if __name__ == "__main__":
    main()
