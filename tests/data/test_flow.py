import cv2
import numpy as np
import pytest

from mstl.data._albumentations import A
from mstl.data.augment import ImageDataAugmentor
from mstl.errors import InputError

IMAGES = np.random.default_rng(0).random((10, 16, 16, 3)).astype(np.float32)
PLAIN = ImageDataAugmentor(seed=0, validation_split=0.2)


def test_validation_is_the_first_part_and_training_the_rest():
    validation = next(PLAIN.flow(IMAGES, shuffle=False, subset="validation"))
    training = next(PLAIN.flow(IMAGES, shuffle=False, subset="training"))
    assert np.array_equal(validation, IMAGES[:2])
    assert np.array_equal(training, IMAGES[2:])


def test_every_epoch_shows_each_sample_once_in_another_order():
    flow = PLAIN.flow(np.arange(10).reshape(10, 1, 1, 1), batch_size=4)
    orders = []
    for _ in range(2):
        orders.append(np.concatenate([flow[index] for index in range(len(flow))]).ravel())
        flow.on_epoch_end()
    assert len(flow) == 3
    assert [sorted(order) for order in orders] == [list(range(10))] * 2
    assert not np.array_equal(*orders)


def test_iteration_is_endless_and_equals_indexing_epoch_by_epoch():
    augmentor = ImageDataAugmentor(augment="thesis", seed=5)
    stream, indexed = augmentor.flow(IMAGES, batch_size=4), augmentor.flow(IMAGES, batch_size=4)
    for _ in range(3):
        for index in range(len(indexed)):
            assert np.array_equal(next(stream), indexed[index])
        indexed.on_epoch_end()
    stream.reset()
    assert np.array_equal(next(stream), augmentor.flow(IMAGES, batch_size=4)[0])


def test_draws_do_not_depend_on_the_batch_size():
    augmentor = ImageDataAugmentor(augment="thesis", seed=5)
    small = augmentor.flow(IMAGES, batch_size=3)
    large = augmentor.flow(IMAGES, batch_size=10)
    assert np.array_equal(np.concatenate([small[index] for index in range(4)]), large[0])


def test_keras_trains_on_a_flow_and_on_zipped_flows():
    from mstl._keras import keras

    model = keras.Sequential([keras.layers.Conv2D(1, 1, input_shape=(16, 16, 3))])
    model.compile("sgd", "mse")
    both = ImageDataAugmentor(augment="thesis", label_augment_mode="mask", seed=0)
    history = model.fit(both.flow(IMAGES, IMAGES[..., :1], batch_size=5), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    images = ImageDataAugmentor(augment="thesis", seed=0).flow(IMAGES, batch_size=5)
    masks = ImageDataAugmentor(augment="thesis", input_augment_mode="mask", seed=0)
    masks = masks.flow(IMAGES[..., :1], batch_size=5)
    history = model.fit(zip(images, masks, strict=False), steps_per_epoch=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_further_inputs_travel_with_their_images():
    flow = PLAIN.flow((IMAGES, np.arange(10)), np.arange(10), batch_size=4)
    (images, ages), labels = flow[0]
    assert images.shape == (4, 16, 16, 3)
    assert np.array_equal(ages, labels)


@pytest.mark.parametrize(("suffix", "channels"), [("png", 3), ("jpeg", 1)])
def test_pictures_are_saved_whole(tmp_path, suffix, channels):
    saving = {"save_to_dir": tmp_path, "save_prefix": "a", "save_format": suffix}
    next(PLAIN.flow(IMAGES[..., :channels], shuffle=False, batch_size=2, **saving))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a_0_0.{suffix}", f"a_1_0.{suffix}"]
    picture = cv2.imread(str(tmp_path / f"a_0_0.{suffix}"), cv2.IMREAD_UNCHANGED)
    assert picture.shape[:2] == (16, 16)
    if channels == 3:
        expected = (IMAGES[0] - IMAGES[0].min()) / np.ptp(IMAGES[0]) * 255
        assert np.abs(picture[..., ::-1] - expected).max() <= 1


def test_the_type_of_the_batches_can_be_chosen():
    assert next(PLAIN.flow(IMAGES, dtype="float16")).dtype == np.float16
    assert next(PLAIN.flow((IMAGES * 255).astype(np.uint8))).dtype == np.float32


@pytest.mark.parametrize(("arguments", "word"), [
    ({"x": IMAGES[0]}, "height"),
    ({"x": IMAGES, "y": np.zeros(9)}, "y holds 9"),
    ({"x": IMAGES, "sample_weight": np.zeros(9)}, "sample_weight holds 9"),
    ({"x": (IMAGES, np.zeros(9))}, "holds 9"),
    ({"x": IMAGES, "subset": "test"}, "subset"),
    ({"x": IMAGES, "batch_size": 0}, "batch_size"),
    ({"x": IMAGES, "save_format": "gif"}, "save_format"),
    ({"x": IMAGES, "seed": -1}, "seed"),
    ({"x": IMAGES[:3], "subset": "validation"}, "no sample"),
])
def test_arrays_that_do_not_fit_together_are_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        PLAIN.flow(**arguments)


def test_turned_oblong_images_are_answered_with_advice():
    turning = ImageDataAugmentor(augment=A.RandomRotate90(p=1), seed=1)
    with pytest.raises(InputError, match="square"):
        next(turning.flow(IMAGES[:, :8]))


def test_batches_beyond_the_last_are_an_index_error():
    with pytest.raises(IndexError):
        PLAIN.flow(IMAGES)[1]
