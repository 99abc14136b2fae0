"""Folders of runs that nobody trained: a small network with the weights that it was drawn with."""
from collections.abc import Callable
from pathlib import Path

import pytest

from mstl.files import write_json


@pytest.fixture(scope="session")
def write_run() -> Callable:
    """Function that writes such a folder for the preparation of prepared cases and returns its path."""

    def write(folder: Path, preparation: dict, *, model: str = "unet-small", **settings) -> Path:
        from mstl.config import Experiment
        from mstl.training.build import build_for
        from mstl.training.state import save_weights

        experiment = Experiment(model=model, **settings)
        folder.mkdir(parents=True)
        experiment.save(folder / "experiment.yaml")
        write_json(folder / "preparation.json", preparation)
        save_weights(folder / "best.h5", build_for(experiment, preparation, seed=0))
        return folder

    return write


@pytest.fixture(scope="session")
def small_run(write_run, tiny_prepared, tmp_path_factory) -> Path:
    """A run of a 2D network of two channels on the tiny heads. Read only."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return write_run(folder, tiny_prepared.preparation, model_options={"width": 2, "depth": 2})
