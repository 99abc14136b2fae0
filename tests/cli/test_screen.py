"""`mstl screen`, as a person types it."""
import shutil

import pandas as pd
import pytest

from mstl.models import build_model

NETWORK = ("--model", "unet-small", "--set", "width=2", "--set", "depth=2")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for name, width in (("a", 2), ("b", 2), ("wide", 3)):
        build_model("unet-small", seed=ord(name[0]), channels=2, width=width, depth=2).save_weights(
            folder / f"{name}.h5"
        )
    return folder


def test_files_are_ranked_and_what_cannot_be_used_is_told(mstl, files, tiny_prepared, tmp_path):
    out = tmp_path / "screen.csv"
    paths = [files / f"{name}.h5" for name in ("a", "wide", "b")]
    code, output, errors = mstl("screen", *paths, "--cases", tiny_prepared.folder, *NETWORK, "--out", out)
    assert (code, errors) == (0, "")
    assert f"Not used, {files / 'wide.h5'}: wide.h5 has nothing for" in output
    assert "Ranked by mean Dice over 3 cases of 3 subjects, 0 without lesion" in output
    assert "Of so few subjects, interval and share look surer than they are." in output
    assert pd.read_csv(out, comment="#")["rank"].tolist()[:2] == [1, 2]


def test_subjects_are_chosen(mstl, files, tiny_prepared, tmp_path):
    code, output, _ = mstl("screen", files / "a.h5", "--cases", tiny_prepared.folder, *NETWORK, "--subjects", "ras,pil",
                           "--by", "mdice", "--out", tmp_path / "screen.csv")  # fmt: skip
    assert (code, "Ranked by pooled mDice over 2 cases of 2 subjects" in output) == (0, True)


def test_nothing_that_can_be_used_is_an_error_that_leaves_the_reasons(mstl, files, tiny_prepared, tmp_path):
    out = tmp_path / "screen.csv"
    code, output, errors = mstl("screen", files / "a.h5", "--cases", tiny_prepared.folder, "--out", out)
    assert (code, errors.count("\n")) == (1, 1)
    assert "None of 1 checkpoints could be used" in errors
    assert "Give model (--model)" in output
    assert pd.read_csv(out, comment="#")["reason"].str.contains("is a file of weights").tolist() == [True]


def test_a_wrong_network_is_one_line_and_leaves_no_table(mstl, files, tiny_prepared, tmp_path):
    out = tmp_path / "screen.csv"
    code, _, errors = mstl("screen", files / "a.h5", "--cases", tiny_prepared.folder, "--model", "u-net", "--out", out)
    assert (code, out.exists()) == (1, False)
    assert "Model 'u-net' is unknown" in errors


def test_cases_without_masks_are_one_line(mstl, files, tiny_prepared, tmp_path):
    folder = tmp_path / "prepared"
    shutil.copytree(tiny_prepared.folder, folder)
    for path in folder.rglob("case.json"):
        text = path.read_text(encoding="utf-8")
        start = text.index('"lesion_voxels"')
        path.write_text(text[:start] + '"lesion_voxels": null' + text[text.index("]", start) + 1 :], encoding="utf-8")
    code, _, errors = mstl("screen", files / "a.h5", "--cases", folder, *NETWORK, "--out", tmp_path / "screen.csv")
    assert (code, "Cases without a mask: ras, pil, oblique" in errors) == (1, True)
