"""The interactive viewer: sides, coordinates, and no network."""
import json
import re

import numpy as np
import pytest

from mstl.errors import InputError
from mstl.reporting import viewer
from mstl.reporting.cases import read_case


@pytest.fixture(scope="module")
def shown(tiny):
    return read_case(tiny.cohort[0], tiny.predictions)


@pytest.fixture(scope="module")
def document(shown):
    return viewer.probability_viewer(shown.image, shown.probability, grid=shown.grid)


def test_the_viewer_opens_on_the_lesion_and_says_where_that_is(shown, document):
    parameters = json.loads(re.search(r"brainsprite\((\{.*?\})\);", document.html)[1])
    index = [parameters["numSlice"][axis] + 1 for axis in "XYZ"]  # as the viewer reads it out
    position = (np.array(parameters["affine"]) @ [*index, 1])[:3]
    lesion = shown.grid.affine @ [*np.argwhere(shown.prediction).mean(axis=0), 1]
    np.testing.assert_allclose(position, lesion[:3], atol=4)
    assert position[0] > 0
    assert parameters["numSlice"]["X"] < parameters["nbSlice"]["X"] / 2  # patient right is drawn on the left
    assert parameters["radiological"] is True


def test_the_viewer_refers_to_nothing_outside(document):
    page = re.sub(r"<script>.*?</script>", "", document.html, flags=re.DOTALL)
    assert page.count('src="data:image/png') == 3
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", page)


def test_a_viewer_of_another_make_is_refused():
    with pytest.raises(InputError, match="nilearn"):
        viewer._self_contained("<html></html>")
