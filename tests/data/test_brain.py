"""Brain extraction: which way is taken, and that it says which."""
import numpy as np
import pytest

from mstl.data import brain as module
from mstl.data.brain import extract_brain, find_brain_mask
from mstl.data.brain_tools import ToolError
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume
from mstl.errors import InputError


@pytest.fixture(scope="module")
def extracted():
    return make_phantom(seed=3, scanner="quick", modalities=("flair", "t1"))


@pytest.fixture
def noisy() -> Volume:
    """Something in noise: not extracted before."""
    data = np.random.default_rng(0).uniform(1, 10, (20, 24, 16)).astype(np.float32)
    data[5:15, 6:18, 4:12] += 90
    return Volume(data, np.diag([-2.0, 2.0, 3.0, 1.0]))


@pytest.fixture
def ways(monkeypatch):
    """Function that says which tools are there, and which of them fail; what is called is noted in the list."""
    called = []

    def choose(found=(), failing=()):
        def run(tool, image):
            called.append(tool)
            if tool in failing:
                raise ToolError(f"{tool} failed with exit code 1: no weights")
            return box(image)

        def network(images):
            called.append(len(images))
            return box(images[0])

        monkeypatch.setattr(module, "found_tools", lambda: list(found))
        monkeypatch.setattr(module, "run_tool", run)
        monkeypatch.setattr(module, "network_brain", network)
        return called

    choose()
    return choose


def box(image: Volume) -> Volume:
    return Volume((image.data > 50).astype(np.uint8), image.affine, image.path)


def test_an_extracted_scan_is_left_as_it_is(extracted, ways):
    called = ways(found=["bet"])
    found = find_brain_mask(extracted.images["flair"])
    assert (found.method, found.note, called) == ("already extracted", "", [])
    assert np.count_nonzero(found.mask.data != extracted.brain_mask.data) < 10


def test_one_extracted_scan_gives_its_brain_to_the_others(extracted, noisy, ways):
    found = find_brain_mask([noisy, extracted.images["t1"]])
    assert found.method == "already extracted"
    assert found.mask.grid.difference(noisy.grid) is None


def test_the_best_tool_is_preferred_to_what_is_built_in(noisy, ways):
    called = ways(found=["hd-bet", "bet"])
    assert find_brain_mask([noisy, noisy]).method == "hd-bet"
    assert called == ["hd-bet"]


def test_where_tools_fail_the_next_way_is_taken_and_the_failure_noted(noisy, ways):
    called = ways(found=["hd-bet", "bet"], failing=["hd-bet", "bet"])
    found = find_brain_mask([noisy, noisy])
    assert found.method == "built-in"
    assert called == ["hd-bet", "bet", 2]
    assert found.note == "hd-bet failed with exit code 1: no weights; bet failed with exit code 1: no weights"


def test_a_way_that_is_insisted_on_is_taken_or_fails(extracted, noisy, ways):
    ways(found=["bet"], failing=["bet"])
    assert find_brain_mask(extracted.images["t1"], method="built-in").method == "built-in"
    with pytest.raises(InputError, match="bet failed"):
        extract_brain(noisy, method="bet")
    with pytest.raises(InputError, match="shows no extracted brain"):
        extract_brain(noisy, method="already extracted")


def test_a_small_head_in_air_of_one_value_is_no_extracted_brain(ways, monkeypatch):
    axes = np.ogrid[-45:46, -50:51, -45:46]
    radius = np.sqrt(sum((a / s) ** 2 for a, s in zip(axes, (38, 44, 36), strict=True)))
    head = Volume(np.where(radius < 1, np.where(radius < 0.8, 100, 20), 0).astype(np.int16), np.diag([2.0, 2, 2, 1]))
    assert find_brain_mask(head).method == "built-in"
    brain = Volume(np.where(radius < 1, 100, 0).astype(np.int16), head.affine)
    assert find_brain_mask(brain).method == "already extracted"


def test_extract_brain_gives_the_mask_alone(noisy, ways):
    mask = extract_brain(noisy)
    assert mask.data.dtype == np.uint8
    assert mask.data.sum() == 10 * 12 * 8


def test_wrong_requests_are_refused_in_one_line(noisy):
    with pytest.raises(InputError, match=r"'magic' is unknown.* one of auto, already extracted, mri_synthstrip"):
        extract_brain(noisy, method="magic")
    with pytest.raises(InputError, match="no image"):
        extract_brain([])
