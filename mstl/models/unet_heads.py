"""The U-Net of segmentation-models on any of its encoders, with a head of choice."""
from __future__ import annotations

from mstl._keras import keras, sm
from mstl.errors import InputError
from mstl.models.heads import DROPOUT, with_heads
from mstl.models.recipes import buildable

WIDTH = 64
LAST, BEFORE_LAST = "decoder_stage4b_relu", "decoder_stage3b_relu"  # maps of the image's sides, and of half of them


@buildable("unet-heads")
def unet_heads(
    *,
    channels: int,
    num_classes: int = 1,
    backbone: str = "resnet34",
    width: int = WIDTH,
    head: str = "fcn",
    auxiliary: bool = True,
    dropout: float = DROPOUT,
) -> keras.Model:
    """Build segmentation-models' `Unet(backbone)` for images `(N, H, W, channels)`, H and W multiples of 32.

    In place of its last convolution stands a head; head, auxiliary, width (of the heads), dropout and num_classes: see
    `mstl.models.heads.with_heads`. The auxiliary head sits on the decoder's map of half the image's sides. backbone:
    any encoder that segmentation-models knows, its weights random; ImageNet weights of "resnet34" are had by
    `init: imagenet`, those of "vgg16" by `init: imagenet-vgg16`. Layers have segmentation-models' names, and those of
    the heads. Output `(N, H, W, num_classes)` float32 probabilities. Raises `InputError` for an unknown backbone, fewer
    than one channel, and as `with_heads` does.

    Source: Ronneberger et al. 2015, arXiv 1505.04597; segmentation-models 1.0.1.
    """
    known = sm.get_available_backbone_names()
    if backbone not in known:
        raise InputError(f"backbone is '{backbone}'; expected one of {', '.join(known)}. Mend it.")
    if channels < 1:
        raise InputError(f"channels is {channels}; at least 1 is expected. Give a positive number.")
    unet = sm.Unet(backbone, input_shape=(None, None, channels), encoder_weights=None)
    maps, before = (unet.get_layer(name).output for name in (LAST, BEFORE_LAST))
    output = with_heads(
        maps, before if auxiliary else None, head=head, width=width, num_classes=num_classes, dropout=dropout
    )
    return keras.Model(unet.inputs, output, name="unet_heads")
