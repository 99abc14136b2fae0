"""Kernels of networks beside samples of the prior, and the curves of its training."""
import numpy as np
import pytest

from mstl.models.kernel_prior import KernelPrior
from mstl.reporting.kernel_figure import SAMPLES, bound_curves, kernel_sheet
from tests.reporting.kernel_runs import NAMES, group_table, history_table, made_prior


def slices(axes):
    """The drawn grid as slices of 3 x 3, rows first."""
    canvas = np.asarray(axes.get_images()[0].get_array().filled(np.nan))
    rows, columns = ((size + 1) // 4 for size in canvas.shape)
    return [canvas[4 * row:4 * row + 3, 4 * column:4 * column + 3] for row in range(rows) for column in range(columns)]


@pytest.fixture(scope="module")
def prior():
    return made_prior()


def test_a_row_a_group_shows_middle_slices_of_examples_beside_samples_and_their_norms(prior):
    axes = kernel_sheet(prior, seed=3).axes
    assert len(axes) == 3 * len(NAMES)
    for row, name in enumerate(NAMES):
        shown, drawn, norms = axes[3 * row:3 * row + 3]
        assert shown.get_ylabel() == name.replace("_", "\n")
        assert np.allclose(slices(shown), prior.groups[name].examples[:56, 1])
        assert np.allclose(slices(drawn), prior.sample(name, SAMPLES, seed=3)[:56, 1], atol=1e-6)
        assert shown.get_images()[0].get_clim() == drawn.get_images()[0].get_clim()
        low, high = shown.get_images()[0].get_clim()
        assert low == -high < 0
        assert len(norms.patches) == 2


def test_few_examples_leave_places_empty_and_none_are_no_error():
    few = slices(kernel_sheet(made_prior(("encoder_full",), examples=5)).axes[0])
    assert [bool(np.isfinite(one).all()) for one in few] == [True] * 5 + [False] * 51
    none = slices(kernel_sheet(made_prior(("encoder_full",), examples=0)).axes[0])
    assert np.isnan(none).all()


def test_a_prior_of_one_group_has_one_row(prior):
    one = KernelPrior({"encoder_full": prior.groups["encoder_full"]}, {})
    assert len(kernel_sheet(one).axes) == 3


def test_a_panel_a_group_shows_both_bounds_the_gaussian_and_the_best_epoch():
    figure = bound_curves(history_table(), group_table())
    panels = {axes.get_title("left"): axes for axes in figure.axes if axes.get_title("left")}
    assert list(panels) == ["encoder, full", "encoder, half", "decoder, full"]
    lines = {line.get_label(): line for line in panels["encoder, half"].get_lines()}
    assert np.allclose(lines["training"].get_ydata()[-1], 12 - 9 / 20)
    assert np.allclose(lines["held out"].get_ydata()[-1], 11 - 9 / 20)
    assert set(lines["Gaussian, held out"].get_ydata()) == {10.0}
    low, high = panels["encoder, half"].get_ylim()
    assert low < 10 < 12.5 < high


def test_a_single_epoch_is_drawn_as_a_point():
    axes = bound_curves(history_table(epochs=1), group_table()).axes[0]
    assert axes.get_lines()[0].get_marker() == "o"
