"""The uncertainty of a report: what is shown when, and with which words."""
import re
import shutil

import pytest

from mstl.errors import InputError
from mstl.evaluation.maps import ENTROPY
from mstl.evaluation.uncertainty_scores import calibration_path
from mstl.reporting.page import write_report
from mstl.reporting.uncertainty import BAYESIAN, uncertainty_section
from tests.reporting.browser import CHROMIUM, run_chromium


def section(sampled, *, model="unet3d-residual", **given):
    options = {"predictions": sampled.predictions, "scores": sampled.scores} | given
    return uncertainty_section(sampled.run, {"model": model}, list(sampled.cohort), **options)


def test_maps_volumes_and_calibration_are_shown_where_they_are_known(sampled):
    found = section(sampled)
    assert [sheet["name"] for sheet in found["sheets"]] == ["anna", "ben"]
    assert found["volumes"].count("<svg") == found["reliability"].count("<svg") == 1
    assert (found["summary"]["cases"], found["summary"]["intervals"]) == (2, 2)
    assert [row["case"] for row in found["rows"]] == ["anna", "ben"]
    assert found["rules"].startswith("Voxels: those of the brain")


def test_without_scores_maps_and_volumes_are_shown_alone(sampled):
    found = section(sampled, scores=None)
    assert len(found["sheets"]) == 2
    assert found["volumes"]
    assert "summary" not in found
    assert "rows" not in found


def test_predictions_without_maps_have_no_section_unless_the_run_is_bayesian(sampled, tiny):
    for predictions in (tiny.predictions, None):
        assert section(sampled, predictions=predictions) is None
        hint = section(sampled, predictions=predictions, model=BAYESIAN)["hint"]
        assert re.match(r"mstl predict \S+ cohort\.csv --samples 20", hint)


def test_cases_without_maps_are_not_among_the_sheets(sampled, tmp_path):
    shutil.copytree(sampled.predictions, tmp_path / "predictions")
    (tmp_path / "predictions" / f"anna{ENTROPY}").unlink()
    found = section(sampled, predictions=tmp_path / "predictions")
    assert ([sheet["name"] for sheet in found["sheets"]], found["mapped"]) == (["ben"], 1)


def test_predictions_without_records_have_no_volumes(sampled, tmp_path):
    shutil.copytree(sampled.predictions, tmp_path / "predictions")
    for path in (tmp_path / "predictions").glob("*.json"):
        path.unlink()
    assert section(sampled, predictions=tmp_path / "predictions")["volumes"] is None


def test_a_table_without_its_bins_is_refused(sampled, tmp_path):
    for path in sampled.scores.parent.glob("*.csv"):
        shutil.copy(path, tmp_path)
    calibration_path(tmp_path / "scores.csv").unlink()
    with pytest.raises(InputError, match="scores_calibration"):
        section(sampled, scores=tmp_path / "scores.csv")


@pytest.fixture(scope="module")
def page(sampled):
    return write_report(sampled.run, predictions=sampled.predictions, cohort=sampled.cohort, scores=sampled.scores)


def test_the_page_says_what_the_samples_know(page):
    text = page.read_text(encoding="utf-8")
    part = text[text.index('<section id="uncertainty">'):text.index('<section id="curves">')]
    assert '<a href="#uncertainty">' in text
    assert part.count('src="data:image/png') == 2
    assert part.count("<svg") == 2
    assert re.search(r"in the interval of the samples' volumes in <strong>\d of 2 cases</strong>", part)
    assert re.findall(r"<tr><td>(\w+)</td>", part) == ["anna", "ben"]
    assert "0.70 to 0.90" in part


def test_a_page_of_one_network_says_nothing_of_it(bare_run):
    assert 'id="uncertainty"' not in write_report(bare_run).read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_draws_the_section(page, tmp_path):
    seen = run_chromium(tmp_path / "profile", "--dump-dom", page.as_uri())
    assert 'id="uncertainty-table"' in seen
