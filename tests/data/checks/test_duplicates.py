"""Duplicates: equal voxels and equal details, told with the side of a split they stand on."""
import numpy as np
import pytest

from mstl.data.checks.duplicates import alike_scans, same_voxels

NOWHERE = lambda name: frozenset()  # noqa: E731


def coarse(seed: int, noise: float = 0.0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(16, 16, 16))
    return values + noise * np.random.default_rng(seed + 100).normal(size=values.shape)


def test_equal_voxels_are_an_error_that_names_the_other(case, scan):
    cases = [case(name, scans={"t1": scan(sha256=sha)}) for name, sha in (("a", "x"), ("b", "y"), ("c", "x"))]
    (found,) = same_voxels(cases, sides=NOWHERE)
    assert (found.case, found.level, found.rule) == ("c", "error", "duplicate")
    assert "t1 of a" in found.message


def test_two_modalities_of_a_case_may_not_be_one_scan(case, scan):
    (found,) = same_voxels([case(scans={"t1": scan(sha256="x"), "t1ce": scan(sha256="x")})], sides=NOWHERE)
    assert "the same case" in found.message


def test_copies_on_two_sides_are_told_so(case, scan):
    cases = [case(name, scans={"t1": scan(sha256="x")}) for name in "ab"]
    (found,) = same_voxels(cases, sides=lambda name: frozenset({"train" if name == "a" else "test"}))
    assert found.rule == "duplicate-across-sides"
    assert "train and test" in found.message


def test_equal_details_are_a_warning_and_other_persons_are_none(case, scan):
    scans = {"a": coarse(1), "b": coarse(2), "c": coarse(1, noise=0.2)}
    cases = [case(name, scans={"t1": scan(sha256=name, coarse=one)}) for name, one in scans.items()]
    (found,) = alike_scans(cases, sides=NOWHERE)
    assert (found.case, found.level, found.details["other"]) == ("c", "warning", "a")


@pytest.mark.parametrize(("noise", "count"), [(0.2, 0), (0.001, 1)])
def test_sessions_of_one_subject_may_look_alike_but_not_equal(case, scan, noise, count):
    scans = {"a_1": coarse(1), "a_2": coarse(1, noise=noise)}
    cases = [case(name, subject="a", scans={"t1": scan(sha256=name, coarse=one)}) for name, one in scans.items()]
    assert len(list(alike_scans(cases, sides=NOWHERE))) == count


def test_a_patient_who_is_there_twice_is_one_finding_that_names_the_modalities(case, scan):
    scans = {role: scan(sha256=role, coarse=coarse(1)) for role in ("flair", "t1", "t2")}
    (found,) = same_voxels([case(name, scans=scans) for name in "ab"], sides=NOWHERE)
    assert (found.case, found.role, found.details["other"]) == ("b", "", "a")
    assert "flair, t1, t2 have the very voxels of flair, t1, t2 of a" in found.message
    saved_again = [
        case(name, scans={role: scan(sha256=f"{role} {name}", coarse=coarse(1)) for role in scans}) for name in "ab"
    ]
    (found,) = alike_scans(saved_again, sides=NOWHERE)
    assert (found.role, found.level, list(found.details["roles"])) == ("", "warning", ["flair", "t1", "t2"])
