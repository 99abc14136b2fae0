"""The report of a run beside its twin from scratch."""
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.reporting.page import write_report


@pytest.fixture
def run(bare_run):
    """A run with the encoder of a GAN, and its twin."""
    settings = {"epochs": 4, "seed": 1, "validation_subjects": ["c"], "test_subjects": ["a", "b"]}
    transfer = {"init": "runs/<gan>", "init_include": ["encoder"], "freeze": ["encoder"], "twin": True}
    scratch = {"init": "random", "init_include": [], "freeze": ["none"], "twin": False}
    history = pd.read_csv(bare_run / "history.csv")
    write_text(bare_run / "experiment.yaml", yaml.safe_dump({**settings, **transfer}))
    write_text(bare_run / "twin/experiment.yaml", yaml.safe_dump({**settings, **scratch}))
    write_text(bare_run / "twin/history.csv", history.assign(val_dice=[0.1, 0.15, 0.2, 0.18]).to_csv(index=False))
    return bare_run


def table(dice, *, subjects=None, volumes=1.0, names=None):
    """Scores of one case a Dice; a volume of 0 is an empty reference."""
    names = names or [f"case-{number}" for number in range(len(dice))]
    volumes = np.broadcast_to(volumes, len(dice))
    scores = pd.DataFrame({"case": names, "dice": dice, "reference_ml": volumes, "prediction_ml": 1.0})
    return scores if subjects is None else scores.assign(subject=subjects)


def section(run, **given):
    text = write_report(run, **given).read_text(encoding="utf-8")
    return text[text.index('id="twin"') : text.index('id="overlays"')]


def commands(text):
    return re.findall(r"<li><code>(.*?)</code>", text)


def test_both_are_shown_with_their_best_validation_dice_and_thresholds(run):
    write_json(run / "twin/threshold.json", {"threshold": 0.35})
    text = section(run)
    assert "the best Dice of this run is 0.300 (epoch 2), that of its twin 0.200 (epoch 3)" in text
    assert "model, seed, split, settings and budget are the same" in text
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in text.split("<tr>")[2:]]
    assert rows[0] == ["this run", "runs/&lt;gan&gt; (encoder)", "encoder", "0.300", "2 of 4", "0.5, not chosen"]
    assert rows[1] == ["twin from scratch", "random weights", "nothing", "0.200", "3 of 4", "0.35"]
    assert text.count("<svg") == 1
    assert 'href="#twin"' in (run / "report.html").read_text()


def test_a_learned_prior_and_its_settings_are_meant_to_differ(run):
    settings = yaml.safe_load((run / "experiment.yaml").read_text())
    ours = {"prior": "runs/prior", "prior_start": True, "kl_weight": 0.1, "kl_epochs": 2, "variance_rate": 10.0}
    scratch = {"prior": "none", "prior_start": False, "kl_weight": 1.0, "kl_epochs": 0, "variance_rate": 1.0}
    write_text(run / "experiment.yaml", yaml.safe_dump(settings | ours))
    twin = yaml.safe_load((run / "twin/experiment.yaml").read_text())
    write_text(run / "twin/experiment.yaml", yaml.safe_dump(twin | scratch))
    assert "model, seed, split, settings and budget are the same" in section(run)


def test_patients_are_paired_and_few_of_them_are_said_to_show_a_tendency(run):
    ours = table([0.6, 0.8, 0.5, 0.0], subjects=["a", "a", "b", "e"], volumes=[1, 2, 3, 0])
    theirs = table([0.5, 0.5, 0.6, 1.0], subjects=["a", "a", "b", "e"], volumes=[1, 2, 3, 0])
    text = section(run, scores=ours, twin_scores=theirs)
    assert "Over 2 patients the mean Dice of this run is 0.600, that of its twin 0.550" in text
    assert "a mean difference of +0.050; higher than the twin for 1, lower for 1." in text
    assert "With 2 patients this shows no more than a tendency." in text
    assert text.count("<svg") == 2
    assert not commands(text)


def test_of_many_patients_no_tendency_is_spoken_and_no_claim_made(run):
    ours, theirs = table(np.linspace(0.2, 0.8, 20)), table(np.linspace(0.1, 0.7, 20))
    text = section(run, scores=ours, twin_scores=theirs)
    assert "Over 20 cases" in text
    assert "tendency" not in text
    assert "significant" not in text


def test_a_case_that_only_one_was_scored_on_is_named_and_left_out(run):
    ours, theirs = table([0.6, 0.9], names=["x", "y"]), table([0.5, 0.1], names=["x", "z"])
    text = section(run, scores=ours, twin_scores=theirs)
    assert "Over 1 case the mean Dice of this run is 0.600" in text
    assert "Scored for only one of the two, and left out: y, z." in text


def test_where_scores_are_absent_the_commands_that_make_them_are_shown(run):
    name = str(run)
    assert commands(section(run)) == [
        f"mstl threshold {name}",
        f"mstl predict {name} --out predictions",
        "mstl evaluate predictions cohort.csv --subjects a,b --out scores.csv",
        f"mstl threshold {name}/twin",
        f"mstl predict {name}/twin --out twin-predictions",
        "mstl evaluate twin-predictions cohort.csv --subjects a,b --out twin.csv",
        f"mstl report {name} --scores scores.csv --twin-scores twin.csv",
    ]


def test_commands_begin_with_what_is_still_to_do_and_score_the_same_subjects(run):
    write_json(run / "twin/threshold.json", {"threshold": 0.35})
    assert commands(section(run, scores=table([0.5, 0.5], subjects=["b", "d"]))) == [
        f"mstl predict {run}/twin cohort.csv --subjects b,d --out twin-predictions",
        "mstl evaluate twin-predictions cohort.csv --subjects b,d --out twin.csv",
        f"mstl report {run} --scores scores.csv --twin-scores twin.csv",
    ]


def test_one_chosen_threshold_of_two_is_pointed_out(run):
    write_json(run / "threshold.json", {"threshold": 0.35})
    scores = table([0.5])
    assert f"mstl threshold {run}/twin" in section(run, scores=scores, twin_scores=scores)
    write_json(run / "twin/threshold.json", {"threshold": 0.35})
    assert "Only one of the two" not in section(run, scores=scores, twin_scores=scores)


def test_an_automatic_loss_is_another_one_where_only_one_has_a_prior(run):
    for path, prior in ((run / "experiment.yaml", "runs/prior"), (run / "twin/experiment.yaml", "none")):
        write_text(path, yaml.safe_dump({**yaml.safe_load(path.read_text()), "loss": "auto", "prior": prior}))
    assert "differs in loss (&#39;auto&#39; is a likelihood with a prior) too" in section(run)


def test_a_setting_that_differs_besides_is_named(run):
    other = yaml.safe_load((run / "twin/experiment.yaml").read_text())
    write_text(run / "twin/experiment.yaml", yaml.safe_dump({**other, "seed": 2}))
    assert "but it differs in seed too" in section(run)


def test_without_validation_there_is_no_dice_to_compare(run):
    for folder in (run, run / "twin"):
        history = pd.read_csv(folder / "history.csv").drop(columns=["val_dice", "val_loss"])
        write_text(folder / "history.csv", history.to_csv(index=False))
    text = section(run)
    assert "both were trained without validation cases" in text
    assert "<svg" not in text


def test_a_twin_that_was_stopped_says_how_it_goes_on(run):
    (run / "twin/history.csv").unlink()
    assert f"mstl train {run}/experiment.yaml --out {run} --resume" in section(run)


def test_a_run_without_a_twin_says_nothing_of_one(bare_run):
    assert 'id="twin"' not in write_report(bare_run).read_text()


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (None, table([0.5]), "Scores of the twin are given, but none of the run"),
        (table([0.5], volumes=1.0), table([0.5], volumes=2.0), "Case case-0 was scored against other masks"),
        (table([0.5], names=["x"]), table([0.5], names=["y"]), "share no case with lesions"),
        (table([0.5], volumes=0.0), table([0.5], volumes=0.0), "share no case with lesions"),
        (table([0.5, 0.6], names=["x", "x"]), table([0.5], names=["x"]), "Case x stands twice"),
    ],
)
def test_scores_that_do_not_fit_together_are_refused(run, ours, theirs, message):
    with pytest.raises(InputError, match=message):
        write_report(run, scores=ours, twin_scores=theirs)


def test_scores_of_a_twin_that_is_not_there_are_refused(bare_run):
    with pytest.raises(InputError, match="has no trained twin"):
        write_report(bare_run, scores=table([0.5]), twin_scores=table([0.5]))


def test_masks_that_are_there_are_not_predicted_again(run, tiny):
    given = {"predictions": tiny.predictions, "cohort": tiny.cohort}
    first, *_, last = commands(section(run, **given))
    assert first == f"mstl evaluate {tiny.predictions} cohort.csv --subjects a,b --out scores.csv"
    assert last.startswith(f"mstl report {run} --predictions {tiny.predictions} --cohort cohort.csv --scores")


def test_several_classes_have_no_threshold_but_a_clean_up(run):
    history = pd.read_csv(run / "history.csv").assign(val_dice_1=0.2, val_dice_4=0.4)
    write_text(run / "history.csv", history.to_csv(index=False))
    assert "<td>most probable class</td>" in section(run)
    write_json(run / "threshold.json", {"threshold": None, "minimum_ml": 0.01, "largest_only": False})
    assert "most probable class, without components below 0.01 ml" in section(run)
