"""The one door to TensorFlow, Keras 2 and segmentation-models.

segmentation-models 1.0.1 and every `.h5` of the published systems are Keras 2. Two environment variables,
set before `tf.keras` is first touched, make all of them agree on tf-keras. Every other module imports
`tf`, `keras`, `sm` and `xplane_pb2` from here.
"""
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from mstl.errors import InputError

os.environ.update(TF_USE_LEGACY_KERAS="1", SM_FRAMEWORK="tf.keras")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what C++ writes to stderr, which no Python setting reaches; give it out where the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


with _without_chatter():
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # the form of the profiler's traces

    keras = tf.keras

if not keras.__name__.startswith("tf_keras"):
    raise InputError(
        f"tf.keras is already {keras.__name__} (Keras 3), mstl needs Keras 2. Import mstl._keras before "
        "tf.keras is first used, or set TF_USE_LEGACY_KERAS=1 before Python starts."
    )

# Dropout and its kin draw from a tf.random.Generator that can be set, so a resumed training goes on exactly.
keras.backend.experimental.enable_tf_random_generator()

with _without_chatter(), open(os.devnull, "w") as _nowhere, redirect_stdout(_nowhere):
    import segmentation_models as sm  # prints its framework on import

__all__ = ["keras", "sm", "tf", "xplane_pb2"]
