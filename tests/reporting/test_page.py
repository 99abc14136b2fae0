"""The report: complete, self-contained, readable, drawn by a real browser."""
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.reporting.page import write_report
from tests.reporting.browser import CHROMIUM, References, run_chromium

SECTIONS = ("answer", "scores", "overlays", "viewer", "volumes", "curves", "experiment", "environment")


@pytest.fixture(scope="module")
def report(tiny):
    write_json(tiny.run / "environment.json", {"versions": {"numpy": "2.0"}, "seed": 0})
    write_json(tiny.run / "preparation.json", {"modalities": ["flair"], "spacing": None})
    write_json(tiny.run / "threshold.json", {"threshold": 0.4})
    return write_report(tiny.run, predictions=tiny.predictions, cohort=tiny.cohort, scores=tiny.scores)


@pytest.fixture(scope="module")
def text(report):
    return report.read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_draws_the_report(report, tmp_path):
    picture = tmp_path / "report.png"
    page = run_chromium(tmp_path / "a", "--dump-dom", report.as_uri())
    assert all(f'id="{section}"' in page for section in SECTIONS)
    run_chromium(tmp_path / "b", f"--screenshot={picture}", "--window-size=1200,2600", report.as_uri())
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape == (2600, 1200)
    assert len(np.unique(pixels)) > 50
    assert all(pixels[top:top + 650].std() > 5 for top in range(0, 2600, 650))


def test_the_answer_comes_first(text):
    head = text[text.index("<h1>"):text.index("<nav")]
    assert "0.625" in head  # median of .5 and .75: the empty reference is counted apart
    assert "no lesion in the reference" in head
    assert "0.4" in head


def test_every_section_is_there_and_cases_begin_with_the_lowest_dice(text):
    assert all(f'id="{section}"' in text for section in SECTIONS)
    assert re.findall(r'<td data-value="(\w+)">', text) == ["ben", "anna", "eve"]
    assert text.index('id="case-1"') < text.index("slices of ben") < text.index("slices of anna")
    assert "Empty references are counted apart." in text
    assert text.count('class="tag">empty reference') == 1


def test_the_report_refers_to_nothing_outside(text):
    references = References()
    references.feed(text)
    assert len(references.found) > 10
    assert {value.split(":")[0] if ":" in value else value[:1] for value in references.found} == {"data", "#"}
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    assert "default-src 'none'" in text


def test_names_are_text_and_never_markup(text):
    assert "run &lt;b&gt;" in text
    assert "run <b>" not in text


def test_a_run_alone_says_which_commands_add_the_rest(tiny, tmp_path):
    text = write_report(tiny.run, out=tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "No masks were scored yet" in text
    assert "mstl predict" in text
    assert "mstl evaluate" in text
    assert "data:image/png" not in text


def test_weights_are_told_in_sentences_with_tables_to_unfold(bare_run, origins, frozen):
    write_json(bare_run / "transfer.json", origins)
    write_json(bare_run / "freeze.json", frozen)
    text = write_report(bare_run).read_text(encoding="utf-8")
    section = text[text.index('<section id="weights">'):text.index('<section id="experiment">')]
    assert '<a href="#weights">' in text
    assert "The encoder (1.0 of 1.5 million parameters) came from old-run (best.h5)" in section
    assert "every one unchanged to the bit after training" in section
    assert section.count("<svg") == 1
    assert section.count("<details>") == 2
    assert re.findall(r"<tr.*?><td>(.*?)</td>", section) == ["conv0", "bn0", "up", "–", "conv0", "bn0"]
    assert "changed while frozen" not in section


def test_a_frozen_tensor_that_changed_is_shown_openly(bare_run, frozen):
    frozen["tensors"][2] |= {"unchanged": False, "sha256_after": "ef" * 32}
    write_json(bare_run / "freeze.json", frozen)
    text = write_report(bare_run).read_text(encoding="utf-8")
    assert re.search(r"changed while frozen</span> bn0/beta<", text)
    assert "<td>no</td>" in text


def test_locks_of_a_gradual_training_are_those_it_began_with(bare_run, frozen):
    write_json(bare_run / "freeze.json", frozen)
    assert "frozen whole." in write_report(bare_run).read_text(encoding="utf-8")
    frozen["tensors"][0]["thawed_after"] = 3
    write_json(bare_run / "freeze.json", frozen)
    text = write_report(bare_run).read_text(encoding="utf-8")
    assert "frozen whole when training began." in text
    assert "<td>yes, until epoch 3</td>" in text


def test_a_run_that_recorded_nothing_of_its_weights_says_so(tiny, tmp_path):
    text = write_report(tiny.run, out=tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "the run has no transfer.json and no freeze.json" in text
    assert 'href="#weights"' not in text


def test_words_of_the_records_are_text_and_never_markup(bare_run, origins, frozen):
    for name, record in (("transfer.json", origins), ("freeze.json", frozen)):
        write_json(bare_run / name, _with_markup(record))
    text = write_report(bare_run).read_text(encoding="utf-8")
    assert "<i>" not in text
    assert text.count("&lt;i&gt;") > 20


def _with_markup(value):
    """The record with a tag in every text."""
    if isinstance(value, dict):
        return {name: _with_markup(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_markup(one) for one in value]
    return f"<i>{value}" if isinstance(value, str) else value


def test_sheets_beyond_the_limit_are_counted(tiny, tmp_path):
    out = tmp_path / "x.html"
    write_report(tiny.run, predictions=tiny.predictions, cohort=tiny.cohort, out=out, sheets=1)
    text = out.read_text(encoding="utf-8")
    assert text.count('<img src="data:image/png') == 1
    assert "Drawn: 1 of 2 cases" in text


def test_scores_are_read_from_a_frame_too(tiny, tmp_path):
    scores = pd.DataFrame({"case": ["a"], "dice": [np.nan], "reference_ml": [0.0], "prediction_ml": [0.0]})
    text = write_report(tiny.run, scores=scores, out=tmp_path / "x.html").read_text(encoding="utf-8")
    assert "No scored case has a lesion in its reference" in text


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"experiment\.yaml does not exist"):
        write_report(tmp_path)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("history.csv", "epoch,loss\n1,2\n", "no column dice"),
    ("history.csv", "epoch,loss,dice\n", "no epoch"),
    ("experiment.yaml", "a: [", "cannot be read as YAML"),
    ("experiment.yaml", "just words", "no parameters"),
    ("transfer.json", "{", r"transfer\.json cannot be read as JSON"),
    ("freeze.json", "[]", r"freeze\.json is not what a training writes"),
])
def test_damaged_files_are_named_in_one_line(tiny, tmp_path, name, content, message):
    shutil.copytree(tiny.run, tmp_path / "run")
    write_text(tmp_path / "run" / name, content)
    with pytest.raises(InputError, match=message) as caught:
        write_report(tmp_path / "run", out=tmp_path / "x.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x.html").exists()


def test_wrong_scores_and_foreign_predictions_are_refused(tiny, tmp_path):
    write_text(tmp_path / "scores.csv", "case,iou\na,1\n")
    with pytest.raises(InputError, match="no column dice"):
        write_report(tiny.run, scores=tmp_path / "scores.csv")
    with pytest.raises(InputError, match="none of which is in the cohort"):
        write_report(tiny.run, predictions=tiny.predictions, cohort=tiny.cohort.select([]))


def test_a_run_of_several_labels_shows_them_one_by_one(tumour_run, tmp_path):
    options = {"predictions": tumour_run.predictions, "cohort": tumour_run.cohort, "scores": tumour_run.scores}
    page = write_report(tumour_run.run, out=tmp_path / "report.html", **options).read_text(encoding="utf-8")
    table = page[page.index('id="region-table"'):]
    assert re.findall(r"<tr><td>([\w ]+)</td><td>1</td>", table) == [
        "label 1", "label 2", "label 4", "whole", "core", "enhancing"
    ]
    assert "whole = 1 + 2 + 4; core = 1 + 4; enhancing = 4" in page
    assert all(f"Dice of label {label}" in page for label in (1, 2, 4))
    assert "slices of anna with labels of reference and prediction" in page
    assert all(text in page for text in ("of the whole lesion", "mean of the labels", "of any lesion over flair"))
    assert "a white line shows where the reference's lesion ends" in page


def test_a_run_of_one_class_has_no_regions(text):
    assert "region-table" not in text
    assert "Dice of label" not in text
