"""The files of a predicted case."""
import nibabel as nib
import numpy as np

from mstl.evaluation.decision import Decision
from mstl.evaluation.maps import ENTROPY, PROBABILITY
from mstl.evaluation.prediction_files import on_native_grid, write_prediction
from mstl.files import read_json


def soft(case, classes):
    """Probabilities of a smooth field that rises with the second axis, on the prepared grid."""
    rise = np.broadcast_to(np.linspace(0, 1, case.shape[1], dtype=np.float32)[:, None], case.shape)
    weights = [rise**number for number in range(classes)]
    return np.stack([rise] if classes == 1 else weights / np.sum(weights, axis=0), axis=-1)


def test_one_and_two_classes_have_the_lesion_alone_on_the_native_grid(tiny_prepared):
    case = tiny_prepared.select("oblique")[0]
    one, two = on_native_grid(soft(case, 1), case), on_native_grid(soft(case, 2), case)
    assert one.shape == two.shape == (*case.native_grid.shape, 1)
    both = np.concatenate([1 - soft(case, 1), soft(case, 1)], axis=-1)
    assert np.array_equal(on_native_grid(both, case), one)


def test_probabilities_of_several_classes_sum_to_one_on_the_native_grid_beyond_the_prepared_one_too(tiny_prepared):
    case = tiny_prepared.select("oblique")[0]
    native = on_native_grid(soft(case, 4), case)
    assert native.shape == (*case.native_grid.shape, 4)
    np.testing.assert_allclose(native.sum(axis=-1), 1, atol=1e-5)


def test_maps_and_facts_are_written_beside_mask_and_probability(tiny_prepared, tmp_path):
    case = tiny_prepared[0]
    native = on_native_grid(soft(case, 1), case)
    entropy = np.full(case.native_grid.shape, 0.25, np.float32)
    write_prediction(tmp_path, case, native, Decision(0.5), maps={ENTROPY: entropy}, facts={"samples": 3})
    written = nib.load(tmp_path / f"{case.name}{ENTROPY}")
    assert np.array_equal(written.get_fdata(), entropy)
    assert np.allclose(written.affine, case.native_grid.affine, atol=1e-3)
    assert np.array_equal(nib.load(tmp_path / f"{case.name}{PROBABILITY}").get_fdata(), native[..., 0])
    record = read_json(tmp_path / f"{case.name}.json")
    assert record["samples"] == 3
    assert record["lesion_ml"] == case.native_grid.volume_ml(native[..., 0] >= 0.5)
