"""The doctor finds what is planted, names the file and the remedy, and raises no error where all is well."""
from dataclasses import replace

import pytest

from mstl.data.check import check_cohort, judge
from mstl.data.checks.measures import measure_case
from mstl.data.cohort import Case, Cohort
from tests.corpus import FAULTS, RAW_FAULTS, copy_case, write_case


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> list[Case]:
    folder = tmp_path_factory.mktemp("sound")
    return [write_case(folder, f"sound-{seed}", seed=seed) for seed in range(5)]


@pytest.fixture(scope="module")
def measured(sound):
    return [measure_case(case) for case in sound]


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_with_its_file(tmp_path, sound, measured, name):
    fault = FAULTS[name]
    case = copy_case(sound[1], tmp_path)
    case = fault.plant(case, sound[0]) or case
    findings = judge([measured[0], measure_case(case), *measured[2:]])
    found = [(finding.rule, finding.level, finding.role) for finding in findings if finding.case == case.name]
    assert (fault.rule, fault.level, fault.role) in found
    assert all("\n" not in finding.message for finding in findings)
    assert fault.fixable == any(finding.fixable for finding in findings if finding.rule == fault.rule)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Case:
    return write_case(tmp_path_factory.mktemp("raw"), "raw", seed=2, scanner="quick-raw")


@pytest.mark.parametrize("name", RAW_FAULTS)
def test_each_fault_of_a_raw_case_is_found_and_nothing_that_follows_from_it(tmp_path, raw, name):
    fault = RAW_FAULTS[name]
    case = copy_case(raw, tmp_path)
    findings = judge([measure_case(fault.plant(case, raw) or case)])
    assert (fault.rule, fault.level, fault.role) in {(one.rule, one.level, one.role) for one in findings}
    assert {one.rule for one in findings if one.level == "error"} == {fault.rule} - {"exchanged", "contrast"}


def test_a_sound_raw_case_is_told_to_be_coregistered_and_no_more(raw):
    assert {one.rule for one in judge([measure_case(raw)]) if one.level != "note"} == {"scan-grid"}


def test_nothing_but_notes_is_found_in_sound_cases(sound):
    seen = []
    findings = check_cohort(sound, progress=seen.append)
    assert {finding.level for finding in findings} <= {"note"}
    assert seen == [case.name for case in sound]


def test_no_error_is_found_in_the_real_scans(shared):
    cohort = Cohort.from_layout(shared / "data" / "open_ms_data", layout="open-ms")
    assert {finding.level for finding in check_cohort(cohort)} <= {"note"}


def test_a_raw_case_is_told_what_preparation_it_needs(shared):
    files = {"flair": "fla", "t1": "t1", "t1ce": "t1c", "t2": "t2"}
    images = {role: shared / "data" / "tcia_raw" / f"{name}.nii.gz" for role, name in files.items()}
    findings = check_cohort([Case("raw", images=images)])
    assert {finding.rule for finding in findings} == {"scan-grid", "skull", "oblique", "thick-slices"}
    assert all(finding.level != "error" for finding in findings)


def test_all_that_is_wrong_is_found_in_one_go(tmp_path, sound):
    case = copy_case(sound[0], tmp_path)
    for name in ("a missing file", "a text file", "a mask of labels"):
        FAULTS[name].plant(case, sound[1])
    assert {finding.rule for finding in check_cohort([case])} >= {"missing", "unreadable", "labels-mask"}


def test_soft_masks_pass_where_asked_for(tmp_path, sound):
    case = copy_case(sound[0], tmp_path)
    FAULTS["an interpolated mask"].plant(case, sound[1])
    levels = {finding.rule: finding.level for finding in check_cohort([case], binarise_masks=True)}
    assert levels["soft-mask"] == "note"


def test_the_worst_case_comes_first(tmp_path, sound):
    case = copy_case(sound[2], tmp_path)
    FAULTS["a missing file"].plant(case, sound[1])
    assert check_cohort([*sound[:2], case])[0].case == case.name


def test_one_scan_on_two_sides_is_an_error(tmp_path, sound):
    twin = copy_case(sound[0], tmp_path, "another-name")
    findings = check_cohort(sound, sides={"train": sound, "test": [twin]})
    assert {finding.rule for finding in findings if finding.case == "another-name"} >= {"duplicate-across-sides"}


def test_a_subject_on_two_sides_is_an_error(sound):
    session = replace(sound[0], session="2")
    findings = check_cohort([], sides={"train": sound[:2], "test": [session]})
    assert "subject-across-sides" in {finding.rule for finding in findings if finding.level == "error"}


def test_two_processes_find_the_same(sound):
    assert check_cohort(sound[:2], jobs=2) == check_cohort(sound[:2])
