"""Figures of uncertainty: what is where, in which colours, with which numbers."""
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mstl.evaluation.calibration import reliability
from mstl.reporting.figures import to_png_uri, to_svg
from mstl.reporting.uncertainty_figures import reliability_diagram, uncertainty_sheet, volume_intervals

SPACING = (3, 1, 1)


@pytest.fixture
def case():
    """A ball with a lesion in it, and a map that is high on one side of the lesion and 0 outside of the ball."""
    axes = np.meshgrid(*[np.linspace(-1.2, 1.2, side) for side in (6, 40, 40)], indexing="ij")
    image = np.where(sum(axis**2 for axis in axes) < 1, 120, 0).astype(np.float32)
    lesion = np.zeros(image.shape, bool)
    lesion[2:4, 14:26, 10:20] = True
    return image, lesion, np.where(np.roll(lesion, 8, axis=2), np.float32(0.5), np.float32(0))


def pixels(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def words(figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_the_scan_has_a_row_and_every_map_has_one_with_its_name_and_its_greatest_value(case):
    image, lesion, values = case
    maps = {"entropy": (values, 0.69), "mutual information": (values / 4, None)}
    masks = {"reference": lesion, "prediction": np.roll(lesion, 1, axis=1)}
    figure = uncertainty_sheet(image, maps, masks, spacing=SPACING, title="a", slices=4)
    assert len(figure.axes) == 3 * 4
    assert words(figure) >= {"entropy", "mutual information", "0", "0.69", "0.12"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["reference 0.72 ml", "prediction 0.72 ml"]
    assert to_png_uri(figure).startswith("data:image/png")


def test_a_map_is_bright_where_it_is_high_and_dark_where_it_is_zero(case):
    image, lesion, values = case
    masks = {"reference": None, "prediction": lesion}
    figure = uncertainty_sheet(image, {"entropy": (values, 0.5)}, masks, spacing=SPACING, title="", slices=1)
    picture = figure.axes[1].images[0].get_array().max(axis=-1)
    assert picture[values[3] > 0].min() > 0.7
    assert picture[values[3] == 0].max() < 0.05
    assert pixels(figure).max() > 240


def test_a_map_of_zeros_is_black(case):
    image, lesion, values = case
    figure = uncertainty_sheet(image, {"x": (values * 0, None)}, {"reference": lesion}, spacing=SPACING, title="")
    assert all(axes.images[0].get_array().max() < 0.05 for axes in figure.axes[5:])


def test_volumes_rise_downward_with_an_interval_each_and_unknown_references_left_out():
    rows = pd.DataFrame({"case": ["big", "$small"], "prediction_ml": [12.0, 0.0], "low_ml": [9.0, 0.0],
                         "high_ml": [15.0, 0.3], "reference_ml": [13.0, np.nan]})  # fmt: skip
    figure = volume_intervals(rows)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [r"\$small", "big"]
    assert [line[:, 0].tolist() for line in axes.collections[0].get_segments()] == [[0.0, 0.3], [9.0, 15.0]]
    assert axes.get_xlim()[1] == 100
    assert ">$small<" in to_svg(figure)


def test_a_case_without_lesions_at_all_can_be_drawn():
    rows = pd.DataFrame([("a", 0.0, 0.0, 0.0, np.nan)],
                        columns=["case", "prediction_ml", "low_ml", "high_ml", "reference_ml"])  # fmt: skip
    assert "Lesion volume" in to_svg(volume_intervals(rows))


def test_the_reliability_diagram_has_every_case_and_all_together():
    rng = np.random.default_rng(0)
    tables = []
    for name in "ab":
        said = rng.uniform(size=500)
        tables.append(reliability(said, rng.uniform(size=500) < said).assign(case=name))
    figure = reliability_diagram(pd.concat(tables))
    left, right = figure.axes
    assert len(left.lines) == 1 + 2 + 1
    together = np.column_stack(left.lines[-1].get_data())
    assert np.abs(np.diff(together, axis=1)).max() < 0.15
    assert sum(bar.get_height() for bar in right.patches) == 1000
