"""Eight small heads, prepared, and studies of them that take seconds."""
from pathlib import Path

import pytest

from mstl.compare.study import Study
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort
from tests.training.conftest import write_cohort

EXPERIMENT = {
    "model": "unet-small", "model_options": {"width": 2}, "epochs": 2, "steps_per_epoch": 1, "batch_size": 2,
    "validation_steps": 1, "augment": "none", "crop": 16,
}  # fmt: skip


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Cohort:
    return write_cohort(tmp_path_factory.mktemp("scans"), subjects=8)


@pytest.fixture(scope="session")
def prepared(cohort, tmp_path_factory) -> PreparedCohort:
    return prepare(cohort, tmp_path_factory.mktemp("data") / "prepared", modalities=("flair", "t1"))


@pytest.fixture(scope="session")
def other(tmp_path_factory, make_case) -> PreparedCohort:
    """Three heads of another hospital, as a source."""
    folder = tmp_path_factory.mktemp("other")
    cases = [make_case(folder, f"h{number}", seed=number) for number in range(3)]
    return prepare(Cohort(cases), folder / "prepared", modalities=("flair", "t1"))


@pytest.fixture
def values(prepared, cohort) -> dict:
    """Settings of a study: two folds, two sizes, one seed."""
    return {
        "prepared": str(prepared.folder),
        "cohort": str(Path(cohort[0].images["flair"]).parent / "cohort.csv"),
        "sizes": [1, "all"],
        "folds": 2,
        "experiment": EXPERIMENT,
        "strategies": {"scratch": {}, "locked": {"init": "others", "freeze": "encoder"}},
        "sources": {"others": {"prepared": "elsewhere", **EXPERIMENT, "epochs": 1}},
    }


@pytest.fixture
def study_of(values):
    """Function that makes a study of these settings with some others."""
    return lambda **changes: Study.from_dict({**values, **changes})
