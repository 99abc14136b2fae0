"""Shares of batches: together the whole, none empty, every sample of a validation alike often."""
from collections import Counter
from math import ceil

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mstl.data.shares import Share
from mstl.data.slices import SliceSampler


class Numbers:
    """A sampler whose samples are their places in the epoch."""

    def __init__(self, samples: int, batch_size: int) -> None:
        self.samples, self.batch_size, self.read = samples, batch_size, []
        self.steps, self.batch_bytes = ceil(samples / batch_size), 8 * batch_size

    def batch(self, epoch, index, *, rows=slice(None), empty=np.empty):
        places = np.arange(index * self.batch_size, min((index + 1) * self.batch_size, self.samples))[rows]
        self.read += places.tolist()
        array = empty(places.shape, np.float32)
        array[:] = places + 1000 * epoch
        return (array,)

    def batch_cases(self, epoch, index):
        return [f"case{index}"]


def shares(sampler, replicas, **options):
    """The share of each replica by itself, as workers with one device have them."""
    return [Share(sampler, replicas=replicas, first=number, **options) for number in range(replicas)]


sizes = {"samples": st.integers(1, 40), "replicas": st.integers(1, 6), "images": st.integers(1, 4)}


@given(**sizes)
@settings(max_examples=60, deadline=None)
@example(samples=5, replicas=4, images=1)
@example(samples=1, replicas=4, images=2)
def test_no_replica_is_left_without_an_image_and_validation_counts_every_sample_alike(samples, replicas, images):
    sampler = Numbers(samples, replicas * images)
    parts = shares(sampler, replicas, full=False)
    seen = Counter()
    for index in range(parts[0].steps):
        batches = [part.batch(0, index)[0] for part in parts]
        lengths = [len(batch) for batch in batches]
        assert min(lengths) >= 1
        assert max(lengths) <= min(lengths) + 1
        assert lengths == Share(sampler, replicas=replicas, count=replicas, full=False).sizes(index)
        seen.update(np.concatenate(batches).tolist())
    assert set(seen) == set(range(samples))
    assert len(set(seen.values())) == 1
    assert set(seen.values()) == {1} or samples < replicas


@given(**sizes)
@settings(max_examples=60, deadline=None)
def test_training_batches_are_those_of_the_sampler_the_last_filled_up_with_the_first_samples(samples, replicas, images):
    sampler = Numbers(samples, replicas * images)
    parts = shares(sampler, replicas)
    assert parts[0].steps == sampler.steps
    for index in range(sampler.steps):
        batches = [part.batch(2, index)[0] for part in parts]
        assert [len(batch) for batch in batches] == [images] * replicas
        whole = sampler.batch(2, index)[0]
        assert np.array_equal(np.concatenate(batches)[: len(whole)], whole)
    rest = np.concatenate(batches)[len(whole) :] - 2000
    assert np.array_equal(rest, np.arange(len(rest)) % samples)


def test_only_its_own_rows_are_read():
    sampler = Numbers(16, 8)
    Share(sampler, replicas=4, first=2, count=2).batch(0, 1)
    assert sampler.read == [12, 13, 14, 15]


def test_a_share_names_the_cases_of_all_replicas_and_ends_where_the_epoch_does():
    share = Share(Numbers(9, 4), replicas=4, first=3, full=False)
    assert share.steps == 2
    assert share.batch_cases(0, 1) == ["case1", "case2"]
    assert share.batch_bytes == 2 * 8
    with pytest.raises(IndexError, match="batch 2 of 2"):
        share.batch(0, 2)


def test_slices_are_drawn_and_augmented_as_for_one_device(tiny_prepared):
    sampler = SliceSampler(tiny_prepared, batch_size=4, keep="brain", seed=3, augment="thesis")
    whole = sampler.batch(1, 0)
    parts = [part.batch(1, 0) for part in shares(sampler, 2)]
    for array, *pieces in zip(whole, *parts, strict=True):
        assert np.array_equal(array, np.concatenate(pieces))
