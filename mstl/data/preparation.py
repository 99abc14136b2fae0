"""What `prepare` is asked to do: its parameters, checked."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import prod
from pathlib import Path

import numpy as np

from mstl.data.brain import METHODS
from mstl.data.case import nearest
from mstl.data.labels import checked_labels, shown
from mstl.data.normalise import NORMALISATIONS
from mstl.data.nyul import PERCENTILES
from mstl.errors import InputError

STEPS: dict[str, str] = {
    "regrid": "scans on several grids are brought onto the reference's, by the scanner's coordinates",
    "coregister": "the same after a rigid registration of each scan to the reference",
    "brain": "brain extraction",
    "n4": "N4 bias field correction within the brain",
    "mni": "affine registration to the MNI152 template",
}

NYUL = "nyul"
MOST_VOXELS = 1 << 31  # of a grid; more is a slip in spacing or shape, and no machine's memory


@dataclass(frozen=True)
class Preparation:
    """Parameters of `prepare`.

    modalities: channels, in order; the first one is the reference, whose grid predictions return to.
    spacing: mm along D, H, W; None keeps the scanner's own.
    shape: voxels (D, H, W); None takes the brain's bounding box, H and W rounded up to multiples of 32. Two numbers are
    H, W of one slice: pictures are stretched to them, where a brain is set into the middle of its shape.
    steps: what is done first, names of `STEPS`; they run in the order of `STEPS`, whatever the order given.
    brain: how the step "brain" finds the brain of a case without a brain mask, a name of `brain.METHODS`.
    normalise: "max", "minmax", "zscore" or "percentile", within the brain; "imagenet" takes 8-bit greys as ImageNet's;
    "nyul" standardises histograms.
    landmarks: with "nyul" the scale of each modality, 11 rising numbers; None learns it from the cohort.
    binarise_masks: cut soft masks at 0.5. resample_masks: accept masks on a grid that no scan of the case has.
    labels: values of the masks in the order of classes 1, 2, ..., as (1, 2, 4) of BraTS; () for masks of 0 and 1.
    """

    modalities: tuple[str, ...]
    spacing: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None
    steps: tuple[str, ...] = ()
    brain: str = "auto"
    normalise: str = "zscore"
    landmarks: Mapping[str, Sequence[float]] | None = None
    binarise_masks: bool = False
    resample_masks: bool = False
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))
        object.__setattr__(self, "spacing", _three(self.spacing, "spacing", float))
        object.__setattr__(self, "shape", _three(_of_one_slice(self.shape), "shape", int))
        if self.shape and prod(self.shape) > MOST_VOXELS:
            raise InputError(f"shape is {self.shape}, more than {MOST_VOXELS} voxels. Ask for a smaller --shape.")
        object.__setattr__(self, "steps", _ordered(self.steps))
        if self.brain not in METHODS:
            raise InputError(f"Brain extraction '{self.brain}' is unknown. Choose one of {', '.join(METHODS)}.")
        if not self.modalities:
            raise InputError("The cases have no modality in common. Name at least one: --modalities flair.")
        if len(set(self.modalities)) < len(self.modalities):
            raise InputError(f"Modalities {', '.join(self.modalities)} name one twice. Name each once.")
        known = (*NORMALISATIONS, NYUL)
        if self.normalise not in known:
            raise InputError(f"Normalisation '{self.normalise}' is unknown. Choose one of {', '.join(known)}.")
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", self._checked_landmarks())
        object.__setattr__(self, "labels", checked_labels(self.labels))
        if self.labels and self.binarise_masks:
            raise InputError(
                f"Labels {shown(self.labels)} keep the classes of masks, binarise_masks makes one of all. Ask for one "
                "of both: --labels or --binarise-masks."
            )

    @classmethod
    def of_record(cls, record: Mapping, *, source: str | Path) -> Preparation:
        """The parameters in a `preparation.json`; those that an older mstl did not know have their defaults.

        Raises `InputError` that names `source` where there are others, or no modalities.
        """
        unknown = sorted(set(record).difference(field.name for field in fields(cls)))
        if unknown or "modalities" not in record:
            wrong = f"{', '.join(unknown)}, which this mstl does not know" if unknown else "no modalities"
            raise InputError(f"{source} was prepared with {wrong}. Prepare it again, or install the mstl that made it.")
        return cls(**record)

    def to_record(self) -> dict:
        """The parameters as a `preparation.json` holds them; without labels as it was before there were any."""
        record = asdict(self)
        return record if self.labels else {name: value for name, value in record.items() if name != "labels"}

    @property
    def learns_scale(self) -> bool:
        """Whether the scale of the histograms is still to be learned."""
        return self.normalise == NYUL and self.landmarks is None

    def _checked_landmarks(self) -> dict[str, tuple[float, ...]]:
        if self.normalise != NYUL:
            raise InputError(f"Landmarks were given, but normalisation '{self.normalise}' has none. Use '{NYUL}'.")
        for name in self.modalities:
            scale = np.asarray(self.landmarks.get(name, ()), dtype=float)
            if scale.shape != (len(PERCENTILES),) or not np.all(np.diff(scale) >= 0) or scale[0] == scale[-1]:
                raise InputError(
                    f"The landmarks of {name} are {self.landmarks.get(name)}; {len(PERCENTILES)} rising numbers are "
                    f"expected, such as those in the preparation.json of a folder prepared by '{NYUL}'."
                )
        return {name: tuple(float(value) for value in self.landmarks[name]) for name in self.modalities}


def _ordered(steps: Iterable[str]) -> tuple[str, ...]:
    """The steps in the order in which they run, each once."""
    steps = tuple(steps)
    for name in steps:
        if name not in STEPS:
            raise InputError(f"Step '{name}' is unknown{nearest(name, tuple(STEPS))}. Choose of {', '.join(STEPS)}.")
    return tuple(name for name in STEPS if name in steps)


def _of_one_slice(shape):
    """A shape of two numbers, H and W, as that of one slice; any other as it is."""
    return (1, *shape) if isinstance(shape, Sequence) and len(shape) == 2 else shape


def _three(value, name: str, kind: type) -> tuple | None:
    """One number for all axes or three of them, all positive."""
    if value is None:
        return None
    numbers = (value,) * 3 if isinstance(value, (int, float)) else tuple(value)
    numbers = numbers * 3 if len(numbers) == 1 else numbers
    if len(numbers) != 3 or not all(0 < number < np.inf for number in numbers):
        raise InputError(f"{name} is {value}; one or three positive numbers (D, H, W) are expected.")
    return tuple(kind(number) for number in numbers)
