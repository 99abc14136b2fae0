"""Scores of test subjects: summed up by subject, refused where they leak."""
import numpy as np
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.evaluation.scores import COLUMNS, PICTURE_RULE
from mstl.files import write_json
from mstl.reporting.held_out import held_out_scores, made_by, rounded, volume_range

SIDES = {"train": ("a", "b"), "validation": ("c",), "test": ("d", "e", "f", "g", "h", "i")}


def write(path, dice, *, header="", **columns):
    """A scores.csv of these Dice by (subject, session)."""
    rows = pd.DataFrame([{"subject": who, "session": when, "dice": value} for (who, when), value in dice.items()])
    rows["case"] = rows["subject"] + rows["session"].map(lambda when: f"_{when}" if when else "")
    rows = rows.reindex(columns=[*COLUMNS]).fillna({name: 0.5 for name in COLUMNS[4:]})
    rows["empty_reference"] = 0
    rows["reference_ml"] = np.arange(1.0, len(rows) + 1)
    path.write_text(header + rows.assign(**columns).to_csv(index=False, na_rep="nan"))
    return path


def alone(**dice):
    return {(subject, ""): value for subject, value in dice.items()}


def test_a_subject_counts_once_by_the_mean_of_its_sessions(tmp_path):
    scores = write(tmp_path / "s.csv", {("d", "1"): 0.2, ("d", "2"): 0.4, ("e", ""): 0.7})
    found = held_out_scores(scores, SIDES)
    assert (found["subjects"], found["cases"], found["test_subjects"]) == (2, 3, 6)
    dice = found["scores"]["dice"]
    assert dice.pop("sd") == pytest.approx(0.4 / np.sqrt(2))
    assert dice == pytest.approx({"subjects": 2, "median": 0.5, "mean": 0.5, "low": 0.3, "high": 0.7})


def test_one_subject_has_no_spread(tmp_path):
    assert held_out_scores(write(tmp_path / "s.csv", alone(d=0.2)), SIDES)["scores"]["dice"]["sd"] is None


def test_empty_references_are_counted_apart(tmp_path):
    empty = {"empty_reference": [0, 1, 1], "predicted_lesions": [2, 0, 3]}
    found = held_out_scores(write(tmp_path / "s.csv", alone(d=0.2, e=1.0, f=0.0), **empty), SIDES)
    assert (found["with_lesion"], found["scores"]["dice"]["mean"]) == (1, 0.2)
    assert found["empty_reference"] == {"cases": 2, "without_false_lesions": 1}


def test_distances_that_are_undefined_are_left_out(tmp_path):
    scores = write(tmp_path / "s.csv", alone(d=0.2, e=0.4), hausdorff95_mm=[np.nan, 3.0])
    assert held_out_scores(scores, SIDES)["scores"]["hausdorff95_mm"]["subjects"] == 1


def test_volumes_are_told_of_three_subjects_with_two_digits(tmp_path):
    assert held_out_scores(write(tmp_path / "s.csv", alone(d=0.2, e=0.4)), SIDES)["volume"] is None
    volumes = {"reference_ml": [1.234, 49.87, 7.0]}
    found = held_out_scores(write(tmp_path / "s.csv", alone(d=0.2, e=0.4, f=0.3), **volumes), SIDES)
    assert found["volume"] == {"low": 1.2, "median": 7.0, "high": 50.0}
    assert volume_range([]) is None
    assert rounded(0.01234) == 0.012


def test_halves_by_size_are_told_from_six_subjects_on(tmp_path):
    dice = alone(d=0.1, e=0.2, f=0.3, g=0.7, h=0.8, i=0.9)
    halves = held_out_scores(write(tmp_path / "s.csv", dice), SIDES)["halves"]
    assert halves["parted_at"] == 3.5
    assert (halves["smaller"]["median"], halves["larger"]["median"]) == pytest.approx((0.2, 0.8))
    dice.popitem()
    assert held_out_scores(write(tmp_path / "s.csv", dice), SIDES)["halves"] is None


def test_pictures_are_counted_in_pixels(tmp_path):
    found = held_out_scores(write(tmp_path / "s.csv", alone(d=1, e=1, f=1), header=f"# {PICTURE_RULE}\n"), SIDES)
    assert (found["unit"], found["volume"]["low"]) == ("pixels", 1000)


def test_no_name_is_in_the_sums(tmp_path):
    names = ("zoe", "yan")
    found = held_out_scores(write(tmp_path / "s.csv", alone(zoe=0.2, yan=0.4)), SIDES | {"test": names})
    assert not [name for name in names if name in str(found)]


@pytest.mark.parametrize(
    ("dice", "message"),
    [
        (alone(d=0.1, a=0.9), r"subjects of the run's train side \(a\): it trained on them"),
        (alone(c=0.9), r"subjects of the run's validation side \(c\): it chose its weights on them"),
        (alone(k=0.1, l=0.1, m=0.1, n=0.1), r"not the run's test subjects \(k, l, m and 1 more\)"),
    ],
)
def test_scores_of_others_are_refused(tmp_path, dice, message):
    with pytest.raises(InputError, match=message):
        held_out_scores(write(tmp_path / "s.csv", dice), SIDES)


def test_a_case_that_stands_there_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="has case d twice"):
        held_out_scores(write(tmp_path / "s.csv", alone(d=0.1, e=0.2), case=["d", "d"]), SIDES)


def test_a_table_without_cases_is_refused(tmp_path):
    (tmp_path / "s.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InputError, match="has no case"):
        held_out_scores(tmp_path / "s.csv", SIDES)


def test_regions_are_summed_up_where_they_are_of_the_same_cases(tmp_path):
    dice = alone(d=0.2, e=0.4)
    scores = write(tmp_path / "s.csv", dice)
    write(tmp_path / "s_regions.csv", dice, region="core")
    assert held_out_scores(scores, SIDES)["regions"]["core"]["median"] == pytest.approx(0.3)
    write(tmp_path / "s_regions.csv", alone(d=0.2), region="core")
    with pytest.raises(InputError, match=r"s_regions\.csv has other cases than"):
        held_out_scores(scores, SIDES)


def test_how_the_scored_masks_were_made_is_told(tmp_path):
    scores = write(tmp_path / "s.csv", alone(d=0.2))
    cut = {"threshold": 0.4, "minimum_ml": 0.01, "flip_average": True}
    write_json(tmp_path / "p" / "d.json", {"weights_sha256": "ff"} | cut)
    said = made_by(scores, tmp_path / "p", weights_sha256="ff")
    assert said.endswith("threshold 0.4, without components below 0.01 ml, averaged with mirrored images (`--flip`).")
    with pytest.raises(InputError, match="case d by other weights"):
        made_by(scores, tmp_path / "p", weights_sha256="00")
    assert "not checked" in made_by(scores, None, weights_sha256="ff")
