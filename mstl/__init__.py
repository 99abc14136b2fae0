"""mstl: MRI lesion segmentation by transfer learning.

Names load on first use, so that `import mstl` is quick and starts no TensorFlow.
"""
from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Case": "mstl.data.cohort",
    "Checkpoint": "mstl.transfer.checkpoint",
    "Cohort": "mstl.data.cohort",
    "Experiment": "mstl.config",
    "ImageDataAugmentor": "mstl.data.augment",
    "InputError": "mstl.errors",
    "PatchSequence": "mstl.data.sequences",
    "PreparedCohort": "mstl.data.prepared",
    "Run": "mstl.training.run",
    "SliceSequence": "mstl.data.sequences",
    "check_cohort": "mstl.data.check",
    "choose_threshold": "mstl.evaluation.threshold",
    "convert": "mstl.data.convert",
    "evaluate": "mstl.evaluation.evaluate",
    "extract_brain": "mstl.data.brain",
    "fit": "mstl.training.fit",
    "freeze": "mstl.transfer.freezing",
    "plan_transfer": "mstl.transfer.plan",
    "predict": "mstl.evaluation.predict",
    "prepare": "mstl.data.prepare",
    "thesis_augmentation": "mstl.data.augment",
    "to_native": "mstl.data.prepared",
    "transfer_weights": "mstl.transfer.plan",
    "write_phantoms": "mstl.data.phantom",
    "write_report": "mstl.reporting.page",
}
_SUBPACKAGES = ("data", "evaluation", "models", "reporting", "training", "transfer")

__all__ = ["__version__", *_HOMES, *_SUBPACKAGES]


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"mstl.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mstl' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
