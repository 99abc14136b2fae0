"""`mstl index`, as a person types it."""
import sys

import pytest

from mstl.cli import main
from mstl.data.cohort import Cohort
from mstl.data.layouts import LAYOUTS
from mstl.data.volume import read_mask
from tests.trees import grow, plant_isbi


@pytest.fixture
def run(monkeypatch, capsys):
    """Function that runs `mstl index`; returns the exit code, what was printed and the errors, blanks as one."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mstl", "index", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code or 0, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


@pytest.fixture
def isbi(tmp_path):
    plant_isbi(tmp_path / "data")
    grow(tmp_path, "data/training01/preprocessed/training01_01_pd_pp.nii", "data/stray.nii")
    return tmp_path


def test_a_table_says_what_there_is_and_what_was_left_out(run, isbi):
    code, out, err = run(isbi / "data", "--layout", "isbi2015", "--out", isbi / "cohort.csv")
    assert code == 0
    assert "2 │ 1 │ 2 │ 2 │ 0 │ 0 │ 2 │ 0" in out
    assert "Left out 1: its name is none of this layout (stray.nii)." in out
    assert "Left out 1: of another modality than flair, t1, t1ce, t2 (training01/preprocessed/" in out
    assert "Left out 2: a mask by another rater" in out
    assert "2 cases of 1 subjects, each with flair, t1." in out
    assert "Note: Rater 1's mask is taken; there are also masks by rater 2" in err
    assert [case.name for case in Cohort.from_csv(isbi / "cohort.csv")] == ["training01_01", "training01_02"]


def test_masks_by_a_rule_are_written_beside_the_csv(run, isbi):
    code, out, _ = run(isbi / "data", "--layout", "isbi2015", "--rater", "majority", "--out", isbi / "study.csv")
    assert code == 0
    assert "2 cases" in out
    cohort = Cohort.from_csv(isbi / "study.csv")
    assert [case.mask.relative_to(isbi).as_posix() for case in cohort] == [
        "study_masks/training01_01_majority.nii.gz", "study_masks/training01_02_majority.nii.gz"
    ]
    first, second = (
        read_mask(isbi / f"data/training01/masks/training01_01_mask{rater}.nii").data for rater in (1, 2)
    )
    assert (read_mask(cohort[0].mask).data == (first & second)).all()


@pytest.mark.parametrize("layout", [(), ("--layout", "glob")])
def test_patterns_serve_with_and_without_the_layout_named_glob(run, tmp_path, layout):
    grow(tmp_path, "p1/a_T1w.nii", "p1/a_T2_FLAIR.nii", "p1/a_lesion_mask.nii")
    for patterns in (["{subject}/*{modality}*.nii"], ["flair={subject}/*FLAIR.nii", "t1={subject}/*T1w.nii"]):
        options = [word for pattern in patterns for word in ("--pattern", pattern)]
        code, out, _ = run(tmp_path, *layout, *options, "--out", tmp_path / "cohort.csv")
        assert code == 0
        assert "each with flair, t1." in out


def test_a_pattern_chooses_among_the_files_of_a_layout(run, tmp_path):
    grow(tmp_path, "sub-1/anat/sub-1_acq-2D_FLAIR.nii.gz", "sub-1/anat/sub-1_acq-3D_FLAIR.nii.gz")
    code, _, err = run(tmp_path, "--layout", "bids", "--out", tmp_path / "c.csv")
    assert code == 1
    assert "--pattern 'flair=*acq-2D*'" in err
    assert run(tmp_path, "--layout", "bids", "--pattern", "flair=*acq-2D*", "--out", tmp_path / "c.csv")[0] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "Give --layout (msseg2016, "),
        (["--layout", "glob"], "needs a pattern"),
        (["--layout", "brats"], "'brats' is unknown. Choose one of msseg2016"),
        (["--layout", "isbi2015", "--variant", "orig"], "No image of variant 'orig' is here. There are preprocessed."),
        (["--layout", "isbi2015", "--rater", "3"], "No mask by rater '3' is here. There are 1, 2;"),
        (["--layout", "open-ms"], "It looks like isbi2015."),
        (["--pattern", "{subject}.nii"], "is not of the form name=value"),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(run, isbi, options, expected):
    code, _, err = run(isbi / "data", *options, "--out", isbi / "cohort.csv")
    assert code == 1
    assert err.startswith("Error: ")
    assert expected in err
    assert not (isbi / "cohort.csv").exists()


def test_help_lists_every_layout(run):
    _, out, _ = run("--help")
    assert all(name in out.replace("│ │ ", "") for name in (*LAYOUTS, "glob"))
