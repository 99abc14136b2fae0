"""A prior of 3x3x3 kernels: one autoencoder a group of layers, and what it was learned from; one file."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.files import whole_h5
from mstl.models.kernel_groups import kernel_groups
from mstl.models.kernel_vae import KERNEL_SHAPE, KernelVAE, kernel_vae
from mstl.models.tree import tensors_of

PRIOR = "prior.h5"  # in a folder of 'mstl pretrain kernel-prior'
FORMAT, VERSION = "mstl kernel prior", 1
SAMPLING_BATCH = 1024


@dataclass(frozen=True, eq=False)
class GroupPrior:
    """The prior of one group: `layers` that it was learned from, and the autoencoder of their kernels over `scale`.

    `scale` brings kernels to the unit scale of the autoencoder, whose means are in (-1, 1): see `unit_scale`.
    `examples`, float32 `(n, 3, 3, 3)` in the scale of the networks, are kernels that it did not learn from, to be seen
    beside samples.
    """

    layers: tuple[str, ...]
    scale: float
    vae: KernelVAE
    examples: np.ndarray = field(default_factory=lambda: np.zeros((0, *KERNEL_SHAPE), np.float32))


@dataclass(frozen=True, eq=False)
class KernelPrior:
    """Priors of the 3x3x3 kernels of a network by the names of `kernel_groups`; `provenance` says what they are from.

    Source: Atanov et al. 2018, arXiv 1810.06943.
    """

    groups: Mapping[str, GroupPrior]
    provenance: Mapping[str, object] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write it as one HDF5 file, whole or not at all."""
        with whole_h5(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs.update({"format": FORMAT, "version": VERSION, "provenance": json.dumps(dict(self.provenance))})
            for name, group in self.groups.items():
                place = file.create_group(f"groups/{name}")
                place.attrs["prior"] = json.dumps(_described(group))
                place["examples"] = group.examples
                for part, model in _halves(group.vae).items():
                    for key, tensor in tensors_of(model).items():
                        place[f"{part}/{key}"] = tensor.value.numpy()
            file.attrs["groups"] = list(self.groups)  # in the order of the data, which HDF5 does not keep

    @classmethod
    def load(cls, path: str | Path) -> KernelPrior:
        """Read what `save` wrote; `path` may be a folder that holds it as prior.h5.

        Raises `InputError` where there is none, and for a file that is damaged, of a newer mstl or something else.
        """
        path = Path(path)
        path = path / PRIOR if path.is_dir() else path
        if not path.is_file():
            raise InputError(f"{path} does not exist. Give a prior or the folder of 'mstl pretrain kernel-prior'.")
        try:
            with h5py.File(path, "r") as file:
                _check_format(file, path)
                groups = {str(name): _read_group(file["groups"][name]) for name in file.attrs["groups"]}
                return cls(groups, json.loads(file.attrs["provenance"]))
        except InputError:
            raise
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"Prior {path} is damaged ({reason}). Copy it again, or make one with 'mstl pretrain kernel-prior'."
            ) from error

    def sample(self, group: str, count: int, *, seed: int) -> np.ndarray:
        """Draw `count` kernels of a group: float32 `(count, 3, 3, 3)` in the scale of the networks.

        Raises `InputError` for a group that it has not, or a count below 1.
        """
        if group not in self.groups:
            raise InputError(f"This prior has no group '{group}'. Its groups are {', '.join(self.groups)}.")
        if count < 1:
            raise InputError(f"count is {count}; at least 1 is expected.")
        prior, rng = self.groups[group], np.random.default_rng(seed)
        codes = rng.standard_normal((count, prior.vae.latent), dtype=np.float32)
        batches = [prior.vae.decoder(codes[at : at + SAMPLING_BATCH]) for at in range(0, count, SAMPLING_BATCH)]
        mean, log_variance = (np.concatenate(parts)[..., 0] for parts in zip(*batches, strict=True))
        noise = rng.standard_normal((count, *KERNEL_SHAPE), dtype=np.float32)
        return np.float32(prior.scale) * (mean + np.exp(log_variance / 2) * noise)

    def check_groups(self, model: keras.Model) -> None:
        """Raise `InputError` where the 3x3x3 convolutions of `model` are other groups than those of this prior.

        Names must agree; how many layers and kernels a group has may differ.
        """
        wanted = kernel_groups(model)
        lacking = [name for name in wanted if name not in self.groups]
        beyond = [name for name in self.groups if name not in wanted]
        if lacking or beyond:
            differs = {"lacks": lacking, "has more": beyond}
            what = ", and ".join(f"it {how}: {', '.join(names)}" for how, names in differs.items() if names)
            raise InputError(
                f"This prior is made for other groups of layers than model '{model.name}' has: {what}. "
                "Give one of networks of as many levels, or make it with 'mstl pretrain kernel-prior'."
            )


def unit_scale(kernels: np.ndarray) -> float:
    """What kernels are divided by so that 999 of 1000 elements lie in the (-0.95, 0.95) that a tanh reaches easily.

    Kernels `(n, 3, 3, 3)`. A quantile, as the few largest elements of a trained network are far out.
    """
    return float(np.quantile(np.abs(kernels), 0.999) / 0.95)


def _halves(vae: KernelVAE) -> dict[str, keras.Model]:
    return {"encoder": vae.encoder, "decoder": vae.decoder}


def _described(group: GroupPrior) -> dict:
    return {
        "layers": list(group.layers),
        "scale": float(group.scale),
        "latent": group.vae.latent,
        "log_variance_range": list(group.vae.log_variance_range),
    }


def _check_format(file: h5py.File, path: Path) -> None:
    if file.attrs.get("format") != FORMAT:
        raise InputError(f"{path} is no prior of kernels. Give one that 'mstl pretrain kernel-prior' wrote.")
    if (version := file.attrs["version"]) != VERSION:
        raise InputError(f"Prior {path} is of version {version}; this mstl reads {VERSION}. Update mstl.")


def _read_group(place: h5py.Group) -> GroupPrior:
    about = json.loads(place.attrs["prior"])
    vae = kernel_vae(latent=about["latent"], log_variance_range=about["log_variance_range"])
    for part, model in _halves(vae).items():
        for key, tensor in tensors_of(model).items():
            values = place[f"{part}/{key}"][()]
            if not np.isfinite(values).all():
                raise ValueError(f"numbers that are not finite in {part}/{key}")
            tensor.value.assign(tf.constant(values, tensor.value.dtype))
    return GroupPrior(tuple(about["layers"]), float(about["scale"]), vae, place["examples"][()])
