"""The door to TensorFlow: everything behind it is Keras 2, or an error says what to do."""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(code: str, **variables: str) -> subprocess.CompletedProcess:
    hidden = ("TF_USE_LEGACY_KERAS", "SM_FRAMEWORK")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**environment, **variables}, capture_output=True, text=True, check=False,
    )


def test_behind_the_door_segmentation_models_builds_keras_2_models_that_save_to_h5(tmp_path):
    done = run(
        "import json, sys\n"
        "from mstl._keras import keras, sm, tf\n"
        "model = sm.Unet('resnet34', encoder_weights=None, input_shape=(32, 32, 3))\n"
        f"model.save_weights({str(tmp_path / 'w.h5')!r})\n"
        "print(json.dumps([keras.__name__, tf.keras.Model is keras.Model, isinstance(model, keras.Model),\n"
        "                  type(model).__module__.split('.')[0]]))\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, "importing prints"
    name, same, ours, family = json.loads(done.stdout)
    assert name.startswith("tf_keras")
    assert same
    assert ours
    assert family == "tf_keras"
    assert (tmp_path / "w.h5").stat().st_size > 1 << 20


def test_where_keras_3_came_first_an_error_says_what_to_do():
    done = run(
        "import tensorflow as tf\n"
        "tf.keras.__name__\n"
        "from mstl.errors import InputError\n"
        "try:\n"
        "    import mstl._keras\n"
        "except InputError as error:\n"
        "    print(error)\n",
        TF_USE_LEGACY_KERAS="0",
    )
    assert done.returncode == 0, done.stderr
    assert "Keras 3" in done.stdout
    assert "set TF_USE_LEGACY_KERAS=1 before Python starts" in done.stdout
    assert done.stdout.count("\n") == 1
