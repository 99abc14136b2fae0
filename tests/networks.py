"""Small networks of every kind that groups and freezing must understand, each with batch norm."""
from mstl._keras import keras

layers = keras.layers


def conv_block(maps, filters, name):
    conv = layers.Conv3D if len(maps.shape) == 5 else layers.Conv2D
    maps = conv(filters, 3, padding="same", name=f"{name}_conv")(maps)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(maps))


def unet(sides=(None, None), *, padding=False, name="unet"):
    """Two poolings: levels e1, e2, bridge, d2 (the lower), d1, head. `padding`: sides that two does not divide."""
    pool, grow = (layers.MaxPooling3D, layers.UpSampling3D) if len(sides) == 3 else (
        layers.MaxPooling2D,
        layers.UpSampling2D,
    )
    image = layers.Input((*sides, 2), name=f"{name}_image")
    first = conv_block(image, 3, "e1")
    second = conv_block(pool(2, padding="same" if padding else "valid")(first), 4, "e2")
    maps = conv_block(pool(2, padding="same" if padding else "valid")(second), 5, "bridge")
    for skip, level in ((second, "d2"), (first, "d1")):
        maps = grow(2)(maps)
        if padding:
            rows, columns = (have - want for have, want in zip(maps.shape[1:3], skip.shape[1:3], strict=True))
            maps = layers.Cropping2D(((0, rows), (0, columns)))(maps)
        maps = conv_block(layers.Concatenate()([maps, skip]), 4, level)
    conv = layers.Conv3D if len(sides) == 3 else layers.Conv2D
    return keras.Model(image, conv(1, 1, activation="sigmoid", name="head")(maps), name=name)


def nested():
    """A U-Net nested behind a 1x1 convolution."""
    inner = unet(name="inner")
    image = layers.Input((None, None, 1), name="image")
    return keras.Model(image, inner(layers.Conv2D(2, 1, name="mix")(image)), name="nested")


def sequential():
    """A classifier of slices."""
    return keras.Sequential(
        [
            layers.Input((16, 16, 2)),
            layers.Conv2D(3, 3, strides=2, name="c1"),
            layers.BatchNormalization(name="b1"),
            layers.Conv2D(4, 3, strides=2, activation="relu", name="c2"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(1, activation="sigmoid", name="dense"),
        ],
        name="sequential",
    )


NETWORKS = {
    "2d": unet,
    "3d": lambda: unet((None, None, None), name="unet3d"),
    "nested": nested,
    "sequential": sequential,
}
