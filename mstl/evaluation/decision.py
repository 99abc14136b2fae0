"""From probabilities to a mask: a threshold or the most probable class, the clean-up, the labels' own values."""
from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from mstl.data.labels import shown, to_labels
from mstl.errors import InputError
from mstl.evaluation.cleanup import NO_CLEAN_UP, CleanUp
from mstl.evaluation.predictor import LESION
from mstl.evaluation.threshold import apply_threshold
from mstl.training.run import Run


@dataclass(frozen=True)
class Decision:
    """How probabilities become a mask.

    Up to two classes a voxel is lesion from `threshold` on; above, where `threshold` is None, it is of the most
    probable class. Then `clean_up` drops components. `labels` are the values of classes 1, 2, ... in the mask; () is 1.
    """

    threshold: float | None
    clean_up: CleanUp = NO_CLEAN_UP
    labels: tuple[int, ...] = ()

    @classmethod
    def of_run(cls, run: Run, *, classes: int, threshold: float | None = None) -> Decision:
        """The decision for a run whose model gives `classes` probabilities a voxel.

        Threshold and clean-up are those that were chosen together on validation cases; a `threshold` that is given
        stands without a clean-up. Labels are those of the run's preparation, or the numbers of the classes.
        Raises `InputError` for a threshold outside (0, 1), one that is given for several classes, and where the
        preparation has another number of labels than the model of classes.
        """
        labels, clean_up = tuple(run.preparation.get("labels") or ()), CleanUp(**run.clean_up)
        if classes > 2:
            if threshold is not None:
                raise InputError(
                    f"A threshold of {threshold} was given, but run {run.folder} tells {classes} classes apart, of "
                    "which the most probable is taken. Leave the threshold out."
                )
            if labels and len(labels) != classes - 1:
                raise InputError(
                    f"Run {run.folder} has {classes} classes with the background, but its data were prepared with "
                    f"labels {shown(labels)}. Train it again with num_classes: {len(labels) + 1}."
                )
            return cls(None, clean_up, labels or tuple(range(1, classes)))
        clean_up = clean_up if threshold is None else NO_CLEAN_UP
        threshold = run.threshold if threshold is None else threshold
        if not 0 < threshold < 1:
            raise InputError(f"Threshold is {threshold}; a probability between 0 and 1 is expected.")
        return cls(threshold, clean_up, labels if len(labels) == 1 else ())

    def __call__(self, probability: np.ndarray, *, voxel_ml: float) -> np.ndarray:
        """The mask uint8 `(i, j, k)` of probabilities `(i, j, k, K)` with voxels of `voxel_ml`."""
        if self.threshold is None:
            classes = probability.argmax(axis=-1).astype(np.uint8)
        else:
            classes = apply_threshold(probability[..., LESION], self.threshold)
        return to_labels(self.clean_up(classes, voxel_ml=voxel_ml), self.labels)

    def to_record(self) -> dict:
        """What a prediction's .json says of it."""
        labels = {"labels": self.labels} if self.labels else {}
        return {"threshold": self.threshold, **asdict(self.clean_up), **labels}
