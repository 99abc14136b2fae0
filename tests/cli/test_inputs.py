"""Commands read a prepared folder, a cohort.csv, or the files of one case."""
import pytest

from mstl.cli.inputs import are_pairs, one_case, precision_change, read_input
from mstl.data.cohort import Cohort
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError


def test_a_folder_a_csv_and_pairs_are_told_apart(tmp_path, tiny_cohort, tiny_prepared):
    tiny_cohort.to_csv(tmp_path / "cohort.csv")
    assert isinstance(read_input([str(tiny_prepared.folder)]), PreparedCohort)
    assert read_input([str(tmp_path / "cohort.csv")]).subjects == tiny_cohort.subjects
    assert isinstance(read_input(["flair=a.nii.gz", "t1=b.nii.gz"]), Cohort)


def test_a_path_that_holds_an_equals_sign_is_a_path(tmp_path, tiny_cohort):
    csv = tmp_path / "site=1" / "cohort.csv"
    csv.parent.mkdir()
    tiny_cohort.to_csv(csv)
    assert read_input([str(csv)]).subjects == tiny_cohort.subjects
    assert are_pairs([f"flair={csv}"])


def test_one_case_is_named_as_its_first_file():
    (case,) = one_case({"t1": "p1/anatomy.v2.nii.gz", "brain_mask": "p1/brain.nii.gz"})
    assert case.name == "anatomy"
    assert one_case({"oct": "Subject_01.mat#12"})[0].name == "Subject_01_12"


def test_several_files_that_are_not_pairs_are_an_error():
    with pytest.raises(InputError, match="2 inputs were given"):
        read_input(["a.csv", "b.csv"])


def test_precision_is_short_for_a_change_of_the_experiment():
    assert precision_change("mixed_bfloat16") == ["precision=mixed_bfloat16"]
    assert precision_change(None) == []
