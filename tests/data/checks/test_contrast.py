"""Contrast: names that do not fit what is bright, by lesions and by tissue."""
import numpy as np
import pytest

from mstl.data.checks.coarse import tissue_maps
from mstl.data.checks.contrast import exchanged_modalities, lesions_say_swapped
from mstl.data.checks.pose import Fit, Pose

FLAIR, T1, T2 = (-0.2, 0.6, -2.0), (0.7, -0.1, -2.0), (-0.5, -0.1, 2.2)


def coarse(signals) -> np.ndarray:
    return (tissue_maps() @ np.array(signals)).reshape(16, 16, 16)


def scans(scan, **signals):
    return {role: scan(coarse=coarse(one)) for role, one in signals.items()}


def lesions(flair: float, t1: float) -> Fit:
    return Fit(Pose(), flair, flair, {"flair": flair, "t1": t1})


def test_usual_contrasts_are_no_finding(case, scan):
    assert list(exchanged_modalities(case(scans=scans(scan, flair=FLAIR, t1=T1, t1ce=T1, t2=T2)))) == []


@pytest.mark.parametrize(("role", "signals"), [("t2", T1), ("t1", T2), ("flair", T2), ("t1ce", T2)])
def test_fluid_that_is_bright_or_dark_at_the_wrong_place_is_an_error(case, scan, role, signals):
    (found,) = exchanged_modalities(case(scans=scans(scan, **{role: signals})))
    assert (found.role, found.level, found.rule) == (role, "error", "contrast")


def test_flair_and_t1_are_told_by_tissue_and_surely_with_lesions(case, scan, mask):
    exchanged = scans(scan, flair=T1, t1=FLAIR)
    levels = {
        "none": [one.level for one in exchanged_modalities(case(scans=exchanged, mask=None))],
        "agree": [one.level for one in exchanged_modalities(case(scans=exchanged, mask=mask(fit=lesions(-0.7, -2.0))))],
        "deny": [one.level for one in exchanged_modalities(case(scans=exchanged, mask=mask(fit=lesions(1.5, 0.5))))],
    }
    assert levels == {"none": ["warning"], "agree": ["error"], "deny": []}


def test_heads_with_skull_are_not_judged_by_tissue(case, scan):
    assert list(exchanged_modalities(case(scans={"t2": scan(coarse=coarse(T1), extracted=False)}))) == []


def heads(scan, **signals):
    return {role: scan(coarse=coarse(T1), extracted=False, head_signals=one) for role, one in signals.items()}


@pytest.mark.parametrize(
    ("role", "signals", "found"), [("t2", T1, ["t2"]), ("t1", T2, ["t1"]), ("t1ce", T2, ["t1ce"]), ("flair", T2, [])]
)
def test_the_fluid_of_heads_warns_but_not_in_flair(case, scan, role, signals, found):
    told = list(exchanged_modalities(case(scans=heads(scan, **{role: signals}))))
    assert [(one.role, one.level) for one in told] == [(role, "warning") for role in found]


def test_flair_and_t1_of_heads_are_told_by_tissue_as_a_warning(case, scan):
    (found,) = exchanged_modalities(case(scans=heads(scan, flair=T1, t1=FLAIR), mask=None))
    assert (found.rule, found.level, found.role) == ("exchanged", "warning", "flair")
    assert list(exchanged_modalities(case(scans=heads(scan, flair=FLAIR, t1=T1), mask=None))) == []


@pytest.mark.parametrize(
    ("t1", "twins", "signals", "told"),
    [
        (-0.8, ("t1",), None, True),
        (-0.2, ("t1",), None, False),
        (-0.8, ("t1", "t2"), None, False),
        (-0.8, ("t1",), T1, False),
    ],
)
def test_lesions_bright_in_t1_alone_on_whose_grid_they_were_drawn_warn(case, scan, mask, t1, twins, signals, told):
    drawn = mask(twins=twins, fit=Fit(Pose(), t1, t1, {"t1": t1}))
    scans = {"flair": scan(extracted=False), "t1": scan(extracted=False, head_signals=signals)}
    one = case(scans=scans, mask=drawn)
    assert lesions_say_swapped(one) == told
    assert ["on whose grid" in found.message for found in exchanged_modalities(one)] == [True] * told
    assert not lesions_say_swapped(case(scans={"t1": scans["t1"]}, mask=drawn))
