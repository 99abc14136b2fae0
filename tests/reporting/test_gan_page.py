"""The page of a pre-training: the answer first, pictures, tables, the way on; for unfinished runs too."""
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from mstl.config import Experiment
from mstl.errors import InputError
from mstl.files import write_text
from mstl.reporting.gan_page import write_gan_report
from mstl.reporting.page import write_report
from tests.reporting.browser import CHROMIUM, References, run_chromium
from tests.reporting.gan_runs import gan_subjects, write_gan_run

SECTIONS = ("answer", "sheets", "curves", "subjects", "next", "experiment", "environment")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_gan_run(tmp_path_factory.mktemp("gan") / "run <b>")


@pytest.fixture(scope="module")
def text(run):
    return write_gan_report(run).read_text(encoding="utf-8")


def words(text):
    """The page's text, without tags and line breaks."""
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


def test_the_answer_comes_first(text):
    head = words(text[text.index("<h1>"):text.index("<nav")])
    assert "hidden pixels of 3 held-out test subjects the generator errs by 0.0420" in head
    assert "mean fill errs 2.86 times as much and Gaussian inpainting errs 1.67 times as much" in head
    assert "It beats mean fill and Gaussian inpainting." in head
    assert "less in 3 of 3 subjects" in head
    assert "unfinished" not in head


def test_every_section_is_there_and_test_subjects_lead_their_table(text):
    assert all(f'id="{section}"' in text for section in SECTIONS)
    assert re.findall(r"<tr><td>(\w\d\d)</td>", text) == ["t02", "t01", "t00", "v02", "v01", "v00"]


def test_the_report_refers_to_nothing_outside_and_names_are_text(text):
    references = References()
    references.feed(text)
    assert {value.split(":")[0] if ":" in value else value[:1] for value in references.found} == {"data", "#"}
    assert "default-src 'none'" in text
    assert "run &lt;b&gt;" in text
    assert "run <b>" not in text


def test_few_sheets_are_all_shown_and_of_many_the_first_some_and_the_last(run, tmp_path):
    assert re.findall(r'id="epoch-(\d+)"', write_gan_report(run).read_text()) == ["0", "10", "20", "30", "40"]
    shutil.copytree(run, tmp_path / "many")
    for epoch in range(1, 40):
        shutil.copy(run / "samples" / "epoch-0010.png", tmp_path / "many" / "samples" / f"epoch-{epoch:04d}.png")
    text = write_gan_report(tmp_path / "many").read_text()
    assert re.findall(r'id="epoch-(\d+)"', text) == ["0", "8", "16", "24", "32", "40"]
    assert "Shown: 6 of 41 sheets" in text


def test_what_comes_next_is_an_experiment_that_can_be_trained(run, text):
    section = text[text.index('id="next"'):text.index('id="experiment"')]
    settings = Experiment.from_dict(yaml.safe_load(re.search(r"<pre>(.*?)</pre>", section, re.DOTALL)[1]
                                                   .replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'")))
    assert settings.init == str(run)
    assert settings.model == "pix2pix-segmenter"
    assert settings.model_options == {"width": 32, "norm_mode": "instance", "rescale": True}
    assert settings.twin
    assert settings.validation_subjects == ("04",)
    assert "--set freeze=encoder" in section


def test_a_generator_of_the_unit_range_needs_no_rescaling(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "experiment.yaml"
    write_text(path, path.read_text().replace("tanh", "sigmoid").replace("crop: null", "crop: 64"))
    text = write_gan_report(tmp_path / "run").read_text()
    assert "rescale: false" in text
    assert "crop: 64" in text


def test_a_u_net_gives_its_decoder_too(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "experiment.yaml"
    write_text(path, path.read_text() + "generator: unet-s5\n")
    text = write_gan_report(tmp_path / "run").read_text()
    assert "Give this encoder and decoder to a segmenter" in text
    assert "model: unet-s5" in text
    assert "model_options: {width: 32}" in text


def test_networks_are_opponents_where_there_are_two(run, text, tmp_path):
    told = "two networks are opponents"
    assert told in text
    shutil.copytree(run, tmp_path / "run")
    history = pd.read_csv(run / "history.csv")
    of_two = [name for name in history if name.endswith(("discriminator_loss", "adversarial_loss"))]
    history.drop(columns=of_two).to_csv(tmp_path / "run" / "history.csv", index=False)
    assert told not in write_gan_report(tmp_path / "run").read_text()


def test_a_stopped_run_says_how_to_go_on(tmp_path):
    text = words(write_gan_report(write_gan_run(tmp_path / "run", epochs=13)).read_text())
    assert "unfinished 13 of 40 epochs are done" in text
    assert "--resume" in text
    assert "In the hidden pixels of the validation slices the generator errs by" in text
    assert "is written when the training ends" in text


@pytest.mark.parametrize(("patience", "unfinished"), [(5, False), (6, True)])
def test_a_run_whose_patience_ended_is_finished(tmp_path, patience, unfinished):
    run = write_gan_run(tmp_path / "run", epochs=35, wanted=40)  # the best epoch is 30
    with (run / "experiment.yaml").open("a") as file:
        file.write(f"stop_patience: {patience}\n")
    assert ("35 of 40 epochs are done" in words(write_gan_report(run).read_text())) == unfinished


def test_a_run_of_one_epoch_without_validation_claims_nothing(tmp_path):
    run = write_gan_run(tmp_path / "run", epochs=1, wanted=1, validation=False)
    text = words(write_gan_report(run, out=tmp_path / "x.html").read_text())
    assert "No subject was held out" in text
    assert "times as much" not in text
    assert "holds no sheet" in text
    assert re.search("1 ?epoch;", text)
    assert not (run / "report.html").exists()


def test_scores_that_are_absent_are_dashes(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    table = gan_subjects(sides=("test",), each=2)
    table.loc[1, ["ssim", "mae"]] = np.nan
    write_text(tmp_path / "run" / "restoration.csv", table.to_csv(index=False))
    assert "<td>–</td>" in write_gan_report(tmp_path / "run").read_text()


@pytest.mark.parametrize(("name", "content", "message"), [
    ("history.csv", "epoch,loss\n1,2\n", "no column l1_loss"),
    ("restoration.csv", "subject,side\na,test\n", "no column gaussian_mae"),
    ("baselines.json", "{", r"baselines\.json cannot be read as JSON"),
])
def test_damaged_files_are_named_in_one_line(run, tmp_path, name, content, message):
    shutil.copytree(run, tmp_path / "run")
    write_text(tmp_path / "run" / name, content)
    with pytest.raises(InputError, match=message) as caught:
        write_gan_report(tmp_path / "run", out=tmp_path / "x.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x.html").exists()


def test_a_run_without_a_finished_epoch_is_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "history.csv").unlink()
    with pytest.raises(InputError, match=r"history\.csv does not exist.*'mstl pretrain gan'"):
        write_gan_report(tmp_path / "run")


def test_the_report_of_a_folder_is_that_of_what_it_trained(run, tmp_path):
    path = write_report(run, out=tmp_path / "x.html")
    assert "Self-supervised pre-training" in path.read_text()
    with pytest.raises(InputError, match="segments nothing: its report takes no predictions, scores"):
        write_report(run, predictions=tmp_path, scores=tmp_path / "scores.csv")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_draws_the_page(run, tmp_path):
    report, picture = write_gan_report(run, out=tmp_path / "report.html"), tmp_path / "report.png"
    run_chromium(tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,2600", report.as_uri())
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert len(np.unique(pixels)) > 50
    assert all(pixels[top:top + 650].std() > 5 for top in range(0, 2600, 650))
