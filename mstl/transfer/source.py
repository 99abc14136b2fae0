"""The file of weights that a word means: a path, the folder of a run, a published name, imagenet."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mstl.errors import InputError
from mstl.transfer.registry import Weights, fetch, registry, weights_named

IMAGENET = "imagenet"
IMAGENET_ENCODERS = {"unet-resnet34": "imagenet-resnet34"}  # model -> weights of its encoder
BEST = "best.h5"  # of a run


@dataclass(frozen=True)
class Source:
    """A file of weights, and its entry in the registry where it has one."""

    path: Path
    entry: Weights | None = None

    @property
    def include(self) -> str | None:
        """The scope worth loading; None: everything."""
        return (self.entry and self.entry.include) or None


def find_source(word: str, *, model_name: str = "") -> Source:
    """The file that `word` means; a published one is fetched if need be.

    A file or folder of that name comes first; of a folder, as that of a run, its best weights. "imagenet" is the
    encoder that belongs to the model `model_name`. Raises `InputError` where it means nothing, and as `fetch` does.
    """
    path = Path(word)
    if path.is_dir():
        if not (path / BEST).is_file():
            raise InputError(f"Folder {path} holds no {BEST}; a run has one. Give a run's folder or a file of weights.")
        return Source(path / BEST)
    if path.exists():
        return Source(path)
    entry = _published(word, model_name)
    return Source(fetch(entry.name), entry)


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
