"""`mstl prepare` takes a cohort.csv or the files of one case."""
from dataclasses import replace

import pytest

from mstl import Cohort
from mstl.cli.prepare import prepare
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from tests.labelled import with_labels


def test_files_of_one_case_need_no_cohort_csv(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    prepare([f"{column}={path}" for column, path in case.files.items()], tmp_path / "out")
    (prepared,) = PreparedCohort.open(tmp_path / "out")
    assert prepared.name == "flair"
    assert prepared.modalities == ("flair", "t1")
    assert prepared.has_mask


def test_a_modality_that_some_cases_lack_is_left_out_aloud_unless_chosen_so(tmp_path, make_case, capsys):
    whole, other = (make_case(tmp_path / "scans", name) for name in ("p0", "p1"))
    Cohort([whole, replace(other, images={"flair": other.images["flair"]})]).to_csv(tmp_path / "cohort.csv")
    prepare([str(tmp_path / "cohort.csv")], tmp_path / "out")
    assert "Note: left out t1, which some cases lack." in capsys.readouterr().out
    prepare([str(tmp_path / "cohort.csv")], tmp_path / "out", modalities="flair")
    assert "left out" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a.csv", "b.csv"], "2 inputs were given; one cohort.csv or modality=file pairs"),
        (["flair=a.nii.gz", "b.csv"], "2 inputs were given"),
        (["missing.csv"], "missing.csv does not exist"),
        (["flair="], "not of the form name=value"),
        (["flare=a.nii.gz"], "'flare' is unknown"),
    ],
)
def test_other_inputs_are_an_error(tmp_path, inputs, message):
    with pytest.raises(InputError, match=message):
        prepare(inputs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_of_masks_become_classes(tmp_path, make_case, mstl):
    case = with_labels(make_case(tmp_path, "p"))
    files = [f"{column}={path}" for column, path in case.files.items()]
    code, _, errors = mstl("prepare", *files, tmp_path / "refused")
    assert (code, "--labels 1,2,4" in errors) == (1, True)
    assert mstl("prepare", *files, tmp_path / "out", "--labels", "1,2,4")[0] == 0
    assert PreparedCohort.open(tmp_path / "out").labels == (1, 2, 4)
    code, _, errors = mstl("prepare", *files, tmp_path / "other", "--labels", "1;2")
    assert (code, "--labels is '1;2'; whole numbers with commas" in errors) == (1, True)
