import matplotlib.colors as colours
import pytest

from mstl.reporting.figures import BLUE, ORANGE, SKY, to_svg
from mstl.reporting.weights_figure import block_size, merge_groups, weights_figure

BEGAN = [
    {"group": "encoder1", "loaded": 30, "adapted": 10, "random": 0},
    {"group": "head", "loaded": 0, "adapted": 0, "random": 8},
]
TRAINED = [
    {"group": "encoder1", "layers": 2, "trainable": 0, "frozen": 40},
    {"group": "head", "layers": 1, "trainable": 6, "frozen": 2},
]


def bars(axes, colour) -> dict[int, tuple[float, float]]:
    """Bars of a colour: row -> (start, width)."""
    return {
        round(bar.get_y() + bar.get_height() / 2): (round(bar.get_x(), 6), round(bar.get_width(), 6))
        for bar in axes.patches if bar.get_facecolor() == colours.to_rgba(colour)
    }


def titles(figure) -> list[str]:
    return [axes.get_title("left") for axes in figure.axes]


def test_bars_are_shares_of_a_block():
    began, trained, _ = weights_figure(merge_groups(BEGAN, TRAINED)).axes
    assert bars(began, BLUE) == {0: (0, 0.75)}
    assert bars(began, ORANGE) == {0: (0.75, 0.25)}
    assert bars(trained, SKY) == {0: (0, 1), 1: (0, 0.25)}


def test_a_lock_marks_only_what_is_frozen_whole():
    trained = weights_figure(merge_groups(BEGAN, TRAINED)).axes[1]
    assert [tuple(point) for marks in trained.collections for point in marks.get_offsets()] == [(0.5, 0)]


def test_sizes_stand_beside_the_shares_first_block_on_top():
    axes = weights_figure(BEGAN).axes
    assert [text.get_text() for text in axes[-1].texts] == ["40", "8"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["encoder1", "head"]
    assert axes[0].get_ylim()[0] > axes[0].get_ylim()[1]


def test_what_was_not_counted_has_no_panel():
    assert titles(weights_figure(BEGAN)) == ["Began as", "Parameters"]
    assert titles(weights_figure(TRAINED)) == ["In training", "Parameters"]
    assert titles(weights_figure(merge_groups(BEGAN, TRAINED))) == ["Began as", "In training", "Parameters"]


def test_the_legend_names_what_is_drawn():
    (legend,) = (axes.get_legend() for axes in weights_figure(BEGAN[1:]).axes[:1])
    assert [text.get_text() for text in legend.get_texts()] == ["random"]


def test_accounts_are_merged_by_block_and_a_block_of_one_alone_stays():
    merged = merge_groups(BEGAN, [*TRAINED, {"group": "stem", "trainable": 3, "frozen": 0}])
    assert [group["group"] for group in merged] == ["encoder1", "head", "stem"]
    assert merged[0] == {**BEGAN[0], **TRAINED[0]}
    assert [block_size(group) for group in merged] == [40, 8, 3]
    assert "loaded" not in TRAINED[0]
    weights_figure(merged)


def test_a_block_without_parameters_is_an_empty_row():
    assert to_svg(weights_figure([{"group": "head", "loaded": 0, "adapted": 0, "random": 0}])).startswith("<svg")


def test_names_are_text_and_never_markup():
    text = to_svg(weights_figure([{**BEGAN[0], "group": "<b>$x$"}]))
    assert "&lt;b&gt;$x$" in text
    assert "<b>" not in text


@pytest.mark.parametrize("freezing", ["encoder", "first:3"])
def test_a_model_is_shown_before_its_training(freezing, tmp_path):
    from mstl.models import unet_small
    from mstl.transfer.freeze_report import describe_frozen
    from mstl.transfer.freezing import freeze
    from mstl.transfer.origin import describe_origins
    from mstl.transfer.plan import transfer_weights

    unet_small(channels=2, width=2, depth=2).save_weights(tmp_path / "weights.h5")
    model = unet_small(channels=2, width=2, depth=2)
    transfer_weights(tmp_path / "weights.h5", model, include="encoder")
    freeze(model, freezing)
    groups = merge_groups(describe_origins(model)["groups"], describe_frozen(model).to_dict()["groups"])
    began, trained, sizes = weights_figure(groups).axes
    assert sum(int(text.get_text().replace(",", "")) for text in sizes.texts) == model.count_params()
    assert set(bars(began, BLUE)) == {row for row, group in enumerate(groups) if group["group"].startswith("encoder")}
    assert set(bars(trained, SKY)) == {row for row, group in enumerate(groups) if group["frozen"]}
