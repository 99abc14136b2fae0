"""What a study is expected to take, and the smaller ones that are proposed."""
import pytest

from mstl.compare.folder import StudyFolder
from mstl.compare.measure import Measured
from mstl.compare.plan import Plan, fitting, plan_study, smaller_studies
from mstl.compare.study import ALL

SLOW = Measured(start=10.0, step=2.0, epoch=3.0, case=1.0, memory=2**30)
QUICK = Measured(start=5.0, step=1.0, epoch=0.0, case=0.5, memory=2**29)


@pytest.fixture
def study(study_of, tmp_path):
    strategies = {"scratch": {}, "late": {"freeze": "encoder", "init": "x.h5", "epochs": 4}}
    return StudyFolder.begin(study_of(sources={}, strategies=strategies, sizes=[1]), tmp_path / "study")


def test_hours_are_those_of_every_job_to_be_done(study):
    plan = plan_study(study, {"scratch": SLOW, "late": QUICK})
    tested = [len(one.test) + len(one.validation) for one in study.divisions]
    assert plan.seconds["scratch"] == sum(10 + 2 * (1 * 2 + 3) + cases * 1 for cases in tested)
    assert plan.seconds["late"] == sum(5 + 4 * 1 * 1 + cases * 0.5 for cases in tested)
    assert plan.hours == pytest.approx(sum(plan.seconds.values()) / 3600)
    assert (plan.jobs, plan.memory, plan.at_once) == (4, 2**30, 1)


def test_two_at_a_time_end_sooner():
    assert Plan({"a": 3600.0}, 2, 0, at_once=2, speedup=1.6).hours == pytest.approx(1 / 1.6)


def test_smaller_studies_give_up_seeds_then_sizes_then_folds(study_of):
    study = study_of(seeds=[0, 1, 2], sizes=[2, 3, ALL], folds=3)
    found = [(len(one.seeds), one.sizes, one.folds) for _, one in smaller_studies(study)]
    assert found == [
        (2, (2, 3, ALL), 3), (2, (2, ALL), 3), (1, (2, ALL), 3), (1, (ALL,), 3), (1, (ALL,), 2),
    ]  # fmt: skip


def test_the_largest_study_that_fits_is_proposed_with_its_options(study_of):
    study = study_of(seeds=[0, 1, 2], sizes=[2, 3, ALL], folds=3)
    words, found = fitting(study, 2.0, lambda one: float(len(one.seeds) * len(one.sizes)) / 2)
    assert (len(found.seeds), len(found.sizes)) == (2, 2)
    assert words == "--set seeds=[0,1] --set sizes=[2,all] --set folds=3"
    assert fitting(study, 0.1, lambda one: 1.0) is None
