"""The page of a prior of kernels: the answer first, pictures, tables, the way on; and folders that lack something."""
import re
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from mstl.config import Experiment
from mstl.errors import InputError
from mstl.reporting.kernel_page import write_kernel_report
from mstl.reporting.page import write_report
from tests.reporting.browser import CHROMIUM, References, run_chromium
from tests.reporting.kernel_runs import write_kernel_run

SECTIONS = ("answer", "kernels", "curves", "groups", "networks", "next", "experiment", "environment")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_kernel_run(tmp_path_factory.mktemp("kernels") / "run <b>")


@pytest.fixture(scope="module")
def text(run):
    return write_kernel_report(run).read_text(encoding="utf-8")


def words(text):
    """The page's text, a blank in the place of each tag."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_answer_comes_first(text):
    head = words(text[text.index("<h1>"):text.index("<nav")])
    assert "Learned from 3,600 kernels of 2 networks. In 2 of 3 groups of layers" in head
    assert "+4.0 nats a kernel above a Gaussian in encoder_full, the most" in head
    assert "-1.0 nats a kernel in decoder_full, the least" in head
    assert "give more networks" in head
    assert "21 kernels of tiny norm dropped" in head
    assert "whole trainings were held out" in head


def test_every_section_is_there(text):
    assert all(f'id="{section}"' in text for section in SECTIONS)
    assert text.count("<svg") == 2
    assert "encoder_half_conv1, encoder_half_conv2" in text
    rows = words(text[text.index('id="networks"'):text.index('id="next"')])
    assert "runs/a/best.h5 1,800 0" in rows
    assert "7 of encoder_full, 7 of encoder_half, 7 of decoder_full" in rows


def test_the_report_refers_to_nothing_outside_and_names_are_text(text):
    references = References()
    references.feed(text)
    assert {value.split(":")[0] if ":" in value else value[:1] for value in references.found} <= {"data", "#"}
    assert "run &lt;b&gt;" in text
    assert not re.search(r"run <b>|b <i>", text)


def test_what_comes_next_is_an_experiment_that_can_be_trained(run, text):
    section = text[text.index('id="next"'):text.index('id="experiment"')]
    stated = re.search(r"<pre>(.*?)</pre>", section, re.DOTALL)[1].replace("&lt;", "<").replace("&gt;", ">")
    settings = Experiment.from_dict(yaml.safe_load(stated.replace("&#39;", "'")))
    assert (settings.model, settings.prior) == ("unet3d-bayesian", str(run))
    assert settings.model_options == {"num_classes": 2, "filters": [4, 8]}


def test_the_report_of_a_folder_is_that_of_what_it_learned(run, tmp_path):
    assert "Prior of kernels" in write_report(run, out=tmp_path / "x.html").read_text()
    with pytest.raises(InputError, match="segments nothing: its report takes no predictions"):
        write_report(run, predictions=tmp_path)


@pytest.mark.parametrize("name", ["history.csv", "groups.csv", "kernels.csv", "prior.h5"])
def test_a_folder_that_lacks_a_file_is_an_error_in_a_line(run, tmp_path, name):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(InputError) as caught:
        write_kernel_report(folder)
    assert f"{name} does not exist" in str(caught.value)
    assert "mstl pretrain kernel-prior" in str(caught.value)


@pytest.mark.parametrize("name", ["groups.csv", "kernels.csv"])
def test_a_table_that_lacks_a_column_is_an_error_in_a_line(run, tmp_path, name):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / name).write_text("group\nencoder_full\n")
    with pytest.raises(InputError, match=rf"{name} has no column .*kernels"):
        write_kernel_report(folder)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_draws_the_page(run, tmp_path):
    report, picture = write_kernel_report(run, out=tmp_path / "report.html"), tmp_path / "report.png"
    run_chromium(tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,2000", report.as_uri())
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert len(np.unique(pixels)) > 50
    assert all(pixels[top:top + 500].std() > 5 for top in range(0, 2000, 500))
