"""Figures of several labels: each in its colour, and told by name."""
import base64
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from mstl.colours import FILL, label_styles
from mstl.reporting.class_figures import class_curves, class_sheet, curve_labels
from mstl.reporting.figures import to_png_uri, to_svg

LABELS = (1, 2, 4)


@pytest.fixture
def masks():
    """A ball, its labels in three blocks, and the same a voxel aside."""
    axes = np.meshgrid(*[np.linspace(-1.2, 1.2, side) for side in (6, 40, 40)], indexing="ij")
    image = np.where(sum(axis**2 for axis in axes) < 1, 120, 0).astype(np.float32)
    reference = np.zeros(image.shape, np.uint8)
    for place, label in enumerate(LABELS):
        reference[2:4, 14:26, 10 + 6 * place : 16 + 6 * place] = label
    return image, reference, np.roll(reference, 1, axis=1)


def drawn(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_scan_reference_and_prediction_have_a_row_each(masks):
    figure = class_sheet(*masks, labels=LABELS, spacing=(3, 1, 1), title="a", slices=4)
    assert len(figure.axes) == 3 * 4
    unlabelled = class_sheet(masks[0], None, masks[2], labels=LABELS, spacing=(3, 1, 1), title="", slices=4)
    assert len(unlabelled.axes) == 2 * 4


def test_every_label_fills_its_voxels_with_its_colour(masks):
    image, reference, prediction = masks
    figure = class_sheet(image, reference, prediction, labels=LABELS, spacing=(3, 1, 1), title="", slices=4)
    row = figure.axes[4:8]
    colours = [layer.get_array()[20, 13 + 6 * place] for axes in row for place, layer in
               enumerate(axes.get_images()[1:])]  # fmt: skip
    assert {tuple(np.round(colour, 3)) for colour in colours} == {
        (*np.round(to_rgb(style["colors"]), 3), FILL) for style in label_styles(LABELS).values()
    }


def test_the_head_names_labels_and_their_volumes(masks):
    figure = class_sheet(*masks, labels=LABELS, spacing=(10, 1, 1), title="a", slices=4)
    assert legend(figure) == [
        "ml, reference / prediction", "label 1: 1.4 / 1.4", "label 2: 1.4 / 1.4", "label 4: 1.4 / 1.4"
    ]
    narrow = class_sheet(*masks, labels=LABELS, spacing=(10, 1, 1), title="a", slices=2)
    assert legend(narrow) == ["label 1", "label 2", "label 4"]


def test_the_line_of_the_reference_is_on_the_prediction_alone(masks):
    image, reference, _ = masks
    figure = class_sheet(image, reference, np.zeros_like(reference), labels=LABELS, spacing=(3, 1, 1), title="",
                         slices=4)  # fmt: skip
    pixels = drawn(figure)
    rows = np.array_split(pixels[50:], 3)
    assert [bool((row == 255).all(axis=-1).sum() > 50) for row in rows] == [False, False, True]


def test_no_colour_is_lost_in_a_page_s_picture(masks):
    """A palette has 256 colours, most of them the greys of the scan."""
    figure = class_sheet(*masks, labels=LABELS, spacing=(3, 1, 1), title="a", slices=4)
    picture = Image.open(io.BytesIO(base64.b64decode(to_png_uri(figure).partition(",")[2]))).convert("RGB")
    pixels = np.asarray(picture)[:60].reshape(-1, 3).astype(int)
    for style in label_styles(LABELS).values():
        colour = np.array(to_rgb(style["colors"])) * 255
        assert np.abs(pixels - colour).max(axis=1).min() < 24


def test_each_label_has_a_curve_of_its_own():
    history = pd.DataFrame({"epoch": [1, 2, 3], "dice": 0.5, "dice_2": 0.4, "val_dice_2": 0.3, "val_dice_10": 0.2})
    assert curve_labels(history) == [2, 10]
    text = to_svg(class_curves(history))
    assert "Dice of label 2" in text
    assert "Dice of label 10" in text


def test_a_history_of_one_class_has_no_curves_of_labels():
    assert class_curves(pd.DataFrame({"epoch": [1], "dice": [0.5], "val_dice": [0.4]})) is None
    softmax = pd.DataFrame({"epoch": [1], "dice": [0.5], "dice_1": [0.5], "val_dice": [0.4], "val_dice_1": [0.4]})
    assert class_curves(softmax) is None


def test_many_labels_take_several_rows():
    history = pd.DataFrame({"epoch": [1], **{f"dice_{label}": [0.5] for label in range(1, 7)}})
    assert len(class_curves(history).axes) == 6
