import gc
import os
import signal
import sys

import numpy as np
import pytest

from mstl.data import workers
from mstl.data.workers import BatchPool
from mstl.errors import InputError, TrainingError


class Numbers:
    """A sampler whose batches say where they are from."""

    steps = 5
    batch_bytes = 2 << 20

    def batch(self, epoch, index, *, empty=np.empty):
        if epoch == 9:
            raise InputError("epoch nine is broken")
        if epoch == 8:
            os.kill(os.getpid(), signal.SIGKILL)
        array, label = empty((1 << 18,), np.float32), empty((3,), np.int64)
        array[:] = 100 * epoch + index
        label[:] = "tensorflow" in sys.modules, epoch, index
        return array, label


def check_batch(batch, epoch, index):
    array, label = batch
    assert (array == 100 * epoch + index).all()
    assert label.tolist() == [0, epoch, index]


@pytest.fixture(scope="module")
def pool():
    pool = BatchPool(Numbers(), workers=2)
    yield pool
    pool.close()


def test_batches_come_in_any_order_from_processes_without_tensorflow(pool):
    for epoch, index in [(0, 0), (0, 1), (0, 2), (0, 4), (0, 3), (2, 1), (2, 0), (1, 4), (0, 0), (0, 0)]:
        check_batch(pool.batch(epoch, index), epoch, index)


def test_batches_that_are_held_are_not_written_over(pool):
    held = [(epoch, index, pool.batch(epoch, index)) for epoch in range(5) for index in range(5)]
    for epoch, index, batch in held:
        check_batch(batch, epoch, index)
    held[0][2][0][:] = -1
    check_batch(held[1][2], *held[1][:2])


def test_files_are_used_again_when_their_arrays_are_gone(pool):
    for epoch in range(3, 7):
        for index in range(5):
            check_batch(pool.batch(epoch, index), epoch, index)
    gc.collect()
    assert len(pool._files._maps) <= workers.FILES_PER_WORKER * 2


def test_an_error_in_a_worker_arrives_as_itself(pool):
    with pytest.raises(InputError, match="epoch nine"):
        pool.batch(9, 0)
    check_batch(pool.batch(0, 0), 0, 0)


def test_a_killed_worker_is_explained_and_closing_leaves_no_file():
    pool = BatchPool(Numbers(), workers=2)
    batch = pool.batch(0, 0)
    folder = pool._files.folder
    assert os.path.isdir(folder)
    with pytest.raises(TrainingError, match="memory"):
        pool.batch(8, 0)
    pool.close()
    assert not os.path.exists(folder)
    check_batch(batch, 0, 0)


@pytest.mark.parametrize("full", [True, False], ids=["full", "missing"])
def test_without_room_in_shared_memory_other_ways_are_taken(monkeypatch, full):
    monkeypatch.setattr(workers, "SHARED_MEMORY", "/does/not/exist")
    if full:
        monkeypatch.setattr(workers._SharedFiles, "_make", lambda *_: (_ for _ in ()).throw(OSError("full")))
    pool = BatchPool(Numbers(), workers=2)
    check_batch(pool.batch(1, 2), 1, 2)
    pool.close()
