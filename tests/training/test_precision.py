"""Mixed precision: heads, losses and weights stay float32, and everything is as before behind a training."""
import json

import numpy as np
import pytest

from mstl._keras import keras
from mstl.config import Experiment
from mstl.errors import InputError
from mstl.models.recipes import BUILDERS, build_model, takes
from mstl.training.experiment import train_experiment
from mstl.training.fit import fit
from mstl.training.precision import precision
from mstl.training.run import Run
from mstl.training.state import load_state, save_state

SMALL = {"width": 2, "depth": 1}


@pytest.mark.parametrize("name", BUILDERS)
def test_every_builder_computes_in_the_policy_and_gives_float32(name):
    options = {key: value for key, value in {"channels": 1, "width": 2}.items() if takes(name, key)}
    with precision("mixed_float16"):
        model = build_model(name, **options)
    assert keras.mixed_precision.global_policy().name == "float32"
    assert model.compute_dtype == "float16"
    assert model.output.dtype == "float32"
    assert {weight.dtype.name for weight in model.weights} == {"float32"}


def test_a_training_in_mixed_precision_is_noted_and_predicts_in_float32(prepared, tmp_path):
    settings = {
        "prepared": str(prepared.folder), "model": "unet-small", "model_options": SMALL, "augment": "none", "epochs": 1,
        "batch_size": 4, "steps_per_epoch": 2, "precision": "mixed_bfloat16", "train_subjects": ("s0", "s1"),
    }  # fmt: skip
    run = train_experiment(Experiment(**settings), out=tmp_path / "run")
    assert run.experiment.precision == "mixed_bfloat16"
    assert json.loads((run.folder / "environment.json").read_text())["distribution"]["precision"] == "mixed_bfloat16"
    assert np.isfinite(run.history["loss"]).all()
    model = Run(run.folder).model()
    assert model.dtype_policy.name == "float32"
    assert np.isfinite(model(np.ones((1, 32, 32, 2), np.float32))).all()


def test_a_state_brings_the_loss_scale_back(tmp_path):
    def build():
        with precision("mixed_float16"):
            model = build_model("unet-small", channels=1, seed=0, **SMALL)
        model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=True)
        return model

    model, other = build(), build()
    model.train_on_batch(np.full((1, 2, 2, 1), 1e4, np.float32), np.full((1, 2, 2, 1), 1e7, np.float32))
    scale = float(model.optimizer.loss_scale)
    assert scale < float(other.optimizer.loss_scale)
    save_state(tmp_path / "state.h5", model, [])
    load_state(tmp_path / "state.h5", other)
    assert float(other.optimizer.loss_scale) == scale
    assert int(other.optimizer.dynamic_counter) == int(model.optimizer.dynamic_counter)


def test_a_model_built_in_another_precision_is_refused(prepared, small_model, tmp_path):
    with pytest.raises(InputError, match=r"precision is mixed_bfloat16, but model '.*' was built in float32"):
        fit(small_model(), prepared.select(["s0"]), out=tmp_path / "run", precision="mixed_bfloat16")
    assert not (tmp_path / "run").exists()


def test_an_unknown_precision_is_refused_and_the_policy_stays():
    with pytest.raises(InputError, match="precision is 'int8'"), precision("int8"):
        pass
    with pytest.raises(RuntimeError), precision("mixed_bfloat16"):
        raise RuntimeError
    assert keras.mixed_precision.global_policy().name == "float32"
