"""Builders of networks: functions that return a `keras.Model`."""
from mstl.models import pix2pix
from mstl.models.recipes import build_model, recipe_of, takes
from mstl.models.unet2d import unet_resnet34
from mstl.models.unet_small import unet_small

__all__ = ["build_model", "pix2pix", "recipe_of", "takes", "unet_resnet34", "unet_small"]
