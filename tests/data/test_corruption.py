import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.corruption import KINDS, Corruption, blocks, brain_blocks, checkerboard
from mstl.errors import InputError


def phantom(seed: int = 0, shape=(40, 36, 2)) -> np.ndarray:
    """Noise in an ellipse, 0 around it."""
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    brain = (rows / 0.8) ** 2 + (columns / 0.6) ** 2 < 1
    return np.random.default_rng(seed).uniform(0.1, 0.9, shape).astype(np.float32) * brain[..., None]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)), tile=st.integers(1, 50), share=st.floats(0.01, 0.99),
    fill=st.floats(-2, 2, width=32), seed=st.integers(0, 2**32),
)
def test_hidden_pixels_carry_the_fill_and_all_others_are_untouched(kind, tile, share, fill, seed):
    image = phantom(seed)
    before = image.copy()
    corruption = Corruption(kind, tile=tile, fill=fill, share=share)
    corrupted, hidden = corruption(image, random(seed))
    assert np.array_equal(image, before)
    assert (corrupted.dtype, corrupted.shape) == (np.float32, image.shape)
    assert (hidden.dtype, hidden.shape) == (bool, image.shape[:2])
    assert (corrupted[hidden] == np.float32(fill)).all()
    assert corrupted[~hidden].tobytes() == image[~hidden].tobytes()
    again = corruption(image, random(seed))
    assert np.array_equal(corrupted, again[0])
    assert np.array_equal(hidden, again[1])


@settings(max_examples=30, deadline=None)
@given(tile=st.integers(1, 20), down=st.integers(-50, 50), right=st.integers(-50, 50))
def test_complementary_phases_hide_complementary_pixels(tile, down, right):
    def hidden(*phase):
        return checkerboard(phantom(), random(), tile=tile, phase=phase)[1]

    board = hidden(down, right)
    assert np.array_equal(hidden(down + tile, right), ~board)
    assert np.array_equal(hidden(down, right + tile), ~board)
    assert np.array_equal(hidden(down + tile, right + tile), board)


def test_the_default_hides_the_first_square_of_16_pixels_with_1():
    image = np.full((192, 192, 1), 0.25, np.float32)
    corrupted, hidden = Corruption()(image, random())
    assert hidden[:16, :16].all()
    assert not hidden[:16, 16:32].any()
    assert not hidden[16:32, :16].any()
    assert hidden[176:, 176:].all()
    assert hidden.mean() == 0.5
    assert set(np.unique(corrupted)) == {0.25, 1.0}


def test_a_phase_shifts_the_board_down_and_right():
    board = checkerboard(phantom(), random(), tile=5)[1]
    shifted = checkerboard(phantom(), random(), tile=5, phase=(3, 2))[1]
    assert np.array_equal(shifted[3:, 2:], board[:-3, :-2])


def test_only_the_random_checkerboard_differs_from_image_to_image():
    for kind, least, most in (("checkerboard", 1, 1), ("random-checkerboard", 12, 20)):
        rng = random()
        boards = {Corruption(kind)(phantom(), rng)[1].tobytes() for _ in range(20)}
        assert least <= len(boards) <= most


@settings(max_examples=30, deadline=None)
@given(tile=st.integers(1, 12), share=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_blocks_hide_the_share_that_was_asked_for_and_hardly_more(tile, share, seed):
    image = phantom(seed)
    brain = image.any(axis=-1)
    for hide, area in ((blocks, np.ones(image.shape[:2], bool)), (brain_blocks, brain)):
        _, hidden = hide(image, random(seed), tile=tile, share=share)
        count = np.count_nonzero(hidden & area)
        assert share * area.sum() <= count < share * area.sum() + tile**2


def test_blocks_are_whole_squares_where_the_image_does_not_cut_them():
    image = np.zeros((61, 61, 1), np.float32)
    image[30, 30] = 0.5
    for tile in (1, 4, 7):
        _, hidden = brain_blocks(image, random(), tile=tile, share=0.5)
        rows, columns = np.nonzero(hidden)
        assert len(rows) == tile**2
        assert set(rows) == set(columns) == set(range(30 - tile // 2, 30 - tile // 2 + tile))
    corner = np.zeros_like(image)
    corner[0, 60] = 0.5
    assert np.count_nonzero(brain_blocks(corner, random(), tile=8, share=0.5)[1]) == 4 * 5


def test_blocks_follow_the_brain_on_any_background():
    image = phantom()
    _, hidden = brain_blocks(image, random(3), tile=4)
    signed, same = Corruption("brain-blocks", tile=4)(2 * image - 1, random(3), background=-1.0)
    assert np.array_equal(hidden, same)
    assert (signed[same] == 1).all()
    rows, columns = np.nonzero(image.any(axis=-1))
    assert not hidden[: rows.min() - 2].any()
    assert not hidden[:, : columns.min() - 2].any()


def test_an_image_without_brain_keeps_everything():
    empty = np.zeros((20, 20, 1), np.float32)
    corrupted, hidden = brain_blocks(empty, random())
    assert not hidden.any()
    assert np.array_equal(corrupted, empty)


@pytest.mark.parametrize(("arguments", "word"), [
    ({"kind": "chekerboard"}, "mean 'checkerboard'"), ({"kind": "brain_block"}, "mean 'brain-blocks'"),
    ({"kind": "holes"}, "random-checkerboard"), ({"kind": None}, "unknown"),
    ({"tile": 0}, "tile"), ({"tile": -16}, "tile"), ({"tile": 1.5}, "tile"), ({"tile": "16"}, "tile"),
    ({"share": 0}, "share"), ({"share": 1}, "share"), ({"share": float("nan")}, "share"), ({"share": "half"}, "share"),
    ({"fill": float("nan")}, "fill"), ({"fill": float("inf")}, "fill"), ({"fill": "white"}, "fill"),
])
def test_wrong_kinds_and_numbers_are_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        Corruption(**arguments)


@pytest.mark.parametrize("hide", [checkerboard, blocks, brain_blocks])
def test_the_functions_refuse_what_their_description_refuses(hide):
    with pytest.raises(InputError, match="tile is 0"):
        hide(phantom(), random(), tile=0)
    with pytest.raises(InputError, match="fill"):
        hide(phantom(), random(), fill=float("nan"))
    for shape in ((40, 36), (1, 40, 36, 2)):
        with pytest.raises(InputError, match=r"expected \(H, W, C\)"):
            hide(np.zeros(shape, np.float32), random())
    if hide is not checkerboard:
        with pytest.raises(InputError, match="share is 2"):
            hide(phantom(), random(), share=2)
