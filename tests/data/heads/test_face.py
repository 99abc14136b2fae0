"""Shapes of the head in the template's space."""
import numpy as np

from mstl.data.heads.face import CORNER, SHAPE, STEP, draw_face, points
from mstl.data.heads.skull import cranial_cavity


def _index(x: float, y: float, z: float) -> tuple[int, ...]:
    return tuple(np.rint((np.array([x, y, z]) - CORNER) / STEP).astype(int))


def test_points_are_the_world_positions_of_the_lattice():
    found = points()
    assert found.shape == (3, *SHAPE)
    np.testing.assert_array_equal(found[:, 0, 0, 0], CORNER)
    np.testing.assert_array_equal(found[:, 1, 2, 3] - CORNER, np.array([1, 2, 3]) * STEP)


def test_eyes_lie_on_both_sides_in_front_of_the_brain():
    face = draw_face(np.random.default_rng(0), cranial_cavity(), wide=1.0)
    for side in (-1, 1):
        assert face.parts["vitreous"][_index(side * 32, 66, -37)] > 6
    assert face.parts["vitreous"][_index(0, 66, -37)] < 0


def test_the_cord_runs_down_inside_the_canal_and_the_canal_inside_the_neck():
    face = draw_face(np.random.default_rng(1), cranial_cavity(), wide=1.0)
    cord = face.cord > 0
    assert cord[..., 10].any()
    assert np.all(face.cavity[cord] > 0)
    assert np.all(face.outer[cord] > 0)


def test_equal_seeds_give_equal_faces_and_others_differ():
    faces = [draw_face(np.random.default_rng(seed), cranial_cavity(), wide=1.0) for seed in (2, 2, 3)]
    np.testing.assert_array_equal(faces[0].outer, faces[1].outer)
    assert not np.array_equal(faces[0].outer, faces[2].outer)
    assert faces[0].skull != faces[2].skull
