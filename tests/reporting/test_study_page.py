"""The page of a study: the answer first, every section, and pages of studies that lack something."""
import html
import re

import pytest

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.reporting.study_page import write_study_report
from tests.reporting.browser import CHROMIUM, References, run_chromium
from tests.studies import TWINS, study_cohort, write_study

SECTIONS = ("answer", "alarm", "patients", "curves", "ranks", "lesions", "cases", "costs", "weights", "record")


def page(folder, twins=TWINS, **options):
    return write_study_report(folder, baseline="scratch", twins=twins, **options).read_text(encoding="utf-8")


def words(text):
    """The page's text, without tags and line breaks."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text[text.index("<body>"):]).split()))


def head(text):
    return words(text[: text.index("<nav aria")])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    cohort = study_cohort(root / "scans")
    return write_study(root / "my study <b>", sizes=(3, 9), cohort=cohort), cohort


@pytest.fixture(scope="module")
def text(study):
    return page(study[0], cohort=study[1])


def test_the_answer_comes_first_and_then_the_alarm(text):
    found = head(text)
    assert found.index("“tumour” has the best mean Dice of 3 strategies") < found.index("Negative transfer")
    assert "locked with 9 labelled subjects: -0.0" in found
    assert "not finished" not in found
    assert "24 of 24 trainings done" in found


def test_every_section_is_there_and_no_other_is_linked(text):
    assert all(f'id="{section}"' in text for section in SECTIONS)
    assert 'class="absent"' not in text
    assert set(re.findall(r'<a href="#(\w+)">', text)) == set(SECTIONS) - {"alarm"}


def test_the_page_refers_to_nothing_outside_and_names_are_text(text):
    references = References()
    references.feed(text)
    assert {value.split(":")[0] if ":" in value else value[:1] for value in references.found} == {"data", "#"}
    assert "my study &lt;b&gt;" in text
    assert "<b>my" not in text


def test_costs_transfer_and_record_are_told(text):
    found = words(text)
    assert "Frozen: the encoder (600 of 1,000 parameters)" in found
    assert "Over 8 trainings 8 frozen tensors were hashed before and after: none changed." in found
    assert "Holm's correction counts two families" in found
    assert "study.yaml" in found


def test_tables_for_a_paper_lie_beside_the_page(study, text):
    assert "tumour" in (study[0] / "table.tex").read_text(encoding="utf-8")
    assert "| tumour |" in (study[0] / "table.md").read_text(encoding="utf-8")


def test_equal_studies_give_equal_pages(study, text, tmp_path):
    without = page(study[0], out=tmp_path / "study.html")
    assert page(study[0], out=tmp_path / "again.html") == without
    assert without[: without.index("<nav aria")] == text[: text.index("<nav aria")]


def test_a_study_without_predictions_says_what_would_add_them(tmp_path):
    found = page(write_study(tmp_path, patients=6, sizes=(2,)))
    assert found.count('class="absent"') == 2
    assert "needs the predictions of the trainings and the cohort" in words(found)


def test_a_strategy_that_failed_is_said_and_its_reason_listed(tmp_path):
    found = page(write_study(tmp_path, sizes=(3, 6), failed=["locked"]))
    assert "This study is not finished: 16 of 24 trainings are done; 8 failed." in head(found)
    assert "Loss is nan &lt;in epoch 1&gt;" in found
    assert "best mean Dice of 2 strategies" in head(found)


def test_a_failed_baseline_leaves_the_others_without_a_twin(tmp_path):
    found = head(page(write_study(tmp_path, sizes=(3,), failed=["scratch"])))
    assert "No strategy could be compared with a twin from scratch" in found
    assert "Negative transfer" not in found


def test_one_size_and_one_seed_have_no_curve_and_leave_new_trainings_open(tmp_path):
    found = page(write_study(tmp_path, sizes=(6,), seeds=1, folds=1))
    assert 'id="curves"' not in found
    assert "whether it holds for newly trained networks is unknown" in head(found)
    assert "it was trained with 1 of at least 3 sizes" in head(found)


def test_empty_references_alone_give_a_page_without_a_comparison(tmp_path):
    found = page(write_study(tmp_path, sizes=(3,), empty=True))
    assert "No tested case has a lesion in its reference" in head(found)
    assert "12 tested cases have no lesion in the reference" in head(found)
    assert "predictions were empty there too in 100 % (locked)" in head(found)
    assert 'id="costs"' in found
    assert not (tmp_path / "table.md").exists()


def test_a_study_that_has_just_begun_has_a_page(tmp_path):
    folder = write_study(tmp_path, patients=4, sizes=(1,), failed=["scratch", "tumour", "locked"])
    write_text(folder / "study.csv", "\n")
    write_text(folder / "costs.csv", "\n")
    found = page(folder)
    assert "No training has finished yet" in head(found)
    assert "0 of 12 trainings are done; 12 failed" in head(found)


def test_names_with_special_characters_are_shown_as_they_are(tmp_path):
    odd = "a<i>&b"
    folder = write_study(tmp_path, gains={"scratch": 0, odd: 0.05}, patients=12, sizes=(3, 6))
    found = page(folder, twins={"scratch": None, odd: "scratch"})
    assert "<i>&b" not in found
    assert "“a&lt;i&gt;&amp;b” is better than its twin" in found


def test_two_patients_are_too_few_and_have_a_page(tmp_path):
    found = page(write_study(tmp_path, patients=2, sizes=(1,), seeds=1))
    assert "2 patients are too few to show" in head(found)


def test_a_domain_shift_stands_beside_the_alarm(tmp_path):
    folder = write_study(tmp_path, sizes=(3,))
    side = {"name": "tumours", "samples": 10, "subjects": ["a", "b"]}
    write_json(folder / "domain_shift.json", {
        "a": side, "b": {**side, "name": "lesions"}, "mmd2": 0.1234, "kernel": "rbf", "p": 0.5, "smallest_p": 0.3,
        "features": {"source": "intensities", "patch": [8, 8]}, "paired_subjects": 0, "notes": [],
    })  # fmt: skip
    assert "The squared MMD of tumours (10 samples of 2 subjects) and lesions" in head(page(folder))


def test_another_score_and_another_place_can_be_asked_for(tmp_path):
    folder = write_study(tmp_path / "study", patients=6, sizes=(3,))
    found = page(folder, score="lesion_f1", out=tmp_path / "else" / "page.html")
    assert "best mean lesion F1" in head(found)
    assert (tmp_path / "else" / "table.tex").exists()
    with pytest.raises(InputError, match="dise"):
        page(folder, score="dise")


def test_a_folder_that_is_no_study_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no study"):
        page(tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_nothing_is_wider_than_a_phone_but_what_scrolls(study, text, tmp_path):
    script = "<script>document.title = document.documentElement.scrollWidth</script></body>"
    write_text(tmp_path / "page.html", text.replace("</body>", script))
    found = run_chromium(tmp_path / "profile", "--window-size=500,900", "--dump-dom", f"file://{tmp_path}/page.html")
    assert int(re.search(r"<title>(\d+)", found)[1]) <= 500
