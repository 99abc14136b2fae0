"""The doctor's page: worst first, an overlay a case, the suspected place of a mask, nothing from the network."""
import re

import pytest

from mstl.data.case import Case
from mstl.data.check import check_cohort
from mstl.data.checks.finding import Finding
from mstl.reporting.check_page import write_check_page
from tests.corpus import FAULTS, copy_case, write_case
from tests.pictures import fluid, grey, save


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    sound = [write_case(folder, f"sound-{seed}", seed=seed) for seed in (0, 1)]
    bad = [copy_case(sound[1], folder, f"bad-{number}") for number in range(3)]
    for case, name in zip(bad, ("a mask mirrored along the first axis", "a mask without affine", "an empty mask"),
                          strict=True):
        FAULTS[name].plant(case, sound[0])
    for path in bad[2].images.values():
        path.write_text("no scan")
    return [sound[0], *bad]


@pytest.fixture(scope="module")
def page(planted, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "check.html"
    return write_check_page(planted, check_cohort(planted), out=out, title="<my> cohort").read_text()


def test_the_worst_case_comes_first_and_sound_ones_last(page, planted):
    names = re.findall(r"<h2>([\w-]+-\d)<", page)
    assert names[0] == "bad-2"  # three scans that cannot be read
    assert names[-1] == "sound-0"
    assert set(names) >= {case.name for case in planted}


def test_every_case_that_can_be_read_has_a_picture(page):
    assert page.count("data:image/png;base64,") == 3
    assert page.count("nothing to draw") == 1


def test_names_are_escaped_and_nothing_is_loaded(page):
    assert "&lt;my&gt; cohort" in page
    assert not re.search(r"https?://|src=\"(?!data:)|@import", page)


def test_findings_and_what_mends_them_are_told(page):
    assert "mirrored left-right" in page
    assert "--fix mends it" in page


def test_no_more_cases_than_asked_for_are_drawn(planted, tmp_path):
    findings = [Finding(planted[1].name, "mask", "warning", "odd", "Look at it.")]
    text = write_check_page(planted, findings, out=tmp_path / "x.html", sheets=1).read_text()
    assert text.count("data:image/png;base64,") == 1
    assert "Drawn: 1 case, the worst first" in text
    assert planted[0].name in text.split("Nothing found in")[1]


def test_a_sound_cohort_says_so(planted, tmp_path):
    text = write_check_page(planted[:1], [], out=tmp_path / "x.html", sheets=0).read_text()
    assert "Nothing is wrong" in text


def test_labels_are_drawn_as_such_unless_a_mask_seems_misplaced(planted, tmp_path):
    labelled, mirrored = (copy_case(planted[0], tmp_path, name) for name in ("labelled", "mirrored"))
    for case in (labelled, mirrored):
        FAULTS["a mask of labels"].plant(case, planted[0])
    FAULTS["a mask mirrored along the first axis"].plant(mirrored, planted[0])
    cases = [labelled, mirrored, planted[0]]
    text = write_check_page(cases, check_cohort(cases), out=tmp_path / "x.html").read_text()
    assert "slices of labelled with its mask&#39;s labels" in text
    assert "slices of mirrored with its mask&#39;s outline" in text


def test_pictures_are_drawn_whole_and_not_as_slices_of_a_head(tmp_path):
    image, mask = save(tmp_path / "a.png", grey(size=(40, 48))), save(tmp_path / "m.png", fluid((40, 48)))
    cases = [Case("one", images={"oct": image}, mask=mask), Case("two", images={"oct": image})]
    page = write_check_page(cases, check_cohort(cases), out=tmp_path / "check.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "The oct image of one with its mask&#39;s outline" in page
    assert "Axial" not in page
