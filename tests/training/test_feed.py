"""What replicas are fed with: each its rows, batch after batch, epoch after epoch."""
from itertools import islice

import numpy as np
import pytest

from mstl._keras import tf
from mstl.data.sequences import BatchSequence
from mstl.data.shares import Share
from mstl.errors import InputError
from mstl.training.feed import Feed, fed


class Numbers:
    """Two batches of four samples, which are their epoch and place."""

    steps, samples, batch_size, batch_bytes = 2, 8, 4, 32

    def batch(self, epoch, index, *, rows=slice(None), empty=np.empty):
        places = np.arange(4 * index, 4 * index + 4, dtype=np.float32)[rows]
        return 100 * epoch + places, np.full((len(places), 1), epoch, np.float32)

    def batch_cases(self, epoch, index):
        return []


class Broken(Numbers):
    def batch(self, epoch, index, **options):
        if epoch or index:
            raise InputError("Case s0 is damaged.")
        return super().batch(epoch, index, **options)


@pytest.fixture
def strategy():
    return tf.distribute.MirroredStrategy(["CPU:0"])


def of_two(sampler, **options):
    """Batches of both replicas of a process with two; a strategy with one device takes them one after the other."""
    return BatchSequence(Share(sampler, replicas=2, count=2, full=True), **options)


def test_replicas_get_their_rows_in_order_and_epochs_follow_without_an_end(strategy):
    feed = Feed(strategy, of_two(Numbers(), epoch=3))
    seen = [first.numpy().tolist() for first, _ in islice(feed.dataset, 6)]
    feed.close()
    assert seen == [[300, 301], [302, 303], [304, 305], [306, 307], [400, 401], [402, 403]]
    assert feed.steps == 2


def test_a_validation_ends_after_its_epoch_and_can_be_walked_again(strategy):
    feed = Feed(strategy, of_two(Numbers(), advance=False))
    for _ in range(2):
        assert [len(first) for first, _ in feed.dataset] == [2, 2, 2, 2]


def test_a_batch_that_cannot_be_made_is_known_to_the_sequence(strategy):
    batches = of_two(Broken())
    with pytest.raises(tf.errors.OpError):
        list(Feed(strategy, batches).dataset)
    assert str(batches.failure) == "Case s0 is damaged."


def test_one_device_reads_the_sequence_itself():
    batches = BatchSequence(Numbers())
    with fed(tf.distribute.get_strategy(), batches, None) as data:
        assert data == {"x": batches, "validation_data": None}
