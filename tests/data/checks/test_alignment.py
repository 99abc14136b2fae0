"""Alignment: the scan that is mirrored, shifted or another head is told from its siblings."""
import numpy as np
import pytest

from mstl.data.checks.alignment import foreign_scans, mirrored_scans, shifted_scans


def head(seed: int, sign: float = 1.0, noise: float = 0.4) -> np.ndarray:
    """Fine details of a head in some contrast."""
    values = np.random.default_rng(seed).normal(size=(16, 16, 16))
    return sign * values + noise * np.random.default_rng(int(seed + 10 * sign + 50)).normal(size=values.shape)


@pytest.fixture
def three(case, scan):
    def make(**changes):
        coarse = {"flair": head(1, 0.7), "t1": head(1), "t2": head(1, -1.0)}
        return case(scans={role: scan(coarse=one) for role, one in {**coarse, **changes}.items()})

    return make


def test_scans_of_one_head_are_no_finding(three):
    for rule in (mirrored_scans, foreign_scans, shifted_scans):
        assert list(rule(three())) == []


@pytest.mark.parametrize(("axis", "words"), [(0, "left-right"), (1, "front-back"), (2, "top-bottom")])
def test_the_mirrored_one_of_three_is_named(three, axis, words):
    (found,) = mirrored_scans(three(t1=np.flip(head(1), axis)))
    assert (found.role, found.level) == ("t1", "error")
    assert words in found.message


def test_of_two_that_are_mirrored_against_each_other_one_is_told(case, scan):
    scans = {"t1": scan(coarse=head(1)), "t2": scan(coarse=np.flip(head(1, -1.0), 0))}
    (found,) = mirrored_scans(case(scans=scans))
    assert found.details["axis"] == 0


def test_another_head_is_a_warning_but_not_in_flair(three):
    found = list(foreign_scans(three(t2=head(2))))
    assert [(one.role, one.level) for one in found] == [("t2", "warning")]
    assert list(foreign_scans(three(flair=head(2)))) == []


def test_the_brain_that_lies_elsewhere_is_told(case, scan):
    places = {"flair": (0, 0, 0), "t1": (0.5, 0, 0), "t2": (0, 9.0, 0)}
    scans = {role: scan(coarse=head(1), centre_mm=place) for role, place in places.items()}
    (found,) = shifted_scans(case(scans=scans))
    assert found.role == "t2"
    assert "9 mm" in found.message


def test_heads_with_skull_and_scans_on_other_grids_are_not_compared(case, scan):
    scans = {"t1": scan(coarse=head(1), extracted=False), "t2": scan(coarse=head(2))}
    assert list(foreign_scans(case(scans=scans))) == []
    assert list(shifted_scans(case(scans={"t1": scan(centre_mm=(0, 0, 0)), "t2": scan(centre_mm=(90, 0, 0))}))) == []
