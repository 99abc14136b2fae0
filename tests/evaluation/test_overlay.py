"""Overlays: contours in the house's colours over a picture in grey."""
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mstl.colours import LABELS, ORANGE, SKY
from mstl.evaluation.overlay import WHITE, draw_overlay
from tests.spots import spot


def where(picture: np.ndarray, colour: str) -> np.ndarray:
    """Where a picture has a colour exactly; the corner with the words left out."""
    found = np.all(picture == np.rint(255 * np.array(to_rgb(colour))).astype(np.uint8), axis=-1)
    found[-120:, :220] = False
    return found


@pytest.mark.parametrize("size", [(40, 56), (256, 256), (496, 768), (800, 780)])
def test_pictures_are_enlarged_by_whole_numbers_to_at_least_768_pixels(size):
    image, mask = spot(size)
    picture = draw_overlay(image, mask)
    factor = picture.shape[0] // size[0]
    assert picture.shape == (size[0] * factor, size[1] * factor, 3)
    assert min(picture.shape[:2]) >= 768
    assert factor == 1 or min(picture.shape[:2]) < 2 * 768


def test_contours_surround_prediction_and_reference_and_leave_the_rest_grey():
    image, mask = spot((256, 256))
    predicted = np.roll(mask, 60, axis=1)
    picture = draw_overlay(image, predicted, reference=mask)
    blue, orange = where(picture, SKY), where(picture, ORANGE)
    for drawn, truth in ((blue, predicted), (orange, mask)):
        middle = np.argwhere(drawn).mean(axis=0) / 3
        np.testing.assert_allclose(middle, np.argwhere(truth).mean(axis=0), atol=3)
        inside = np.kron(truth, np.ones((3, 3), bool))
        assert not drawn[inside & np.roll(inside, 20, 0) & np.roll(inside, -20, 0) & np.roll(inside, 20, 1)].all()
    corner = picture[:64, :64]
    assert np.all(corner == corner[..., :1])


def test_both_contours_are_seen_where_they_coincide():
    image, mask = spot((256, 256))
    picture = draw_overlay(image, mask, reference=mask)
    assert where(picture, SKY).sum() > 100
    assert where(picture, ORANGE).sum() > 100


def test_without_a_reference_there_is_no_orange_and_without_lesion_no_blue():
    image, mask = spot((256, 256))
    picture = draw_overlay(image, np.zeros_like(mask))
    assert not where(picture, SKY).any()
    assert not where(picture, ORANGE).any()


def test_labels_have_colours_of_their_own_and_the_reference_is_white():
    image, mask = spot((256, 256))
    predicted = np.where(mask, 4, 0)
    predicted[:, :128] = np.minimum(predicted[:, :128], 1)
    picture = draw_overlay(image, predicted, reference=mask * 4, labels=(1, 4))
    for colour in (*LABELS[:2], WHITE):
        assert where(picture, colour).any()
