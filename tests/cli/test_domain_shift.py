"""`mstl domain-shift`: numbers on the terminal and in the folder; wrong input in one line."""
import pytest

from mstl.files import read_json

FEW = ("--patch", "2", "--samples", "6")


@pytest.fixture(scope="module")
def folder(tiny_prepared):
    return tiny_prepared.folder


def test_modalities_of_one_cohort_are_compared(mstl, folder, tmp_path):
    code, out, _ = mstl("domain-shift", f"{folder}:flair", f"{folder}:t1", "--out", tmp_path / "shift", *FEW)
    assert code == 0
    assert "The squared MMD of out flair (18 samples of 3 subjects) and out t1 (18 samples of 3 subjects) is 0." in out
    assert "p cannot be below 0.25" in out
    assert "never instead of results of training" in out
    assert f"Wrote {tmp_path / 'shift' / 'domain_shift.html'}." in out
    assert read_json(tmp_path / "shift" / "domain_shift.json")["paired_subjects"] == 3


def test_every_option_reaches_the_measure(mstl, folder, tmp_path):
    code, _, error = mstl(
        "domain-shift", folder, folder, "--out", tmp_path, "--patch", "1,2,3", "--samples", 4, "--gamma", "median",
        "--subjects-a", "ras,pil", "--subjects-b", "oblique,pil", "--unpaired", "--permutations", 2, "--seed", 7,
    )  # fmt: skip
    assert (code, error) == (0, "")
    record = read_json(tmp_path / "domain_shift.json")
    assert record["features"] == {"source": "intensities", "patch": [1, 2, 3], "samples": 4, "seed": 7, "count": 12}
    assert (record["a"]["subjects"], record["b"]["subjects"]) == (["ras", "pil"], ["pil", "oblique"])
    assert (record["paired_subjects"], record["partitions"], record["permutations"]) == (0, 3, 2)
    assert record["gamma"] not in (None, 1 / 12)


@pytest.mark.parametrize(("options", "words"), [
    (["--gamma", "wide"], "--gamma is 'wide'; a number above 0 or 'median'"),
    (["--gamma", "0"], "gamma is 0.0; a number above 0"),
    (["--kernel", "cubic"], "Kernel 'cubic' is unknown. Choose one of rbf, linear."),
    (["--patch", "big"], "--patch is 'big'"),
    (["--patch", ""], "--patch is ''; one number or three"),
    (["--patch", "1,2"], "three sides of at least 1 voxel"),
    (["--permutations", "0"], "permutations is 0"),
    (["--features", "nowhere:conv1"], "nowhere is not a run"),
    (["--subjects-a", "nobody"], "Subjects nobody are not in"),
    (["--samples", "1", "--subjects-a", "ras", "--subjects-b", "ras"], "Sets of 1 and 1 samples are too small"),
])
def test_wrong_input_is_one_line(mstl, folder, tmp_path, options, words):
    code, _, error = mstl("domain-shift", folder, folder, "--out", tmp_path / "shift", *FEW, *options)
    assert code == 1
    assert words in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "shift").exists()


def test_a_folder_that_holds_no_prepared_cases_is_one_line(mstl, folder, tmp_path):
    code, _, error = mstl("domain-shift", folder, tmp_path)
    assert code == 1
    assert "is no prepared folder" in error
