"""The page of a profile: what a step takes, what is scarce, what was seen, nothing from the network."""
import re

import pytest

from mstl.errors import InputError
from mstl.files import write_json
from mstl.reporting.profile_page import write_profile_page

SUMMARY = {
    "epoch": 1, "first_step": 6, "steps": 10, "steps_asked": 10, "step_ms": 123.4, "step_ms_range": [120.0, 140.5],
    "input_wait_ms": 2.5, "input_share": 0.02, "model": "unet<3d>", "trainable": 1234567, "frozen": 89,
    "replicas": 1, "precision": "float32", "devices": ["one processor"], "versions": {"mstl": "0.1.0"},
    "kinds": [{"kind": "Conv3D", "ms": 100.0, "share": 0.8}],
    "operations": [{"name": "unet/encoder1_conv", "kind": "Conv3D", "ms": 60.0, "share": 0.48}],
}  # fmt: skip


@pytest.fixture
def page(tmp_path):
    """Function that gives the page of a summary with changes."""

    def write(**changes):
        write_json(tmp_path / "run" / "profile" / "summary.json", SUMMARY | changes)
        return write_profile_page(tmp_path / "run").read_text(encoding="utf-8")

    return write


def test_a_page_shows_times_operations_and_parameters(page):
    text = page()
    for shown in ("123.4 ms", "2.0 %", "1,234,567", "Conv3D", "unet/encoder1_conv", "48.0 %", "one processor"):
        assert shown in text
    assert "from step 6 of epoch 1" in text
    assert "were asked for" not in text


def test_names_are_escaped_and_nothing_is_loaded(page):
    text = page()
    assert "unet&lt;3d&gt;" in text
    assert not re.search(r"https?://|src=\"(?!data:)|@import", text)


def test_a_step_that_waits_for_its_batch_asks_for_faster_input(page):
    assert "Faster input makes this training faster" in page(input_share=0.3)
    assert "Faster input" not in page()


def test_a_page_says_where_fewer_steps_were_seen_than_asked_for(page):
    assert "1 step from step 1 of epoch 1 on; 20 were asked for" in page(steps=1, first_step=1, steps_asked=20)


def test_a_run_without_a_profile_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no profile. Write one: mstl train EXPERIMENT.yaml --profile STEPS"):
        write_profile_page(tmp_path)
