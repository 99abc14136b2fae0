"""The study of the deep weight prior by commands, on tiny heads: a source, and four methods that begin with it."""
from pathlib import Path

import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.kernel_groups import kernel_groups
from mstl.models.kernel_prior import PRIOR, GroupPrior, KernelPrior
from mstl.models.kernel_vae import kernel_vae
from mstl.models.tree import layers_of
from mstl.training.run import Run
from tests.gans import eager

STUDY = Path(__file__).parents[2] / "configs" / "dwp-study.yaml"
TINY = (
    "model_options={num_classes: 2, filters: [2, 3, 3, 4]}", "epochs=1", "steps_per_epoch=1", "train_subjects=s0,s1",
    "validation_subjects=s2",
)  # fmt: skip


@pytest.fixture(scope="module")
def heads(tmp_path_factory, make_case) -> Path:
    """Folder of three tiny heads, prepared as whole volumes."""
    folder = tmp_path_factory.mktemp("study")
    cohort = Cohort([make_case(folder, f"s{number}", seed=number) for number in range(3)])
    return prepare(cohort, folder / "prepared", modalities=("flair",), shape=(16, 16, 16), spacing=2.0).folder


@pytest.fixture
def train(mstl, heads):
    """Function that trains a strategy of the study into a folder and returns its run."""

    def call(strategy: str, out: Path, *changes: str) -> Run:
        settings = [word for change in (*TINY, f"prepared={heads}", *changes) for word in ("--set", change)]
        with eager():
            code, _, error = mstl("train", STUDY, "--strategy", strategy, "--out", out, *settings)
        assert code == 0, error
        return Run(out)

    return call


def prior_of(run: Run) -> KernelPrior:
    """A prior for the network of `run` that has learned nothing yet."""
    groups = kernel_groups(run.model())
    return KernelPrior({name: GroupPrior(layers, 0.1, kernel_vae()) for name, layers in groups.items()})


def kept(run: Run, source: Run) -> set[str]:
    """Paths of the layers that end with weights of the source."""
    ours, theirs = (layers_of(one.model(which)) for one, which in ((run, "last"), (source, "best")))
    return {path for path, layer in ours.items() if layer.weights and equal(layer, theirs[path])}


def equal(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_every_method_of_the_study_trains_from_its_config(train, tmp_path):
    source = train("source", tmp_path / "source", "epochs=2")
    assert [path.name for path in source.minima] == ["minimum1.h5", "minimum2.h5"]
    tuned, middle = (train(name, tmp_path / name, f"init={source.folder}") for name in ("pr", "prf"))
    assert kept(tuned, source) == set()
    assert {"encoder2_block2_conv1", "encoder4_block1_conv1", "decoder2_reduce"} <= kept(middle, source)
    assert not {"encoder1_conv", "encoder2_block1_conv1", "decoder3_reduce", "final_conv"} & kept(middle, source)
    prior_of(source).save(tmp_path / "prior" / PRIOR)
    bayesian = train("dwp", tmp_path / "dwp", f"prior={tmp_path / 'prior'}", "prior_kernels=16")
    assert bayesian_layers(bayesian.model("last"))
    assert {"loss", "val_dice", "kl"} <= set(bayesian.history.columns)
