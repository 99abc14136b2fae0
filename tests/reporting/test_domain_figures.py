"""Figures of a domain shift: both domains and every subject can be told apart, for one feature and many subjects."""
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from mstl.evaluation.domain_features import Features, Samples
from mstl.reporting.domain_figures import MOST_SHOWN, pca_figure, tsne_figure


def made(*, subjects=3, each=10, features=6, paired=True, seed=0):
    """What the figures read of a shift: samples of two domains, the second moved."""
    random = np.random.default_rng(seed)
    names = tuple(np.repeat([f"s{number}" for number in range(subjects)], each).tolist())
    sides = [Samples(random.normal(move, 1, (len(names), features)).astype(np.float32), names, name)
             for move, name in ((0, "$a"), (3, "b"))]  # fmt: skip
    return SimpleNamespace(a=sides[0], b=sides[1], features=Features(), paired=subjects if paired else 0)


def clouds(axes):
    return [one for one in axes.collections if isinstance(one, PathCollection)]


@pytest.mark.parametrize("draw", [pca_figure, tsne_figure])
def test_domains_differ_in_colour_and_in_filling_and_subjects_in_colour(draw):
    left, right = draw(made()).axes
    first, second = clouds(left)
    assert first.get_edgecolors()[0].tolist() != second.get_edgecolors()[0].tolist()
    assert len(first.get_facecolors()) == 1
    assert len(second.get_facecolors()) == 0
    assert len(first.get_offsets()) == len(second.get_offsets()) == 30
    assert len({tuple(one.get_edgecolors()[0]) for one in clouds(right)}) == 3
    assert len(clouds(right)) == 6
    assert [text.get_text() for text in left.get_legend().get_texts()] == [r"\$a", "b"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["s0", "s1", "s2"]


def test_the_first_component_separates_what_differs_and_says_its_share():
    left, _ = pca_figure(made()).axes
    first, second = (cloud.get_offsets()[:, 0] for cloud in clouds(left))
    assert max(first) < min(second) or max(second) < min(first)
    assert left.get_xlabel().startswith("Component 1, ")


def test_other_persons_of_one_name_are_told_apart():
    _, right = pca_figure(made(subjects=2, paired=False)).axes
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == ["s0 (A)", "s1 (A)", "s0 (B)", "s1 (B)"]


def test_many_subjects_get_other_shapes_and_no_legend():
    _, right = pca_figure(made(subjects=20, each=2)).axes
    looks = {(tuple(one.get_edgecolors()[0]), one.get_paths()[0].vertices.tobytes()) for one in clouds(right)}
    assert len(looks) == 20
    assert right.get_legend() is None


def test_many_samples_are_thinned_evenly_over_subjects():
    left, right = pca_figure(made(subjects=4, each=MOST_SHOWN)).axes
    assert len(clouds(left)[0].get_offsets()) == MOST_SHOWN
    assert {len(one.get_offsets()) for one in clouds(right)} == {MOST_SHOWN // 4}


@pytest.mark.parametrize("draw", [pca_figure, tsne_figure])
@pytest.mark.parametrize("size", [{"features": 1}, {"subjects": 1, "each": 2, "features": 3}])
def test_one_feature_or_two_samples_can_be_drawn(draw, size):
    left, _ = draw(made(**size)).axes
    assert all(np.isfinite(cloud.get_offsets()).all() for cloud in clouds(left))


def test_the_same_seed_gives_the_same_picture():
    one, again = (np.array(clouds(tsne_figure(made()).axes[0])[0].get_offsets()) for _ in range(2))
    np.testing.assert_array_equal(one, again)
