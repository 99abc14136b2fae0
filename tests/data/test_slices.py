import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.prepared import PreparedCase
from mstl.data.slices import SliceSampler
from mstl.errors import InputError
from tests.opened import opened_files


def shown(sampler: SliceSampler, epoch: int) -> list[tuple[int, int]]:
    """Which slices an epoch shows, by case and position."""
    return [tuple(row) for row in sampler._order(epoch)[: sampler.slices].tolist()]


def test_lesion_free_slices_are_dropped_or_balanced_or_kept(cases):
    lesion = [(0, 2), (0, 3), (1, 1), (1, 4), (1, 5), (2, 2)]
    assert shown(SliceSampler(cases, keep="lesion", shuffle=False), 0) == lesion
    everything = SliceSampler(cases, keep="all", shuffle=False)
    assert shown(everything, 0) == [(case, d) for case, depth in enumerate((8, 8, 6)) for d in range(depth)]
    balanced = SliceSampler(cases, keep="balanced", seed=1)
    draws = [set(shown(balanced, epoch)) - set(lesion) for epoch in range(4)]
    assert all(len(draw) == 6 for draw in draws)
    assert len({frozenset(draw) for draw in draws}) > 1
    assert all(cases[case].brain_voxels[position] for draw in draws for case, position in draw)
    assert SliceSampler(cases, keep="balanced", lesion_free=0.5).slices == 9
    assert SliceSampler(cases, keep="balanced", lesion_free=100).slices == 16


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 99), batch_size=st.integers(1, 9), data=st.data())
def test_a_batch_is_a_function_of_seed_epoch_and_index(cases, seed, epoch, batch_size, data):
    def build():
        options = {"keep": "balanced", "augment": "strong", "crop": (16, 16)}
        return SliceSampler(cases, batch_size=batch_size, seed=seed, **options)

    sampler = build()
    index = data.draw(st.integers(0, sampler.steps - 1))
    images, masks = sampler.batch(epoch, index)
    sampler.batch(data.draw(st.integers(0, 9)), 0)
    again = pickle.loads(pickle.dumps(sampler)).batch(epoch, index)
    assert np.array_equal(images, again[0])
    assert np.array_equal(masks, again[1])
    assert images.shape[1:] == (16, 16, 2)
    assert masks.shape == (*images.shape[:3], 1)
    assert images.dtype == masks.dtype == np.float32
    assert set(np.unique(masks)) <= {0, 1}


@settings(max_examples=20, deadline=None)
@given(steps=st.integers(1, 7), batch_size=st.integers(1, 9))
def test_an_endless_stream_shows_every_slice_once_a_pass(cases, steps, batch_size):
    sampler = SliceSampler(cases, batch_size=batch_size, seed=3, steps_per_epoch=steps)
    assert sampler.steps == steps
    batches = [(epoch, index) for epoch in range(12) for index in range(steps)]
    places = [place for batch in batches for place in sampler._places(*batch)]
    assert len(places) == 12 * steps * batch_size
    whole = len(places) // sampler.slices
    passes = Counter(number for number, _ in places)
    assert all(passes[number] == sampler.slices for number in range(whole))
    assert all(sorted(shown(sampler, number)) == sorted(shown(sampler, 0)) for number in range(whole))


def test_epochs_and_seeds_have_orders_of_their_own(cases):
    sampler, other = SliceSampler(cases, keep="all"), SliceSampler(cases, keep="all", seed=1)
    assert shown(sampler, 0) != shown(sampler, 1)
    assert shown(sampler, 0) != shown(other, 0)
    assert not np.array_equal(sampler.batch(0, 0)[0], sampler.batch(1, 0)[0])


def test_slices_hold_what_the_files_hold_in_the_middle_of_zeros(cases):
    sampler = SliceSampler(cases, keep="all", shuffle=False, batch_size=30)
    images, masks = sampler.batch(0, 0)
    assert sampler.image_shape == (64, 32, 2)
    assert np.array_equal(images[2, 17:47, 3:29], cases[0].image[2].astype(np.float32))
    assert np.array_equal(masks[2, 17:47, 3:29, 0], cases[0].mask[2])
    assert images.sum(dtype=np.float64) == sum(np.sum(case.image, dtype=np.float64) for case in cases)
    assert SliceSampler(cases[:1], multiple_of=1).image_shape == (30, 26, 2)


def test_the_last_batch_holds_what_is_left(cases):
    sampler = SliceSampler(cases, batch_size=4)
    assert sampler.steps == 2
    assert len(sampler.batch(0, 1)[0]) == 2
    for index in (-1, 2):
        with pytest.raises(IndexError):
            sampler.batch(0, index)


def test_neighbouring_slices_become_channels_and_are_zero_beyond_the_volume(cases):
    sampler = SliceSampler(cases[:1], keep="all", shuffle=False, context=1, multiple_of=1, batch_size=8)
    images, _ = sampler.batch(0, 0)
    volume = cases[0].image.astype(np.float32)
    assert images.shape == (8, 30, 26, 6)
    assert np.array_equal(images[3], np.concatenate([volume[2], volume[3], volume[4]], axis=-1))
    assert not images[0, ..., :2].any()
    assert np.array_equal(images[0, ..., 4:], volume[1])


def test_crops_around_lesions_hold_a_lesion_and_match_their_masks(cases):
    sampler = SliceSampler(cases, crop=(12, 12), lesion_crop=1, steps_per_epoch=8, batch_size=8)
    for index in range(8):
        images, masks = sampler.batch(0, index)
        assert images.shape == (8, 12, 12, 2)
        assert masks.any(axis=(1, 2, 3)).all()
    anywhere = SliceSampler(cases, crop=(12, 12), lesion_crop=0, keep="all", batch_size=22).batch(0, 0)[0]
    assert len({image.tobytes() for image in anywhere}) > 15


def test_crops_with_a_class_share_lie_anywhere_and_show_two_classes_where_they_can(cases):
    options = {"crop": (12, 12), "class_share": 0.9, "seed": 4}
    images, masks = SliceSampler(cases, **options, steps_per_epoch=1, batch_size=40).batch(0, 0)
    lesion = masks.mean(axis=(1, 2, 3))
    around = SliceSampler(cases, crop=(12, 12), seed=4, steps_per_epoch=1, batch_size=40).batch(0, 0)[0]
    assert ((lesion > 0.1) & (lesion < 0.9)).mean() > 0.6
    assert not np.array_equal(images, around)
    turned, _ = SliceSampler(cases, **options, augment="none", steps_per_epoch=1, batch_size=40).batch(0, 0)
    assert np.array_equal(images, turned)  # its margin is cut off again


def test_a_crop_larger_than_the_slice_is_filled_with_zeros(cases):
    images, masks = SliceSampler(cases[:1], crop=(40, 40), batch_size=2, shuffle=False).batch(0, 0)
    assert np.array_equal(images[0, 5:35, 7:33], cases[0].image[2].astype(np.float32))
    assert masks[0].sum() == cases[0].lesion_voxels[2]


def test_oblong_slices_survive_quarter_turns(cases):
    images, masks = SliceSampler(cases, augment="thesis", steps_per_epoch=4, batch_size=8).batch(0, 2)
    assert images.shape == (8, 64, 32, 2)
    assert set(np.unique(masks)) == {0, 1}


def test_the_cases_of_a_batch_are_named_once_each(cases):
    sampler = SliceSampler(cases, shuffle=False, batch_size=4)
    assert sampler.batch_cases(0, 0) == ["a", "bb"]
    assert sampler.batch_cases(0, 1) == ["bb", "ccc"]


def test_arrays_come_from_the_given_maker(cases):
    made = []

    def empty(shape, dtype):
        made.append(np.full(shape, np.nan, dtype))
        return made[-1]

    sampler = SliceSampler(cases, batch_size=4)
    images, masks = sampler.batch(0, 0, empty=empty)
    assert images is made[0]
    assert masks is made[1]
    assert np.isfinite(images).all()
    assert images.nbytes + masks.nbytes == sampler.batch_bytes


def test_a_pickled_sampler_carries_no_arrays(write_prepared, tmp_path):
    large = write_prepared(tmp_path / "large", shape=(20, 100, 100))
    sampler = SliceSampler([large], keep="all")
    sampler.batch(0, 0)
    assert len(pickle.dumps(sampler)) < 20_000


def test_unlabelled_cases_give_empty_masks_where_all_slices_are_kept(write_prepared, tmp_path):
    case = write_prepared(tmp_path / "bare", masked=False)
    assert not SliceSampler([case], keep="all").batch(0, 0)[1].any()
    with pytest.raises(InputError, match="bare has none"):
        SliceSampler([case], keep="lesion")


def test_nothing_to_draw_names_the_cases(write_prepared, tmp_path):
    healthy = write_prepared(tmp_path / "healthy", lesions=())
    for keep in ("lesion", "balanced"):
        with pytest.raises(InputError, match=r"healthy.*lesion"):
            SliceSampler([healthy], keep=keep)
    with pytest.raises(InputError, match="at least one"):
        SliceSampler([])


def test_cases_of_different_channels_are_refused(write_prepared, cases, tmp_path):
    with pytest.raises(InputError, match=r"\[2, 3\] channels"):
        SliceSampler([*cases, write_prepared(tmp_path / "wide", channels=3)])


def test_a_file_cut_off_after_opening_is_named(write_prepared, tmp_path):
    case = write_prepared(tmp_path / "cut")
    sampler = SliceSampler([case], shuffle=False)
    with (case.folder / "image.npy").open("r+b") as stream:
        stream.truncate(2000)
    with pytest.raises(InputError, match=r"image\.npy is shorter"):
        sampler.batch(0, 0)


@pytest.mark.parametrize(("arguments", "word"), [
    ({"batch_size": 0}, "batch_size"), ({"keep": "some"}, "balanced"), ({"seed": -1}, "seed"),
    ({"crop": (0, 4)}, "crop"), ({"context": -1}, "context"), ({"steps_per_epoch": 0}, "steps_per_epoch"),
    ({"augment": "thesys"}, "thesis"), ({"multiple_of": 0}, "multiple_of"), ({"class_share": 0.75}, "needs masks and"),
    ({"class_share": 0.75, "crop": (4, 4), "labels": False, "keep": "brain"}, "class_share is 0.75, which needs masks"),
])
def test_wrong_numbers_and_names_are_refused(cases, arguments, word):
    with pytest.raises(InputError, match=word):
        SliceSampler(cases, **arguments)


@pytest.fixture
def closed(write_prepared, tmp_path):
    """Two labelled cases whose `mask.npy` cannot be opened: it is a folder."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write_prepared(folder)
        (folder / "mask.npy").unlink()
        (folder / "mask.npy").mkdir()
    return [PreparedCase(folder) for folder in folders]


def test_brain_keeps_every_slice_that_shows_brain(cases):
    brain = [(0, d) for d in range(1, 7)] + [(1, d) for d in range(1, 7)] + [(2, d) for d in range(1, 5)]
    assert shown(SliceSampler(cases, keep="brain", shuffle=False), 0) == brain
    assert shown(SliceSampler(cases, keep="brain", labels=False, shuffle=False), 0) == brain
    images, masks = SliceSampler(cases, keep="brain", batch_size=16).batch(0, 0)
    assert len(images) == 16
    assert masks.any()


@pytest.mark.parametrize("options", [{}, {"augment": "strong"}, {"crop": (16, 16)}, {"context": 1}])
def test_without_labels_masks_are_never_opened(closed, monkeypatch, options):
    with pytest.raises(InputError, match=r"mask\.npy is damaged"):
        SliceSampler(closed, keep="brain")
    monkeypatch.setattr(PreparedCase, "mask", property(lambda case: pytest.fail("the mask was asked for")))
    with opened_files() as opened:
        sampler = SliceSampler(closed, keep="brain", labels=False, batch_size=5, **options)
        batches = [sampler.batch(epoch, index) for epoch in range(2) for index in range(sampler.steps)]
    assert {path.name for path in opened} == {"image.npy"}
    assert all(len(batch) == 1 for batch in batches)
    assert sum(len(images) for images, in batches) == 2 * sampler.slices


@pytest.mark.parametrize("options", [{}, {"augment": "strong"}, {"crop": (16, 16), "lesion_crop": 0}, {"context": 1}])
def test_images_are_the_same_with_and_without_labels(cases, options):
    options = {"keep": "brain", "batch_size": 6, "seed": 3} | options
    (images,) = SliceSampler(cases, labels=False, **options).batch(1, 1)
    assert np.array_equal(images, SliceSampler(cases, **options).batch(1, 1)[0])


def test_a_batch_without_labels_takes_no_room_for_masks(cases):
    sampler = SliceSampler(cases, keep="brain", labels=False, batch_size=4)
    assert sampler.batch_bytes == sampler.batch(0, 0)[0].nbytes


def test_slices_that_need_labels_are_refused_without_them(cases):
    for keep in ("lesion", "balanced"):
        with pytest.raises(InputError, match=f"'{keep}' needs masks, labels=False"):
            SliceSampler(cases, keep=keep, labels=False)


def test_cases_without_brain_are_named(write_prepared, tmp_path):
    case = write_prepared(tmp_path / "hollow")
    case.record["brain_voxels"] = [0] * case.shape[0]
    with pytest.raises(InputError, match=r"hollow.*brain voxel"):
        SliceSampler([case], keep="brain", labels=False)


@pytest.mark.parametrize("augment", ["none", "thesis", "strong", "wide"])
def test_classes_of_a_mask_are_neither_mixed_nor_lost(write_prepared, tmp_path, augment):
    case = write_prepared(tmp_path / "tumour", lesions=(2, 3, 4))
    mask = np.array(case.mask)
    mask[:, :, 10:] *= 3
    np.save(case.folder / "mask.npy", mask)
    sampler = SliceSampler([case], batch_size=3, augment=augment, crop=(16, 16), lesion_crop=1, seed=2)
    masks = np.concatenate([sampler.batch(epoch, 0)[1] for epoch in range(4)])
    assert np.unique(masks).tolist() == [0, 1, 3]
