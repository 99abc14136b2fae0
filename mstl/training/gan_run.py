"""The folder of one pre-training: what `mstl pretrain gan` leaves behind."""
from __future__ import annotations

from mstl._keras import keras
from mstl.config_gan import GanExperiment
from mstl.files import read_json
from mstl.models.pix2pix import generator
from mstl.models.unet_s5 import unet_s5_generator
from mstl.training.run import RunFolder
from mstl.transfer.plan import transfer_weights

BASELINES = "baselines.json"


class GanRun(RunFolder):
    """A finished or interrupted pre-training; `init` of an experiment takes its folder."""

    settings = GanExperiment

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """hidden_mae and hidden_ssim of "mean_fill" and "gaussian" on the validation slices; empty without those."""
        path = self.folder / BASELINES
        return read_json(path) if path.exists() else {}

    def generator(self, which: str = "best") -> keras.Model:
        """The generator with its "best" or "last" weights; sides: multiples of `experiment.side_multiple`."""
        model = build_generator(self.experiment, channels=len(self.preparation["modalities"]))
        transfer_weights(self.weights(which), model)
        return model


def build_generator(settings: GanExperiment, *, channels: int) -> keras.Model:
    """The generator that restores images of so many channels, as `settings` have it."""
    if settings.generator == "unet-s5":
        look = {"width": settings.width, "activation": settings.activation}
        return unet_s5_generator(channels=channels, out_channels=channels, **look)
    return generator(
        image_shape=(None, None, channels),
        out_channels=channels,
        width=settings.width,
        activation=settings.activation,
        norm_mode=settings.norm_mode,
        dropout=settings.dropout,
    )
