"""Windows of a slice: anywhere alike, with some of each class where there is some, and mirrored beyond the edge."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.crops import crop_window, even_window

SHAPE = (40, 50)
PLACES = np.arange(SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(*SHAPE, 1)
NOTHING = np.zeros(SHAPE, np.uint8)


def half() -> np.ndarray:
    """A mask whose right columns are of class 1."""
    mask = NOTHING.copy()
    mask[:, 25:] = 1
    return mask


def shares(mask: np.ndarray) -> np.ndarray:
    return np.unique(mask, return_counts=True)[1] / mask.size


def windows(mask, count=200, *, margin=1.0, class_share=0.75, sides=(16, 24)):
    return [
        even_window(
            PLACES, mask, sides=sides, class_share=class_share, margin=margin, random=np.random.default_rng(seed)
        )
        for seed in range(count)
    ]


def test_every_window_that_fits_is_drawn_alike():
    corners = np.array([image[0, 0, 0] for image, _ in windows(NOTHING, 600)])
    rows, columns = np.divmod(corners, SHAPE[1])
    assert set(rows) == set(range(SHAPE[0] - 16 + 1))
    assert set(columns) == set(range(SHAPE[1] - 24 + 1))
    assert rows.mean() == pytest.approx(12, abs=1)
    assert columns.mean() == pytest.approx(13, abs=1)


def test_image_and_mask_are_cut_alike():
    mask = (PLACES[..., 0] % 251).astype(np.uint8)
    for margin in (1.0, 1.25):
        for image, cut in windows(mask, 20, margin=margin):
            assert np.array_equal(image[..., 0] % 251, cut)


def test_no_class_has_more_than_its_share_where_that_can_be_had():
    held, free = (
        np.mean([shares(mask).max() < 0.75 for _, mask in windows(half(), class_share=share)])
        for share in (0.75, 0.999)
    )
    assert held > 0.97  # of ten draws one suffices nearly always
    assert free < 0.7


def test_where_no_window_has_two_classes_the_last_draw_is_taken():
    generator = np.random.default_rng(3)
    draws = [(int(generator.integers(25)), int(generator.integers(27))) for _ in range(11)]
    image, mask = even_window(
        PLACES, NOTHING, sides=(16, 24), class_share=0.75, margin=1.0, random=np.random.default_rng(3)
    )
    assert divmod(int(image[0, 0, 0]), SHAPE[1]) == draws[-1]
    assert not mask.any()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), rows=st.integers(1, 60), columns=st.integers(1, 60))
def test_a_margin_grows_the_same_window_around_its_middle(seed, rows, columns):
    cut = {
        margin: even_window(
            PLACES, half(), sides=(rows, columns), class_share=0.9, margin=margin, random=np.random.default_rng(seed)
        )
        for margin in (1.0, 1.25)
    }
    plain, grown = cut[1.0][0], cut[1.25][0]
    assert plain.shape[:2] == (min(rows, SHAPE[0]), min(columns, SHAPE[1]))
    first, second = (-(-side // 8) for side in (rows, columns))
    assert grown.shape[:2] == (plain.shape[0] + 2 * first, plain.shape[1] + 2 * second)
    assert np.array_equal(grown[first:-first, second:-second], plain)


def test_beyond_the_edge_the_image_is_mirrored():
    image, _ = even_window(
        PLACES, NOTHING, sides=SHAPE, class_share=0.75, margin=1.25, random=np.random.default_rng(0)
    )
    assert np.array_equal(image[:5], PLACES[4::-1].take([*range(6, -1, -1), *range(50), *range(49, 42, -1)], axis=1))


def test_a_window_near_a_lesion_is_larger_by_its_margin_and_cut_at_the_edge():
    common = {"sides": (16, 24), "lesion": 1.0}
    for margin, shape in ((1.0, (16, 24)), (1.25, (20, 30)), (4.0, SHAPE)):
        image, mask = crop_window(PLACES, half(), margin=margin, random=np.random.default_rng(0), **common)
        assert mask.shape == shape
        assert image.shape == (*shape, 1)
        assert mask.any()
