"""The file of weights that a word means: a path, the folder of a run, a published name, imagenet."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mstl.data.prepared import PREPARATION
from mstl.errors import InputError
from mstl.files import read_json
from mstl.settings import PRETRAINING, read_yaml
from mstl.transfer.checksums import check_whole
from mstl.transfer.registry import Weights, fetch, registry, weights_named

IMAGENET = "imagenet"
IMAGENET_ENCODERS = {  # by model
    "unet-resnet34": "imagenet-resnet34",
    "unet-heads": "imagenet-resnet34",
    "segnet": "imagenet-vgg16",
}
CONVOLUTIONS = (  # of VGG16, as Keras names them, and how SegNet does; old files count variables: block1_conv1_W_1
    (r"^block(\d)_conv(\d)/(kernel|block.*_W(_\d)?)$", r"encoder\1_conv\2/kernel"),
    (r"^block(\d)_conv(\d)/(bias|block.*_b(_\d)?)$", r"encoder\1_conv\2/bias"),
)
FITTED = {("segnet", "imagenet-vgg16"): (r"^encoder\d_conv", CONVOLUTIONS)}  # (model, weights) -> their include, rename
BEST, EXPERIMENT = "best.h5", "experiment.yaml"  # of a run
GAN = "gan"  # kind of pretraining
SCOPES = {"pix2pix": "encoder", "unet-s5": ("encoder", "decoder")}  # generator -> what of it is worth having for others


@dataclass(frozen=True)
class Source:
    """A file of weights, its entry in the registry where it has one, and what is known of its training.

    `include` is the scope worth loading (None: everything), `rename` leads to it by pairs (regex, replacement) where
    the model names its layers otherwise; `modalities` and `normalise` say of what images and how
    prepared, `subjects` of whom, `activation` and `norm_mode` how a GAN's generator was built; they are empty where
    nothing is known.
    """

    path: Path
    entry: Weights | None = None
    include: str | tuple[str, ...] | None = None
    rename: tuple[tuple[str, str], ...] = ()
    modalities: tuple[str, ...] = ()
    normalise: str = ""
    subjects: tuple[str, ...] = ()
    activation: str = ""
    norm_mode: str = ""

    def completed(self, options: Mapping) -> dict:
        """Options of `mstl.transfer.plan.plan_transfer`, with the source's own where they say nothing else."""
        own = {"include": self.include, "rename": self.rename}
        return {**options, **{name: options.get(name) or value for name, value in own.items()}}


def find_source(word: str, *, model_name: str = "") -> Source:
    """The file that `word` means; a published one is fetched if need be.

    A file or folder of that name comes first; of a folder, as that of a run, its best weights, and of a pretrained
    GAN the encoder alone (of a U-Net S5 the decoder too), but all where `model_name` is its generator. "imagenet" is
    the encoder that belongs to the model `model_name`. Raises `InputError` where it means nothing or the run's own
    records are damaged, or files of an exported run, and as `fetch` does.
    """
    path = Path(word)
    if path.is_dir():
        return _of_run(path, model_name)
    if path.exists():
        return Source(path)
    entry = _published(word, model_name)
    include, rename = FITTED.get((model_name, entry.name), (entry.include or None, ()))
    return Source(fetch(entry.name), entry, include=include, rename=rename, modalities=entry.modalities)


def _of_run(folder: Path, model_name: str) -> Source:
    if not (folder / BEST).is_file():
        raise InputError(f"Folder {folder} holds no {BEST}; a run has one. Give a run's folder or a file of weights.")
    check_whole(folder)
    experiment = read_yaml(folder / EXPERIMENT) if (folder / EXPERIMENT).exists() else {}
    preparation = read_json(folder / PREPARATION) if (folder / PREPARATION).exists() else {}
    generator = experiment.get("generator", "pix2pix") if experiment.get(PRETRAINING) == GAN else ""
    return Source(
        folder / BEST,
        include=None if model_name == f"{generator}-generator" else SCOPES.get(generator),
        modalities=tuple(preparation.get("modalities", ())),
        normalise=preparation.get("normalise", ""),
        subjects=tuple(map(str, experiment.get("train_subjects", ()))),
        activation=experiment.get("activation", ""),
        norm_mode=experiment.get("norm_mode", ""),
    )


def _published(word: str, model_name: str) -> Weights:
    if word == IMAGENET:
        if model_name not in IMAGENET_ENCODERS:
            known = ", ".join(IMAGENET_ENCODERS)
            raise InputError(f"No ImageNet weights belong to model '{model_name}', only to {known}. Choose others.")
        return weights_named(IMAGENET_ENCODERS[model_name])
    if word not in registry():
        known = ", ".join([IMAGENET, *registry()])
        raise InputError(f"Weights '{word}' are no file, no run and none of {known}. Check the path.")
    return weights_named(word)
