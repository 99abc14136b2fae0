"""`mstl evaluate` prints a row a case and, of tumours, a row a region."""
import numpy as np
import pytest

from mstl import Cohort
from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.volume import read_mask, read_volume, write_volume
from mstl.files import write_json
from tests.labelled import with_labels
from tests.spots import write_pictures


@pytest.fixture
def tumour(tmp_path, make_case):
    """A cohort.csv of a tumour of labels 1, 2 and 4, and a folder with a prediction that misses label 4."""
    case = with_labels(make_case(tmp_path / "scans", "p"))
    Cohort([case]).to_csv(tmp_path / "cohort.csv")
    mask = read_volume(case.mask)
    missed = np.where(mask.data == 4, 0, mask.data).astype(np.uint8)
    write_volume(tmp_path / "predictions" / "p_prediction.nii.gz", missed, mask.affine)
    write_json(tmp_path / "predictions" / "p.json", {"case": "p", "labels": [1, 2, 4]})
    return tmp_path / "predictions", tmp_path / "cohort.csv", "--out", tmp_path / "scores.csv"


def test_the_mean_dice_of_every_region_is_shown(mstl, tumour):
    code, output, _ = mstl("evaluate", *tumour)
    rows = {line.split("│")[1].strip(): line for line in output.splitlines() if "│" in line}
    assert (code, {"label 1", "label 2", "label 4", "whole", "core", "enhancing"} <= set(rows)) == (0, True)
    assert "│ 0 " in rows["enhancing"]
    assert "│ 1 " in rows["label 2"]
    assert "scores_regions.csv" in output


def test_regions_are_named_on_the_command_line(mstl, tumour):
    code, output, _ = mstl("evaluate", *tumour, "--region", "rim=2,4")
    assert (code, "rim" in output) == (0, True)
    code, _, errors = mstl("evaluate", *tumour, "--region", "rim=2,9")
    assert (code, "Region 'rim' is of labels 2,9" in errors) == (1, True)


def test_one_class_of_all_labels_has_no_regions(mstl, tumour):
    code, output, _ = mstl("evaluate", *tumour, "--binarise-masks")
    assert (code, "enhancing" in output, "Mean Dice" in output) == (0, False, True)


def test_pictures_are_scored_in_pixels_and_pooled(mstl, tmp_path):
    cohort = write_pictures(tmp_path / "in")
    for case in cohort:
        write_volume(tmp_path / "out" / f"{case.name}_prediction.png", read_mask(case.mask).data * 255, PICTURE_AFFINE)
    code, output, _ = mstl("evaluate", tmp_path / "out", tmp_path / "in" / "cohort.csv", "--out", tmp_path / "s.csv")
    row = next(line for line in output.splitlines() if "a_1" in line)
    pixels = f"│ {read_mask(cohort[0].mask).data.sum()} "
    assert (code, row.count(pixels), "pixels, reference" in output) == (0, 2, True)
    means = "mDice 1.000, mAcc 1.000, mIoU 1.000, mFscore 1.000"
    assert f"Pooled over 3 images: {means}; Dice 1.000 of the lesion." in output


def test_long_names_of_cases_are_shown_whole(mstl, tmp_path):
    names = ["Subject_01_img_10_left_eye", "Subject_01_img_10_right_eye"]
    cohort = write_pictures(tmp_path / "in", [(name, "") for name in names])
    for case in cohort:
        write_volume(tmp_path / "out" / f"{case.name}_prediction.png", read_mask(case.mask).data * 255, PICTURE_AFFINE)
    code, output, _ = mstl("evaluate", tmp_path / "out", tmp_path / "in" / "cohort.csv", "--out", tmp_path / "s.csv")
    cells = "".join(line.split("│")[1].strip() for line in output.splitlines() if line.startswith("│"))
    assert (code, cells) == (0, "".join(names))


def test_regions_of_pictures_are_told_in_pixels(mstl, tmp_path):
    cohort = write_pictures(tmp_path / "in", [("a", "1")])
    mask = read_mask(cohort[0].mask).data
    mask[:, : mask.shape[1] // 2] *= 2
    for path in (cohort[0].mask, tmp_path / "out" / f"{cohort[0].name}_prediction.png"):
        write_volume(path, mask, PICTURE_AFFINE)
    options = ("--labels", "1,2", "--out", tmp_path / "s.csv")
    code, output, _ = mstl("evaluate", tmp_path / "out", tmp_path / "in" / "cohort.csv", *options)
    assert (code, "label 2" in output, "mean HD95 pixels" in output, "HD95 mm" in output) == (0, True, True, False)
