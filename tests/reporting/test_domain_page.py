"""The folder of a domain shift: numbers, pictures and a page that needs nothing else."""
import re

import pytest
from PIL import Image

from mstl.evaluation.domain_features import Features
from mstl.evaluation.domain_shift import compare_domains
from mstl.files import read_json
from mstl.reporting.domain_page import write_domain_shift
from tests.reporting.browser import References


@pytest.fixture(scope="module")
def page(tiny_prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shift")
    (folder / "history.csv").write_text("epoch\n")
    domains = [f"{tiny_prepared.folder}:{name}" for name in ("flair", "t1")]
    shift = compare_domains(*domains, features=Features(patch=(2, 2, 2), samples=8))
    drawn = []
    path = write_domain_shift(shift, folder, progress=drawn.append)
    assert drawn == ["pca", "tsne"]
    return path


def test_numbers_and_pictures_lie_beside_the_page_and_other_files_stay(page):
    record = read_json(page.with_suffix(".json"))
    assert record["partitions"] == 4
    assert any("never instead of results of training" in sentence for sentence in record["meaning"])
    for name in ("pca", "tsne"):
        assert Image.open(page.with_name(f"domain_shift_{name}.png")).size == (1430, 676)
    assert (page.parent / "history.csv").exists()
    assert len(list(page.parent.iterdir())) == 5


def test_the_page_says_what_it_found_and_that_it_is_a_hint(page):
    text = page.read_text(encoding="utf-8")
    head = " ".join(re.sub(r"<[^>]+>", "", text[text.index("<h1>"):text.index("<nav")]).split())
    assert head.startswith("out flair and out t1 The squared MMD of out flair (24 samples of 3 subjects)")
    assert "p cannot be below 0.25" in head
    assert "never instead of results of training" in head
    assert "means nothing, and clusters may appear where there are none" in text


def test_the_page_refers_to_nothing_outside(page):
    references = References()
    references.feed(page.read_text(encoding="utf-8"))
    assert {value.split(":")[0] if ":" in value else value[:1] for value in references.found} <= {"data", "#"}
