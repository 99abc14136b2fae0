import pytest

from mstl.data.passes import batch_places, steps_of_epoch


def places(epoch, index, steps):
    return batch_places(epoch, index, length=5, batch_size=2, steps_per_epoch=steps)


def test_an_epoch_is_one_pass_whose_last_batch_may_be_smaller():
    assert steps_of_epoch(5, batch_size=2, steps_per_epoch=None) == 3
    assert [places(7, index, None) for index in range(3)] == [[(7, 0), (7, 1)], [(7, 2), (7, 3)], [(7, 4)]]


def test_epochs_of_given_length_cut_an_endless_row_of_passes():
    row = [place for epoch in range(3) for index in range(4) for place in places(epoch, index, 4)]
    assert row == [(place // 5, place % 5) for place in range(24)]


@pytest.mark.parametrize("index", [-1, 3])
def test_batches_beyond_the_last_are_refused(index):
    with pytest.raises(IndexError, match=f"batch {index} of 3"):
        places(0, index, None)
