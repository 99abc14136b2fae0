"""The one door to TensorFlow, Keras 2 and segmentation-models.

segmentation-models 1.0.1 and every `.h5` of the published systems are Keras 2. Two environment variables,
set before `tf.keras` is first touched, make all of them agree on tf-keras. Every other module imports
`tf`, `keras` and `sm` from here.
"""
import os
from contextlib import redirect_stdout

from mstl.errors import InputError

os.environ.update(TF_USE_LEGACY_KERAS="1", SM_FRAMEWORK="tf.keras")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402

keras = tf.keras
if not keras.__name__.startswith("tf_keras"):
    raise InputError(
        f"tf.keras is already {keras.__name__} (Keras 3), mstl needs Keras 2. Import mstl._keras before "
        "tf.keras is first used, or set TF_USE_LEGACY_KERAS=1 before Python starts."
    )

# Dropout and its kin draw from a tf.random.Generator that can be set, so a resumed training goes on exactly.
keras.backend.experimental.enable_tf_random_generator()

with open(os.devnull, "w") as _nowhere, redirect_stdout(_nowhere):
    import segmentation_models as sm  # prints its framework on import

__all__ = ["keras", "sm", "tf"]
