"""Builders of networks: functions that return a `keras.Model`."""
from mstl.models import pix2pix
from mstl.models.bayesian_unet3d import bayesian_unet3d, draw_weights, mean_network
from mstl.models.recipes import build_model, recipe_of, takes
from mstl.models.segnet import segnet
from mstl.models.unet2d import unet_resnet34
from mstl.models.unet3d import classic_unet3d, residual_unet3d
from mstl.models.unet_heads import unet_heads
from mstl.models.unet_s5 import unet_s5, unet_s5_generator
from mstl.models.unet_small import unet_small

__all__ = [
    "bayesian_unet3d",
    "build_model",
    "classic_unet3d",
    "draw_weights",
    "mean_network",
    "pix2pix",
    "recipe_of",
    "residual_unet3d",
    "segnet",
    "takes",
    "unet_heads",
    "unet_resnet34",
    "unet_s5",
    "unet_s5_generator",
    "unet_small",
]
