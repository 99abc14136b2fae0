import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.corruption import KINDS, Corruption
from mstl.data.prepared import PreparedCase
from mstl.data.restoration import RANGE_TOLERANCE, RestorationSampler
from mstl.data.sequences import SliceSequence
from mstl.data.slices import SliceSampler
from mstl.data.workers import SMALL
from mstl.errors import InputError
from tests.data.sequences import equal, walk
from tests.opened import opened_files


@pytest.fixture(scope="module")
def write_unit(write_prepared):
    """Write a prepared case of values in [0, 1] times `gain`, whose `mask.npy` cannot be opened: it is a folder."""

    def write(folder, *, normalise="percentile", gain=1.0, **options) -> PreparedCase:
        write_prepared(folder, **options)
        image = np.load(folder / "image.npy")
        np.save(folder / "image.npy", gain * np.clip(image, 0, 1))
        (folder / "mask.npy").unlink()
        (folder / "mask.npy").mkdir()
        record = json.loads((folder / "case.json").read_text()) | {"preparation": {"normalise": normalise}}
        (folder / "case.json").write_text(json.dumps(record))
        return PreparedCase(folder)

    return write


@pytest.fixture(scope="module")
def unit_cases(write_unit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unit")
    return [write_unit(folder / "a"), write_unit(folder / "bb"), write_unit(folder / "ccc", shape=(6, 34, 22))]


def restoration(cases, *, corruption=None, signed=False, **options) -> RestorationSampler:
    options = {"batch_size": 5, "keep": "brain", "seed": 4} | options
    corruption = corruption or Corruption("random-checkerboard", tile=4)
    return RestorationSampler(SliceSampler(cases, labels=False, **options), corruption=corruption, signed=signed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signed", [False, True])
def test_a_batch_is_the_slices_what_hides_them_and_where(unit_cases, kind, signed):
    sampler = restoration(unit_cases, corruption=Corruption(kind, tile=4), signed=signed)
    (images,) = sampler.slices.batch(1, 0)
    corrupted, target, hidden = sampler.batch(1, 0)
    assert corrupted.shape == target.shape == images.shape
    assert hidden.shape == (*images.shape[:3], 1)
    assert corrupted.dtype == target.dtype == hidden.dtype == np.float32
    assert set(np.unique(hidden)) == {0, 1}
    assert np.array_equal(target, 2 * images - 1 if signed else images)
    assert (target[:, 0, 0] == sampler.background).all()
    assert np.array_equal(corrupted, np.where(hidden > 0, 1, target))


def test_brain_blocks_hide_the_same_on_both_scales(unit_cases):
    kind = Corruption("brain-blocks", tile=4)
    hidden = [restoration(unit_cases, corruption=kind, signed=signed).batch(0, 0)[2] for signed in (False, True)]
    assert np.array_equal(*hidden)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 99), kind=st.sampled_from(sorted(KINDS)), data=st.data())
def test_a_batch_is_a_function_of_seed_epoch_and_index(unit_cases, seed, epoch, kind, data):
    options = {"seed": seed, "augment": "thesis", "corruption": Corruption(kind, tile=4)}
    sampler = restoration(unit_cases, **options)
    index = data.draw(st.integers(0, sampler.steps - 1))
    batch = sampler.batch(epoch, index)
    sampler.batch(data.draw(st.integers(0, 9)), 0)
    assert equal(batch, pickle.loads(pickle.dumps(sampler)).batch(epoch, index))
    assert equal(batch, restoration(unit_cases, **options).batch(epoch, index))


def test_what_is_hidden_differs_by_seed_epoch_index_and_row(unit_cases):
    hidden = [
        row.tobytes()
        for seed in range(2)
        for sampler in [restoration(unit_cases, seed=seed, corruption=Corruption("blocks", tile=4))]
        for epoch in range(2)
        for index in range(2)
        for row in sampler.batch(epoch, index)[2]
    ]
    assert len(set(hidden)) == len(hidden) == 40


@pytest.mark.parametrize("large", [False, True])
def test_batches_are_equal_for_any_number_of_workers_and_after_a_resume_with_masks_closed(
    unit_cases, write_unit, tmp_path, large
):
    cases = [*unit_cases, write_unit(tmp_path / "large", shape=(4, 200, 180))] if large else unit_cases
    sampler = restoration(cases, augment="thesis", signed=True)
    assert (sampler.batch_bytes > SMALL) == large
    with opened_files() as opened:
        alone = walk(SliceSequence(sampler), 3)
    assert {path.name for path in opened} == {"image.npy"}
    per_epoch = 3 * sampler.steps
    with SliceSequence(sampler, workers=2) as sequence:
        assert equal(walk(sequence, 3), alone)
    again = restoration(cases, augment="thesis", signed=True)
    assert equal(walk(SliceSequence(again, epoch=2), 1), alone[2 * per_epoch :])


def test_an_epoch_that_stays_hides_the_same(unit_cases):
    sampler = restoration(unit_cases)
    per_epoch = 3 * sampler.steps
    batches = walk(SliceSequence(sampler, advance=False), 2)
    assert equal(batches[:per_epoch], batches[per_epoch:])


def test_a_sampler_tells_steps_bytes_and_cases(unit_cases):
    sampler = restoration(unit_cases, batch_size=4)
    assert sampler.steps == sampler.slices.steps == 4
    assert sum(part.nbytes for part in sampler.batch(0, 0)) == sampler.batch_bytes
    assert sampler.batch_cases(2, 1) == sampler.slices.batch_cases(2, 1)
    assert restoration(unit_cases, steps_per_epoch=7).steps == 7
    for index in (-1, 4):
        with pytest.raises(IndexError):
            sampler.batch(0, index)


def test_arrays_come_from_the_given_maker_in_their_order(unit_cases):
    made = []

    def empty(shape, dtype):
        made.append(np.full(shape, np.nan, dtype))
        return made[-1]

    batch = restoration(unit_cases).batch(0, 0, empty=empty)
    assert all(given is part for given, part in zip(made, batch, strict=True))
    assert all(np.isfinite(part).all() for part in batch)


def test_augmented_slices_stay_in_range(unit_cases):
    for signed, low in ((False, 0), (True, -1)):
        _, target, _ = restoration(unit_cases, augment="strong", signed=signed, batch_size=16).batch(0, 0)
        assert target.min() == low
        assert target.max() == 1


@pytest.mark.parametrize("method", ["zscore", "nyul"])
def test_preparations_that_do_not_end_in_the_range_are_refused_before_any_batch(write_unit, tmp_path, method):
    with pytest.raises(InputError, match=rf"Case odd .*{method}.*--normalise percentile"):
        restoration([write_unit(tmp_path / "odd", normalise=method)])


@pytest.mark.parametrize(("low", "high"), [(0, 1 + 2 * RANGE_TOLERANCE), (-2 * RANGE_TOLERANCE, 1), (-3, 4)])
def test_images_out_of_range_are_named_with_their_range_before_any_batch(unit_cases, write_unit, tmp_path, low, high):
    case = write_unit(tmp_path / "bright", normalise="max")
    image = np.load(case.folder / "image.npy")
    image[2, 5, 5], image[3, 6, 6] = low, high
    np.save(case.folder / "image.npy", image)
    with pytest.raises(InputError, match=rf"bright has values from {low:.3g} to {high:.3g}, .*percentile"):
        restoration([*unit_cases, case])


def test_values_that_are_no_numbers_are_refused(write_unit, tmp_path):
    case = write_unit(tmp_path / "holes")
    image = np.load(case.folder / "image.npy")
    image[2, 5, 5, 0] = np.nan
    np.save(case.folder / "image.npy", image)
    with pytest.raises(InputError, match="holes has values from nan"):
        restoration([case])


def test_small_excursions_are_cut(write_unit, tmp_path):
    sampler = restoration([write_unit(tmp_path / "wide", gain=1.04)], signed=True, batch_size=6)
    assert sampler.slices.batch(0, 0)[0].max() > 1
    assert sampler.batch(0, 0)[1].max() == 1


def test_slices_with_labels_are_refused(cases):
    slices = SliceSampler(cases, keep="brain")
    with pytest.raises(InputError, match="labels=False"):
        RestorationSampler(slices, corruption=Corruption(), signed=True)
