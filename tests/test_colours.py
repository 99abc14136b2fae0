"""Colours of labels are told apart."""
import numpy as np
from matplotlib.colors import to_rgb

from mstl.colours import FILL, LABELS, label_styles


def test_three_labels_have_colours_of_different_lightness():
    light = [np.dot(to_rgb(style["colors"]), (0.2126, 0.7152, 0.0722)) for style in label_styles((1, 2, 4)).values()]
    assert np.diff(sorted(light)).min() > 0.15


def test_a_label_has_one_colour_whatever_the_order_they_are_named_in():
    assert label_styles((4, 1, 2)) == label_styles((1, 2, 4))


def test_more_labels_than_colours_begin_again():
    styles = label_styles(range(1, len(LABELS) + 2))
    assert len({style["colors"] for style in styles.values()}) == len(LABELS)


def test_outlines_alone_are_not_filled():
    assert {style["fill"] for style in label_styles((1, 2)).values()} == {FILL}
    assert all("fill" not in style for style in label_styles((1, 2), fill=0).values())
