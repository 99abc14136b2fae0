import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.grid_patches import GridSampler
from mstl.errors import InputError


@settings(max_examples=20, deadline=None)
@given(
    patch=st.none() | st.integers(3, 40) | st.tuples(*3 * [st.integers(2, 40)]),
    multiple_of=st.sampled_from([1, 4]), batch_size=st.integers(1, 7),
)
def test_every_voxel_of_the_brain_is_in_one_window(cases, patch, multiple_of, batch_size):
    sampler = GridSampler(cases, patch=patch, batch_size=batch_size, multiple_of=multiple_of)
    seen = [np.zeros(case.shape, int) for case in cases]
    for case, start in sampler.windows:
        window = [slice(max(0, first), first + side) for first, side in zip(start, sampler.sides, strict=True)]
        seen[case][tuple(window)] += 1
    for case, times in zip(cases, seen, strict=True):
        assert times.max() <= 1
        assert times[case.image.any(-1) | (case.mask > 0)].all()


def test_windows_hold_what_the_files_hold_in_order(cases):
    sampler = GridSampler(cases, patch=8, batch_size=3)
    batches = [sampler.batch(0, index) for index in range(sampler.steps)]
    for part, name in enumerate(("image", "mask")):
        shown = np.sort(np.concatenate([batch[part][batch[part] != 0] for batch in batches]))
        there = np.concatenate([np.asarray(getattr(case, name)).ravel() for case in cases]).astype(np.float32)
        assert np.array_equal(shown, np.sort(there[there != 0]))
    images, masks = batches[0]
    assert images.shape == (3, 8, 8, 8, 2)
    assert masks.shape == (3, 8, 8, 8, 1)
    assert images.dtype == masks.dtype == np.float32
    assert images.nbytes + masks.nbytes == sampler.batch_bytes
    assert np.array_equal(sampler.batch(9, 0)[0], images)
    names = [name for index in range(sampler.steps) for name in sampler.batch_cases(0, index)]
    assert list(dict.fromkeys(names)) == ["a", "bb", "ccc"]


def test_windows_without_brain_are_left_out(write_prepared, tmp_path):
    case = write_prepared(tmp_path / "corner", shape=(8, 64, 64), lesions=())
    image = np.zeros((8, 64, 64, 2), np.float16)
    image[:, :8, :8] = image[:, -8:, -8:] = 1
    np.save(case.folder / "image.npy", image)
    sampler = GridSampler([case], patch=8)
    assert [start for _, start in sampler.windows] == [(0, 0, 0), (0, 56, 56)]
    np.save(case.folder / "image.npy", image * 0)
    with pytest.raises(InputError, match="background only"):
        GridSampler([case], patch=8)


def test_a_volume_smaller_than_the_window_is_padded_and_noted(cases):
    sampler = GridSampler(cases[:1])
    images, masks = sampler.batch(0, 0)
    assert sampler.steps == 1
    assert np.array_equal(images[0, :, 1:31, 3:29], cases[0].image.astype(np.float32))
    assert np.array_equal(masks[0, :, 1:31, 3:29, 0], cases[0].mask)
    assert "padded with background" in sampler.notes[0]


def test_wrong_numbers_and_cases_are_refused(write_prepared, cases, tmp_path):
    for arguments in ({"batch_size": 0}, {"multiple_of": 0}, {"patch": (8, 8)}):
        with pytest.raises(InputError, match=next(iter(arguments))):
            GridSampler(cases, **arguments)
    with pytest.raises(InputError, match="bare has none"):
        GridSampler([write_prepared(tmp_path / "bare", masked=False)])
    with pytest.raises(IndexError):
        GridSampler(cases).batch(0, 2)
