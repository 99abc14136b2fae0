"""Intensities: each rule at its limit."""
import pytest

from mstl.data.checks import intensity


@pytest.mark.parametrize(("rule", "measures", "level"), [
    (intensity.clipped_scans, {"clipped": 0.03}, "warning"),
    (intensity.few_levels, {"levels": 256}, "note"),
    (intensity.normalised_scans, {"negative": 0.4}, "note"),
    (intensity.skulls, {"extracted": False}, "note"),
    (intensity.cut_scans, {"cut": "S"}, "warning"),
    (intensity.volumes, {"foreground_ml": 1.5}, "warning"),
])  # fmt: skip
def test_each_rule_finds_its_own_and_nothing_in_a_sound_scan(case, scan, rule, measures, level):
    (found,) = rule(case(scans={"t1": scan(**measures)}))
    assert found.level == level
    assert list(rule(case())) == []


def test_a_head_may_end_in_the_neck(case, scan):
    assert list(intensity.cut_scans(case(scans={"t1": scan(cut="I", extracted=False)}))) == []
    assert len(list(intensity.cut_scans(case(scans={"t1": scan(cut="I")})))) == 1


def test_a_skull_with_a_brain_mask_is_no_news(case, scan, mask):
    assert list(intensity.skulls(case(scans={"t1": scan(extracted=False)}, brain_mask=mask()))) == []
