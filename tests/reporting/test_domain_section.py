"""The report's words on a domain shift: those of its record, a command where one could be measured, else nothing."""
import re
import shlex

import pytest
import yaml

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.reporting.domain_section import domain_section
from mstl.reporting.page import write_report
from tests.reporting.test_domain_words import record as shift_record

NOTE = "ms flair was prepared <b>otherwise</b>."


@pytest.fixture
def shift(tmp_path):
    write_json(tmp_path / "shift" / "domain_shift.json", shift_record(notes=[NOTE]))
    return tmp_path / "shift"


def page_of(run, **options):
    return write_report(run, **options).read_text(encoding="utf-8")


def test_the_page_shows_a_shift_that_is_given_as_a_hint(bare_run, shift):
    for given in (shift, shift / "domain_shift.json"):
        text = page_of(bare_run, domain_shift=given)
        section = text[text.index('<section id="domain">'):]
        section = section[:section.index("</section>")]
        assert "The squared MMD of ms flair (1,200 samples of 3 subjects) and ms t1" in section
        assert "never instead of results of training" in section
        assert "&lt;b&gt;otherwise" in section
        assert 'href="#domain"' in text


def test_the_page_shows_a_shift_that_lies_in_the_run(bare_run, shift):
    (shift / "domain_shift.json").rename(bare_run / "domain_shift.json")
    assert '<section id="domain">' in page_of(bare_run)


def test_a_run_that_began_with_another_one_says_how_the_shift_is_measured(bare_run, tmp_path):
    source = tmp_path / "the source"
    write_text(source / "experiment.yaml", yaml.safe_dump({"prepared": "prepared/flair"}))
    experiment = {"init": str(source), "prepared": "prepared/t1"}
    write_text(bare_run / "experiment.yaml", yaml.safe_dump(experiment))
    command = re.search(r"as a hint, by <code>(.*?)</code>", page_of(bare_run))[1]
    assert shlex.split(command) == [
        "mstl", "domain-shift", "prepared/flair", "prepared/t1", "--out", str(bare_run),
    ]  # fmt: skip
    assert domain_section(bare_run, {**experiment, "prepared": "prepared/flair"}) is None


def test_other_runs_say_nothing_of_it(bare_run):
    assert 'id="domain"' not in page_of(bare_run)
    assert domain_section(bare_run, {"init": "imagenet", "prepared": "prepared"}) is None


@pytest.mark.parametrize(("content", "words"), [
    ("{", "cannot be read as JSON"),
    ("{}", "is no record of a domain shift"),
    ("[1]", "is no record of a domain shift"),
])
def test_a_damaged_record_is_refused(bare_run, shift, content, words):
    (shift / "domain_shift.json").write_text(content)
    with pytest.raises(InputError, match=words):
        write_report(bare_run, domain_shift=shift)


def test_a_folder_without_a_record_is_refused(bare_run, tmp_path):
    with pytest.raises(InputError, match=r"domain_shift.json does not exist. Write it with 'mstl domain-shift A B"):
        write_report(bare_run, domain_shift=tmp_path / "nowhere")
