"""Figures: what they hold, and that they are made without pyplot."""
import base64
import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mstl.data.grid import Grid
from mstl.reporting.figures import (
    ORANGE,
    SKY,
    overlay_sheet,
    qc_sheet,
    to_png_uri,
    to_svg,
    volume_agreement,
)


def volume():
    image = np.zeros((9, 30, 24), np.float32)
    image[1:-1, 4:-4, 4:-4] = np.random.default_rng(0).uniform(50, 100, (7, 22, 16))
    mask = np.zeros(image.shape, bool)
    mask[3:6, 10:14, 6:10] = True
    return image, mask


def pixels(figure):
    data = base64.b64decode(to_png_uri(figure).removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def near(picture, colour):
    wanted = [int(colour[index:index + 2], 16) for index in (1, 3, 5)]
    return np.abs(picture - wanted).max(axis=-1) < 40


def test_an_svg_is_well_formed_and_takes_the_colour_of_the_page():
    scores = pd.DataFrame(
        {"case": ["a$<b>", "c", "d"], "reference_ml": [0, 1.3, 49.8], "prediction_ml": [0.02, 1.1, 60]}
    )
    text = to_svg(volume_agreement(scores))
    ElementTree.fromstring(text)
    assert "currentColor" in text
    assert "limits of agreement" in text
    assert "a$&lt;b&gt;" in text
    assert text == to_svg(volume_agreement(scores))


def test_outlines_lie_on_the_side_where_the_arrays_have_them():
    image, mask = volume()
    shifted = np.roll(mask, 5, axis=2)
    figure = overlay_sheet(image, mask, shifted, spacing=(3, 1, 1), title="one $case", slices=1)
    picture = pixels(figure)
    header = int(0.5 * 120)
    sheet = picture[header + (picture.shape[0] - header) // 2:]
    truth, found = np.argwhere(near(sheet, ORANGE)), np.argwhere(near(sheet, SKY))
    assert len(truth)
    assert len(found)
    assert truth[:, 1].mean() < found[:, 1].mean()
    assert truth[:, 1].mean() < sheet.shape[1] / 2


def test_a_voxel_that_is_longer_than_wide_is_drawn_so():
    image, mask = volume()
    square = overlay_sheet(image, mask, None, spacing=(1, 1, 1), title="", slices=2).get_size_inches()
    long = overlay_sheet(image, mask, None, spacing=(1, 2, 1), title="", slices=2).get_size_inches()
    assert (long[1] - 0.5) / (square[1] - 0.5) == pytest.approx(2)


def test_a_case_without_any_mask_has_one_plain_row():
    image, _ = volume()
    figure = overlay_sheet(image, None, None, spacing=(1, 1, 1), title="", slices=3)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3


def test_slices_bear_their_position_and_sides():
    image, mask = volume()
    heights = np.arange(9) - 40
    figure = overlay_sheet(image, mask, None, spacing=(3, 1, 1), title="", slices=1, positions=heights)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts >= {"R", "L", "z -36 mm"}


def test_a_prepared_case_shows_a_row_for_each_modality():
    image, mask = volume()
    case = SimpleNamespace(name="ben", image=np.stack([image, -image], axis=-1).astype(np.float16),
                           mask=mask.astype(np.uint8), modalities=("flair", "t1"), labels=(), class_voxels=[48],
                           spacing=(1, 1, 1), grid=Grid(image.shape, np.eye(4)), is_picture=False)
    figure = qc_sheet(case, slices=3)
    assert len(figure.axes) == 6
    assert {"flair", "t1"} <= {text.get_text() for axes in figure.axes for text in axes.texts}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["mask 0.05 ml"]
    case.labels, case.class_voxels = (1, 4), [48, 0]
    named = [text.get_text() for text in qc_sheet(case, slices=3).legends[0].get_texts()]
    assert named == ["label 1 0.05 ml", "label 4 0.00 ml"]
    case.mask = case.class_voxels = None
    assert not qc_sheet(case, slices=3).legends


def test_figures_leave_pyplot_alone():
    code = ("import sys, pandas as pd; from mstl.reporting import curves, figures;"
            "figures.to_svg(curves.learning_curves(pd.DataFrame({'epoch': [1], 'loss': [1.0], 'dice': [0.5]})));"
            "sys.exit('matplotlib.pyplot' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
