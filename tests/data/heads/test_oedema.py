"""How oedema spreads."""
import numpy as np
import pytest

from mstl.data.heads.anatomy import Anatomy
from mstl.data.heads.oedema import spread

SIDE = 33
MIDDLE = SIDE // 2


def _anatomy(**places: tuple) -> Anatomy:
    """White matter, but for places of other tissues."""
    maps = {name: np.zeros((SIDE,) * 3, np.float32) for name in ("white", "grey", "deep_grey", "csf")}
    maps["white"][:] = 1
    for name, place in places.items():
        maps["white"][place], maps[name][place] = 0, 1
    blank = np.zeros((SIDE,) * 3, np.float32)
    return Anatomy(brain=blank == 0, depth=blank, ventricle=blank, **maps)


def _spread(anatomy: Anatomy, spacing: tuple = (4.0, 4.0, 4.0)) -> np.ndarray:
    index = np.moveaxis(np.indices((SIDE,) * 3), 0, -1) - MIDDLE
    core = np.linalg.norm(index * np.array(spacing), axis=-1) <= 8
    return spread(anatomy, core, spacing, np.zeros((SIDE,) * 3, np.float32))


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (2.0, 2.0, 2.0), (1.4, 1.7, 2.7), (5.5, 1.5, 1.5)])
def test_it_grows_like_a_distance_in_white_matter_on_any_lattice(spacing):
    far = _spread(_anatomy(), spacing)
    for axis, step in enumerate(spacing):
        line = np.moveaxis(far, axis, 0)[MIDDLE:, MIDDLE, MIDDLE]
        away = np.arange(len(line)) * step
        between = line[(away > 12) & (away < 40)]
        assert 0.6 < (between[-1] - between[0]) / (step * (len(between) - 1)) < 1.6
        assert np.all(np.diff(line[away < 40]) >= 0)


def test_grey_matter_holds_it_back_and_fluid_stops_it():
    far = {
        name: _spread(_anatomy(**{name: (slice(MIDDLE + 4, MIDDLE + 6),)}))[MIDDLE + 8, MIDDLE, MIDDLE]
        for name in ("white", "grey", "csf")
    }
    assert far["grey"] > far["white"] + 6
    assert far["csf"] > far["grey"] + 3


def test_it_is_zero_in_the_core_and_infinite_far_away():
    far = _spread(_anatomy())
    assert far[MIDDLE, MIDDLE, MIDDLE] == 0
    core = np.zeros((SIDE,) * 3, bool)
    core[2:5, 2:5, 2:5] = True
    assert np.isinf(spread(_anatomy(), core, (4.0, 4.0, 4.0), np.zeros(core.shape, np.float32))[-1, -1, -1])
