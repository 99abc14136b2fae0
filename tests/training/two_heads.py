"""A small network with an auxiliary head, for tests of training."""
from mstl._keras import keras
from mstl.models.auxiliary import Auxiliary


def two_heads(channels: int = 2) -> keras.Model:
    """Two heads on the same maps, always the same weights."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((None, None, channels))
    maps = layers.Conv2D(4, 3, padding="same", use_bias=False, name="encoder1_conv1")(image)
    maps = layers.ReLU()(layers.BatchNormalization(momentum=0.5, name="encoder1_norm")(maps))
    main, other = (
        layers.Activation("sigmoid", dtype="float32", name=f"{name}_sigmoid")(
            layers.Conv2D(1, 3, padding="same", name=f"{name}_conv")(maps)
        )
        for name in ("head", "auxiliary")
    )
    return keras.Model(image, Auxiliary(name="auxiliary", dtype="float32")([main, other]), name="two_heads")
