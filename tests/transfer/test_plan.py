import json

import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError, TransferError
from mstl.models.pix2pix import generator, segmentation_generator
from mstl.models.unet_small import unet_small
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.digest import norm_of, sha256_of
from mstl.transfer.plan import plan_transfer, transfer_weights
from tests.networks import unet
from tests.twins import randomise, response, weights

layers = keras.layers


def small(channels=2, *, width=2, seed=0):
    return randomise(unet_small(channels=channels, width=width, depth=2), seed)


@pytest.fixture
def file(tmp_path):
    """Function that writes a small U-Net's weights, and returns path and model."""

    def write(channels=2, *, seed=1, spoil=None, **options):
        model = small(channels, seed=seed, **options)
        path = tmp_path / f"{channels}-{seed}.h5"
        model.save_weights(path)
        if spoil is not None:
            with h5py.File(path, "r+") as stored:
                stored["final_conv/final_conv/bias:0"][0] = spoil
        return path, model

    return write


def refusal(path, model, **options):
    """The one line by which a transfer is refused; the model is left as it was, to the bit."""
    before = weights(model)
    with pytest.raises(InputError) as caught:
        transfer_weights(path, model, **options)
    assert weights(model) == before
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_every_tensor_of_model_and_file_has_one_row(file):
    path, _ = file()
    model = small(seed=3)
    before = weights(model)
    with Checkpoint.open(path) as checkpoint:
        plan = plan_transfer(checkpoint, model, exclude="head")
        targets = [row.target for row in plan.rows if row.target]
        assert len(targets) == len(set(targets)) == len(model.weights) - 2
        assert {row.source for row in plan.rows} == set(checkpoint.tensors)
        assert plan.counts == {"load": len(targets), "renamed": 0, "adapted": 0, "kept": 0, "shape mismatch": 0,
                               "no source": 0, "unused": 2}  # fmt: skip
        assert plan.rows[-1].reason == "out of scope"
        assert "load" in str(plan)
    assert weights(model) == before


def test_the_report_tells_norms_and_hashes_of_what_the_model_holds(file):
    path, source = file()
    model = small(seed=3)
    before = {weight.name: norm_of(weight.numpy()) for weight in model.weights}
    report = transfer_weights(path, model)
    assert weights(model) == weights(source)
    by_path = {row.target: row for row in report.rows}
    for layer in model.layers:
        for weight in layer.weights:
            row = by_path[weight.name.split(":")[0]]
            assert row.norm_before == before[weight.name]
            assert row.norm_after == norm_of(weight.numpy())
            assert row.sha256 == sha256_of(weight.numpy())
    assert json.loads(json.dumps(report.to_dict()))["counts"]["load"] == len(model.weights)


def test_later_changes_of_the_model_leave_nothing_behind_in_the_report(file):
    path, source = file()
    model = small(seed=3)
    transfer_weights(path, model)
    randomise(model, seed=4)
    again = small(seed=5)
    transfer_weights(path, again)
    assert weights(again) == weights(source)


def test_training_after_a_transfer_changes_that_model_alone(file):
    path, source = file()
    first, second = small(seed=3), small(seed=4)
    with Checkpoint.open(path) as checkpoint:
        for model in (first, second):
            plan_transfer(checkpoint, model).apply()
    first.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    first.fit(np.ones((2, 8, 8, 2), np.float32), np.zeros((2, 8, 8, 1), np.float32), epochs=2, verbose=0)
    assert weights(first) != weights(source)
    assert weights(second) == weights(source)
    second.set_weights(first.get_weights())
    assert weights(second) == weights(first)


@pytest.mark.parametrize("scope", ["encoder", ["encoder1", "encoder2"], "^encoder", ["encoder1", "bottleneck_.*"]])
def test_scopes_limit_what_changes(file, scope):
    path, source = file()
    model = small(seed=3)
    transfer_weights(path, model, include=scope)
    theirs = {layer.name: layer.get_weights() for layer in source.layers}
    for layer in model.layers:
        inside = bool(layer.weights) and np.array_equal(layer.get_weights()[0], theirs[layer.name][0])
        if layer.name.startswith("encoder1"):
            assert inside or not layer.weights
        if layer.name.startswith(("decoder", "final")):
            assert not inside


def test_exclude_takes_away_from_include(file):
    path, _ = file()
    report = transfer_weights(path, small(), include="encoder", exclude=["encoder1", "_bn"])
    assert {row.target.split("/")[0] for row in report.rows if row.status == "load"} == {
        "encoder2_conv1", "encoder2_conv2", "bottleneck_conv1", "bottleneck_conv2"}  # fmt: skip


def test_nothing_for_one_of_several_scopes_is_an_error_that_names_it(file):
    path, _ = file(width=2)
    model = unet()
    scopes = {"include": ["e1_conv", "d1_conv"], "allow_partial": True}
    assert "scope 'e1_conv'" in refusal(path, model, match="name", **scopes)
    assert "Nothing of 2-1.h5 fits the model" in refusal(path, model, match="name")


def test_a_partial_match_is_an_error_unless_allowed(file):
    path, _ = file()
    with h5py.File(path, "r+") as stored:
        del stored["final_conv"]
        stored.attrs["layer_names"] = [name for name in stored.attrs["layer_names"] if "final" not in str(name)]
    model = small(seed=3)
    assert "tensors of the model, first 'final_conv/kernel'" in refusal(path, model)
    report = transfer_weights(path, model, allow_partial=True)
    assert report.counts["no source"] == 2


def test_other_widths_are_shape_mismatches_with_both_shapes(file):
    path, _ = file(width=3)
    with Checkpoint.open(path) as checkpoint:
        row = plan_transfer(checkpoint, small(width=2)).rows[0]
    assert (row.status, row.source_shape, row.target_shape) == ("shape mismatch", (3, 3, 2, 3), (3, 3, 2, 2))
    assert row.reason == "(3, 3, 2, 3) in the file, (3, 3, 2, 2) in the model"
    assert "has nothing for" in refusal(path, small(width=2))


@pytest.mark.parametrize("how", ["sum", "mean", "repeat"])
def test_another_number_of_channels_is_adapted_at_the_entry_on_request_only(file, how):
    path, source = file(channels=1)
    assert "(3, 3, 1, 2) in the file, (3, 3, 3, 2) in the model" in refusal(path, small(3))
    model = small(3, seed=4)
    report = transfer_weights(path, model, adapt=how)
    adapted = [row for row in report.rows if row.status == "adapted"]
    assert [row.target for row in adapted] == ["encoder1_conv1/kernel"]
    assert f"{how} of channels" in adapted[0].reason
    if how == "sum":
        image = np.random.default_rng(0).standard_normal((1, 16, 16, 1)).astype(np.float32)
        assert np.allclose(source(image), model(np.repeat(image, 3, -1)), atol=1e-5)


def test_two_dimensions_become_three_by_name_and_by_order(tmp_path):
    def build(conv, side, name):
        image = layers.Input(side)
        maps = conv(4, 3, activation="relu", name=f"{name}_1")(image)
        return keras.Model(image, conv(2, 3, name=f"{name}_2")(maps))

    flat = randomise(build(layers.Conv2D, (8, 8, 1), "conv2d"), seed=1)
    flat.save_weights(tmp_path / "flat.h5")
    image = np.random.default_rng(0).standard_normal((1, 8, 8, 1)).astype(np.float32)
    for options in ({}, {"rename": [("conv2d", "conv3d")]}):
        deep = randomise(build(layers.Conv3D, (8, 8, 8, 1), "conv3d"), seed=2)
        transfer_weights(tmp_path / "flat.h5", deep, adapt="inflate:mean", **options)
        volume = np.repeat(image[:, None], 8, axis=1)
        assert np.allclose(deep(volume), np.repeat(flat(image).numpy()[:, None], 4, axis=1), atol=1e-4)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused_unless_asked_for(file, odd):
    path, _ = file(spoil=odd)
    model = small(seed=3)
    assert "'final_conv/bias' of 2-1.h5 holds NaN or infinite" in refusal(path, model)
    transfer_weights(path, model, allow_nonfinite=True)
    assert not np.isfinite(model.get_layer("final_conv").get_weights()[1]).all()
    transfer_weights(path, small(seed=3), exclude="head")


def test_numbers_too_large_for_the_models_type_are_refused(tmp_path):
    def build(dtype):
        image = layers.Input((4, 4, 1), dtype=dtype)
        return keras.Model(image, layers.Conv2D(1, 1, dtype=dtype, name="only")(image))

    source, target = build("float64"), build("float32")
    source.set_weights([np.full((1, 1, 1, 1), 1e39), np.zeros(1)])
    source.save_weights(tmp_path / "large.h5")
    assert "infinite numbers for float32" in refusal(tmp_path / "large.h5", target)


def test_damage_found_while_reading_leaves_the_model_unchanged(tmp_path, file):
    path, _ = file()
    with h5py.File(path, "r+") as stored:
        kernel = stored["final_conv/final_conv/kernel:0"][()]
        del stored["final_conv/final_conv/kernel:0"]
        packed = stored.create_dataset("final_conv/final_conv/kernel:0", data=kernel, chunks=True, compression="gzip")
        packed.id.write_direct_chunk((0, 0, 0, 0), b"no zlib")
    for allowed in (False, True):
        assert "damaged" in refusal(path, small(seed=3), allow_nonfinite=allowed)


def test_the_thesis_transfer_loads_the_encoder_and_leaves_the_rest_new(tmp_path):
    source, target = randomise(generator(width=2), 1), randomise(segmentation_generator(channels=1, width=2), 2)
    source.save(tmp_path / "generator.h5")
    report = transfer_weights(tmp_path / "generator.h5", target, include="encoder")
    assert {row.target.split("/")[0] for row in report.rows if row.status == "load"} == {
        *(f"conv_e{number}" for number in range(1, 6)), *(f"batch_e{number}" for number in range(2, 6)), "bottleneck"}
    assert {row.reason for row in report.rows if row.status == "unused"} <= {"out of scope", "of another shape"}


def test_a_channels_first_model_fits_and_is_noted(tmp_path):
    image = layers.Input((2, 8, 8))
    source = keras.Model(image, layers.Conv2D(2, 3, data_format="channels_first", name="only")(image))
    source.save(tmp_path / "first.h5")
    image = layers.Input((8, 8, 2))
    target = keras.Model(image, layers.Conv2D(2, 3, name="only")(image))
    report = transfer_weights(tmp_path / "first.h5", target)
    assert "channels-first" in report.notes[0]
    assert np.array_equal(target.get_weights()[0], source.get_weights()[0])


def test_a_scope_that_means_nothing_is_refused(file):
    path, _ = file()
    assert "Scope 'absent' means no layer" in refusal(path, small(), include="absent")
    assert "neither a group nor a regex" in refusal(path, small(), exclude="(")


def test_a_model_in_half_precision_takes_weights_as_it_holds_them(file):
    path, source = file()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = unet_small(channels=2, width=2, depth=2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    transfer_weights(path, model)
    assert weights(model) == weights(source)
    assert response(model).shape == (1, 8, 8, 1)


def test_wrong_options_are_refused_before_anything_is_read(file):
    path, _ = file()
    with pytest.raises(TransferError, match="adapt is magic"):
        transfer_weights(path, small(), adapt="magic")
