"""A study's folder: begun once, gone on with by the same study or one that has more."""
import pandas as pd
import pytest

from mstl.compare.folder import StudyFolder
from mstl.errors import InputError

STRATEGIES = {"scratch": {}, "locked": {"freeze": "encoder", "init": "x.h5"}}


@pytest.fixture
def begun(study_of, tmp_path):
    """Function that begins a study in one folder."""
    return lambda resume=True, **changes: StudyFolder.begin(
        study_of(sources={}, **{"strategies": STRATEGIES, **changes}), tmp_path / "study", resume=resume
    )


def test_a_new_study_writes_who_is_on_which_side(begun, prepared):
    study = begun(resume=False)
    sides = pd.read_csv(study.folder / "splits.csv")
    assert set(sides.subject) == set(prepared.subjects)
    assert StudyFolder(study.folder).divisions == study.divisions
    assert len(study.jobs) == 2 * 2 * 2
    assert study.scores().empty


def test_a_folder_with_a_study_is_not_begun_again_but_gone_on_with(begun):
    begun(resume=False)
    with pytest.raises(InputError, match="exists and is not empty"):
        begun(resume=False)
    assert begun().jobs


def test_a_study_may_grow_by_strategies_and_seeds(begun):
    begun()
    grown = begun(seeds=[0, 1], strategies={**STRATEGIES, "late": {"init": "y.h5"}})
    assert len(grown.jobs) == 2 * 2 * 2 * 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": [1, 2]}, r"sizes was \[1, 'all'\] .* now it is \[1, 2\]. Put it back, or"),
        ({"seeds": [1]}, r"seeds was \[0\]"),
        ({"strategies": {**STRATEGIES, "scratch": {"epochs": 9}}}, "strategies was"),
        ({"folds": 3}, "folds was 2"),
    ],
)
def test_a_study_that_changed_says_what_and_what_to_do(begun, changes, said):
    begun()
    with pytest.raises(InputError, match=said):
        begun(**changes)


def test_strategies_of_different_budgets_are_told(begun):
    with pytest.warns(UserWarning, match="differ in epochs x steps x batch size.*: scratch 2 x 1 x 2; l"):
        begun(strategies={"scratch": {}, "locked": {"freeze": "encoder", "init": "x.h5", "epochs": 3}})


def test_other_prepared_cases_are_another_study(begun, prepared, tmp_path):
    begun()
    splits = tmp_path / "study" / "splits.csv"
    splits.write_text(splits.read_text().replace("s0,", "somebody,"))
    with pytest.raises(InputError, match="has other sides than the prepared cases give now"):
        begun()


def test_a_cohort_without_the_prepared_cases_is_refused(begun, cohort, tmp_path):
    cohort.select(["s0", "s1"]).to_csv(tmp_path / "few.csv")
    with pytest.raises(InputError, match=r"few.csv lacks case s2"):
        begun(cohort=str(tmp_path / "few.csv"))


def test_a_folder_without_a_study_says_how_to_begin_one(tmp_path):
    with pytest.raises(InputError, match="is no study"):
        StudyFolder(tmp_path)
