"""`mstl export` as a person types it: hand over, verify, predict; and what goes wrong."""
import shutil

import pytest

from tests.exported import SUBJECTS, maps_of, train_tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_case):
    folder = tmp_path_factory.mktemp("scans")
    return train_tiny(tmp_path_factory.mktemp("home"), [make_case(folder, name) for name in SUBJECTS])


def test_a_model_is_handed_over_verified_and_used(mstl, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = ("--name", "Lesions", "--about", "Tiny heads", "--license", "CC-BY-4.0")
    code, said, _ = mstl("export", trained.run, "model", "--scores", trained.scores, *texts)
    assert code == 0
    assert "MODEL_CARD.md has to say: nothing was chosen by 'mstl threshold'." in said
    assert "model: 0." in said
    assert "MB. Read model/MODEL_CARD.md." in said
    assert "# Lesions" in (tmp_path / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert mstl("weights", "verify", "model")[:2] == (0, "All 8 files of model are as they were exported.\n")
    images = trained.test[0].images
    code, said, _ = mstl("predict", "model", *(f"{name}={path}" for name, path in images.items()), "--out", "out")
    assert code == 0
    assert said.endswith("Wrote masks of 1 cases to out.\n")
    ours, theirs = maps_of(tmp_path / "out"), maps_of(trained.predictions)
    assert sorted(ours.values()) == sorted(theirs.values())


def test_the_command_says_what_the_card_lacks(mstl, trained, tmp_path):
    _, said, _ = mstl("export", trained.run, tmp_path / "model")
    assert "no scores of test subjects (--scores); nothing was chosen by 'mstl threshold'; nothing of disease" in said
    assert "no licence (--license)." in said


def test_a_damaged_model_is_told(mstl, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mstl("export", trained.run, "model")
    (tmp_path / "model" / "preparation.json").unlink()
    code, _, said = mstl("weights", "verify", "model")
    assert (code, said) == (
        1, "Error: model is not as it was exported: preparation.json is not here. Copy the folder again.\n"
    )  # fmt: skip
    assert mstl("weights", "verify", trained.run)[0] == 1


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ("case,subject\na,dora\n", "lacks the columns session, dice"),
        (None, "does not exist. Run 'mstl evaluate', or check the path."),
    ],
)
def test_scores_that_are_none_end_in_one_line(mstl, trained, tmp_path, scores, reason):
    path = tmp_path / "scores.csv"
    if scores:
        path.write_text(scores)
    code, _, said = mstl("export", trained.run, tmp_path / "model", "--scores", path)
    assert code == 1
    assert reason in said
    assert said.count("\n") == 1


def test_a_run_without_weights_ends_in_one_line(mstl, trained, tmp_path):
    run = shutil.copytree(trained.run, tmp_path / "run")
    (run / "best.h5").unlink()
    code, _, said = mstl("export", run, tmp_path / "model")
    assert (code, said) == (1, f"Error: Run {run} has no best.h5. Train it further with --resume.\n")
