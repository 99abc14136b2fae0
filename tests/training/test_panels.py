"""Panels stand in rows and columns, with their words beside and above."""
import numpy as np
import pytest
from PIL import Image

from mstl.training.panels import draw_panels, grey, scale_of, write_png

PANELS = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1) + np.zeros((1, 1, 40, 50), np.uint8)
LABELS = [("flair", "input"), ("", "output")]


def test_panels_keep_their_order_and_are_wide_enough_for_their_names():
    picture = draw_panels(PANELS, labels=LABELS, names=["a", "b", "c"], title="step 1")
    height, width = 160, 200  # every pixel four times
    for row in range(2):
        for column in range(3):
            bottom, right = -(1 - row) * (height + 4) - 4, -(2 - column) * (width + 4) - 4
            panel = picture[bottom - height : bottom, right - width : right]
            assert np.all(panel == PANELS[row, column, 0, 0])


def test_words_take_place_only_where_there_are_some():
    bare = draw_panels(PANELS, labels=[("", ""), ("", "")], names=[], title="")
    named = draw_panels(PANELS, labels=LABELS, names=["a", "b", "c"], title="step 1")
    assert named.shape[0] > bare.shape[0]
    assert named.shape[1] > bare.shape[1]
    assert bare.max() < 20 < named.max()


def test_values_are_shown_between_black_and_white():
    assert grey(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan]), (0, 1)).tolist() == [0, 0, 128, 255, 255, 0]
    low, high = scale_of(np.r_[np.zeros(50), np.linspace(1, 2, 1001), 90.0])
    assert low == 0
    assert high == pytest.approx(2, abs=0.01)
    assert scale_of(np.ones(3)) == (1, 2)


def test_a_picture_is_written_as_png(tmp_path):
    path = write_png(tmp_path / "folder" / "sheet.png", PANELS[0, 0])
    assert np.array_equal(np.asarray(Image.open(path)), PANELS[0, 0])
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]
