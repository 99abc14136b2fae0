import pytest

from mstl.data.patches import PatchSampler
from mstl.data.sequences import PatchSequence, SliceSequence
from mstl.data.slices import SliceSampler
from mstl.errors import InputError
from tests.data.sequences import equal, walk


@pytest.fixture(scope="module")
def sampler(cases):
    return SliceSampler(cases, batch_size=3, keep="balanced", seed=7, augment="thesis", crop=(24, 24))


def test_batches_are_equal_to_the_bit_for_any_number_of_workers_and_after_a_resume(sampler):
    alone = walk(SliceSequence(sampler), 3)
    per_epoch = 2 * sampler.steps
    with SliceSequence(sampler, workers=3) as sequence:
        assert equal(walk(sequence, 3), alone)
        sequence.epoch = 1
        assert equal(walk(sequence, 1), alone[per_epoch : 2 * per_epoch])
    assert equal(walk(SliceSequence(sampler, epoch=2), 1), alone[2 * per_epoch :])


def test_patches_are_equal_to_the_bit_with_workers_and_after_a_resume(cases):
    sampler = PatchSampler(cases, patch=(8, 24, 24), seed=7, augment="strong", steps_per_epoch=3)
    alone = walk(PatchSequence(sampler), 2)
    with PatchSequence(sampler, workers=2) as sequence:
        assert equal(walk(sequence, 2), alone)
    assert equal(walk(PatchSequence(sampler, epoch=1), 1), alone[len(alone) // 2 :])


def test_an_epoch_that_stays_has_the_same_batches(sampler):
    staying = SliceSequence(sampler, advance=False)
    batches = walk(staying, 2)
    assert equal(batches[: len(batches) // 2], batches[len(batches) // 2 :])
    with SliceSequence(sampler, workers=2, advance=False) as ahead:
        assert equal(walk(ahead, 2), batches)


def test_a_closed_sequence_goes_on_in_its_own_process(sampler):
    sequence = SliceSequence(sampler, workers=2)
    first = [part.copy() for part in sequence[0]]
    sequence.close()
    sequence.close()
    assert equal(sequence[0], first)


def test_keras_asks_for_every_batch_of_each_epoch(cases):
    from mstl._keras import keras

    class Recording(SliceSequence):
        def __getitem__(self, index):
            asked.append((self.epoch, index))
            return super().__getitem__(index)

    asked = []
    sampler = SliceSampler(cases, batch_size=3, crop=(8, 8))
    sequence = Recording(sampler)
    model = keras.Sequential([keras.layers.Conv2D(1, 1, input_shape=(8, 8, 2))])
    model.compile("sgd", "mse")
    validation = SliceSequence(sampler, advance=False)
    model.fit(sequence, epochs=3, shuffle=False, verbose=0, validation_data=validation)
    assert validation.epoch == 0
    assert [(epoch, index) for epoch in range(3) for index in range(2)] == list(dict.fromkeys(asked))
    assert sequence.epoch == 3


def test_names_of_a_batch_follow_the_epoch(sampler):
    sequence = SliceSequence(sampler, epoch=4)
    assert sequence.batch_cases(1) == sampler.batch_cases(4, 1)


def test_batches_beyond_the_last_and_wrong_numbers_are_refused(sampler):
    with pytest.raises(IndexError):
        SliceSequence(sampler)[sampler.steps]
    for arguments in ({"workers": 0}, {"epoch": -1}):
        with pytest.raises(InputError, match="expected at least"):
            SliceSequence(sampler, **arguments)
