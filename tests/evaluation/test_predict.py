import nibabel as nib
import numpy as np
import pytest

from mstl._keras import keras
from mstl.config import Experiment
from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort, to_native
from mstl.errors import InputError
from mstl.evaluation.predict import predict
from mstl.evaluation.threshold import set_threshold
from mstl.evaluation.uncertainty import predictive_entropy
from mstl.files import read_json, sha256, write_json
from mstl.training.fit import fit
from mstl.training.run import CUSTOM_MODEL, Run

MAPS = ("probability", "entropy", "mutual_information")


def trained(prepared, out):
    """A run whose one convolution finds what is bright in flair."""
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 2))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(image))
    model.set_weights([np.reshape([4.0, 0.0], (1, 1, 2, 1)).astype("f"), np.array([-6.0], "f")])
    sides = prepared.select(["ras"]), prepared.select(["pil"])
    settings = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "learning_rate": 1e-9}
    return fit(model, *sides, out=out, **settings)


@pytest.fixture(scope="module")
def run(tiny_prepared, tmp_path_factory):
    return trained(tiny_prepared, tmp_path_factory.mktemp("runs") / "run")


def test_masks_lie_on_the_grid_of_the_reference_scan(run, tiny_prepared, tiny_cohort, tmp_path):
    out = predict(run, tiny_prepared, out=tmp_path / "out")
    for case in tiny_cohort:
        reference = nib.load(case.images["flair"])
        for kind, dtype in (("prediction", np.uint8), ("probability", np.float32)):
            image = nib.load(out / f"{case.name}_{kind}.nii.gz")
            assert image.shape == reference.shape
            assert image.get_data_dtype() == dtype
            for form in (image.get_sform(), image.get_qform()):
                assert np.allclose(form, reference.affine, atol=1e-3)


def test_the_prediction_is_the_probability_cut_at_the_threshold(run, tiny_prepared, tmp_path):
    out = predict(run, tiny_prepared, out=tmp_path / "out", threshold=0.3)
    probability = nib.load(out / "ras_probability.nii.gz").get_fdata()
    prediction = nib.load(out / "ras_prediction.nii.gz").get_fdata()
    assert np.array_equal(prediction, probability >= np.float32(0.3))
    assert prediction.any()


def test_bright_lesions_are_found_where_they_are(run, tiny_prepared, tiny_cohort, tmp_path):
    out = predict(run, tiny_prepared, out=tmp_path / "out")
    for case in tiny_cohort:
        found = nib.load(out / f"{case.name}_prediction.nii.gz").get_fdata() > 0
        truth = nib.load(case.mask).get_fdata() > 0
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_raw_scans_are_prepared_as_the_training_data_were(run, tiny_prepared, tiny_cohort, tmp_path):
    first = predict(run, tiny_prepared, out=tmp_path / "prepared")
    second = predict(run, tiny_cohort, out=tmp_path / "raw")
    for case in tiny_cohort:
        name = f"{case.name}_probability.nii.gz"
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_runs_and_cases_of_an_older_mstl_go_on_to_be_of_use(tiny_cohort, tmp_path):
    prepared = prepare(tiny_cohort, tmp_path / "prepared")
    run = trained(prepared, tmp_path / "run")
    new = predict(run, prepared, out=tmp_path / "new")
    files = [run.folder / "preparation.json", prepared.folder / "preparation.json"]
    for path in (*files, *(case.folder / "case.json" for case in prepared)):
        record = read_json(path)
        for name in ("steps", "brain", "landmarks"):
            record.get("preparation", record).pop(name)
        write_json(path, record)
    for number, cases in enumerate((PreparedCohort.open(prepared.folder), tiny_cohort)):
        out = predict(run, cases, out=tmp_path / f"old{number}")
        assert (out / "pil_probability.nii.gz").read_bytes() == (new / "pil_probability.nii.gz").read_bytes()


def test_new_scans_get_the_histogram_scale_of_the_training_data(tiny_cohort, tmp_path):
    prepared = prepare(tiny_cohort, tmp_path / "prepared", normalise="nyul")
    run = trained(prepared, tmp_path / "run")
    flair = nib.load(tiny_cohort[0].images["flair"])
    nib.save(nib.Nifti1Image(flair.get_fdata() * 8, flair.affine), tmp_path / "louder.nii.gz")
    louder = Case(subject="ras", images={**tiny_cohort[0].images, "flair": tmp_path / "louder.nii.gz"})
    expected = predict(run, prepared, out=tmp_path / "first") / "ras_probability.nii.gz"
    for number, case in enumerate((tiny_cohort[0], louder)):
        found = predict(run, Cohort([case]), out=tmp_path / f"raw{number}") / "ras_probability.nii.gz"
        assert found.read_bytes() == expected.read_bytes()
    other = prepare(tiny_cohort.select("ras"), tmp_path / "other", normalise="nyul")
    with pytest.raises(InputError, match="was prepared with landmarks"):
        predict(run, other, out=tmp_path / "second")


def test_raw_scans_without_masks_are_enough(run, tiny_cohort, tmp_path):
    case = tiny_cohort[0]
    out = predict(run, Cohort([Case(subject="new", images=case.images)]), out=tmp_path / "out")
    assert (out / "new_prediction.nii.gz").exists()


def test_the_sidecar_names_space_threshold_and_weights(run, tiny_prepared, tmp_path):
    sidecar = read_json(predict(run, tiny_prepared, out=tmp_path / "out", threshold=0.4) / "ras.json")
    assert sidecar["threshold"] == 0.4
    assert sidecar["weights_sha256"] == sha256(run.weights("best"))
    assert sidecar["reference"] == tiny_prepared[0].record["sources"]["flair"]
    assert sidecar["space"] == "grid of the reference scan"
    assert sidecar["brain"].startswith("above 0.01")
    assert sidecar["scans_to_reference"]["t1"] == np.eye(4).tolist()


def test_the_threshold_of_the_run_is_chosen_on_its_validation_cases_and_used(run, tiny_prepared, tmp_path):
    choice = set_threshold(run)
    stored = read_json(run.folder / "threshold.json")
    assert stored["chosen_on"] == ["pil"]
    assert run.threshold == choice.threshold == stored["threshold"]
    sidecar = read_json(predict(run, tiny_prepared, out=tmp_path / "out") / "ras.json")
    assert sidecar["threshold"] == choice.threshold
    (run.folder / "threshold.json").unlink()


def test_cases_prepared_otherwise_are_refused(run, tiny_cohort, tmp_path):
    other = prepare(tiny_cohort, tmp_path / "other", normalise="max")
    with pytest.raises(InputError, match=r"prepared with normalise max, the run .* trained with zscore"):
        predict(run, other, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_of_masks_do_not_matter_to_a_prediction(run, tiny_cohort, tmp_path):
    labelled = prepare(tiny_cohort.select(["ras"]), tmp_path / "prepared", labels=(1,))
    assert (predict(run, labelled, out=tmp_path / "out") / "ras_prediction.nii.gz").exists()


@pytest.mark.parametrize("threshold", [0, 1, -0.2])
def test_a_threshold_that_cuts_nothing_is_refused(run, tiny_prepared, tmp_path, threshold):
    with pytest.raises(InputError, match="between 0 and 1"):
        predict(run, tiny_prepared, out=tmp_path / "out", threshold=threshold)


def test_an_overlap_of_slices_is_refused(run, tiny_prepared, tmp_path):
    with pytest.raises(InputError, match="sees slices, not windows"):
        predict(run, tiny_prepared, out=tmp_path / "out", overlap=0.2)


def test_a_folder_that_is_not_empty_is_refused(run, tiny_prepared, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        predict(run, tiny_prepared, out=tmp_path)


def test_one_bad_scan_leaves_nothing_behind(run, tiny_cohort, tmp_path):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(tiny_cohort[0].images["flair"].read_bytes()[:500])
    cases = Cohort([tiny_cohort[1], Case(subject="broken", images={"flair": broken, "t1": broken})])
    with pytest.raises(InputError, match="broken"):
        predict(run, cases, out=tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())


def classes3d():
    """A 3D model of three classes: what is brighter in flair is of a higher class."""
    image = keras.layers.Input((None, None, None, 2))
    model = keras.Model(image, keras.layers.Conv3D(3, 1, activation="softmax")(image))
    weights = np.reshape([[0, 3, 8], [0, 0, 0]], (1, 1, 1, 2, 3)).astype("f")
    model.set_weights([weights, np.array([0, -3, -12], "f")])
    return model


def of_classes(prepared, folder, *, labels=(), **settings):
    """The folder of a run with `classes3d`, as if it had been trained."""
    model = classes3d()
    folder.mkdir()
    Experiment(prepared=str(prepared.folder), model=CUSTOM_MODEL, train_subjects=("ras",),
               validation_subjects=("pil", "oblique"), **settings).save(folder / "experiment.yaml")  # fmt: skip
    write_json(folder / "preparation.json", {**prepared.preparation, **({"labels": labels} if labels else {})})
    model.save_weights(folder / "best.h5")
    return Run(folder, model=model)


def test_several_classes_are_written_as_labels_with_a_probability_each(tiny_prepared, tiny_cohort, tmp_path):
    run = of_classes(tiny_prepared, tmp_path / "run", labels=(2, 4))
    out = predict(run, tiny_prepared, out=tmp_path / "out")
    for case in tiny_cohort:
        prediction = nib.load(out / f"{case.name}_prediction.nii.gz")
        probability = nib.load(out / f"{case.name}_probability.nii.gz")
        reference = nib.load(case.images["flair"])
        assert prediction.shape == reference.shape
        assert probability.shape == (*reference.shape, 3)
        assert prediction.get_data_dtype() == np.uint8
        assert probability.get_data_dtype() == np.float32
        for image in (prediction, probability):
            assert np.allclose(image.get_sform(), reference.affine, atol=1e-3)
            assert np.allclose(image.get_qform(), reference.affine, atol=1e-3)
        values = probability.get_fdata()
        assert np.allclose(values.sum(axis=-1), 1, atol=1e-5)
        found = np.asarray(prediction.dataobj)
        assert np.array_equal(found, np.array([0, 2, 4])[values.argmax(axis=-1)])
        assert set(np.unique(found)) == {0, 2, 4}
        sidecar = read_json(out / f"{case.name}.json")
        assert sidecar["labels"] == [2, 4]
        assert sidecar["threshold"] is None
        assert sidecar["label_ml"]["4"] == pytest.approx((found == 4).sum() * 2.4 / 1000)
        assert sidecar["lesion_ml"] == pytest.approx(sum(sidecar["label_ml"].values()))


def test_a_3d_run_says_how_it_saw_a_case(tiny_prepared, tmp_path):
    whole = of_classes(tiny_prepared, tmp_path / "whole")
    patches = of_classes(tiny_prepared, tmp_path / "patches", patch=(16, 16, 16), overlap=0.25)
    for run, options, expected in (
        (whole, {}, ("whole volume", None)),
        (patches, {}, ([16, 16, 16], 0.25)),
        (patches, {"overlap": 0.5}, ([16, 16, 16], 0.5)),
    ):
        out = predict(run, tiny_prepared.select("ras"), out=tmp_path / str(expected), **options)
        sidecar = read_json(out / "ras.json")
        assert (sidecar["window"], sidecar.get("overlap")) == expected


def test_several_classes_get_a_clean_up_from_validation_and_it_is_applied(tiny_prepared, tmp_path):
    run = of_classes(tiny_prepared, tmp_path / "run")
    choice = set_threshold(run)
    assert (choice.threshold, run.threshold) == (None, None)
    assert run.clean_up == {"minimum_ml": choice.minimum_ml, "largest_only": choice.largest_only}
    case = tiny_prepared.select("ras")
    first = read_json(predict(run, case, out=tmp_path / "first") / "ras.json")
    assert first["minimum_ml"] == choice.minimum_ml
    write_json(run.folder / "threshold.json", {"threshold": None, "minimum_ml": 1000.0, "largest_only": False})
    out = predict(run, case, out=tmp_path / "second")
    assert read_json(out / "ras.json")["lesion_ml"] == 0
    assert not nib.load(out / "ras_prediction.nii.gz").get_fdata().any()


def test_a_threshold_that_is_given_stands_without_the_clean_up(run, tiny_prepared, tmp_path):
    write_json(run.folder / "threshold.json", {"threshold": 0.4, "minimum_ml": 1000.0, "largest_only": False})
    case = tiny_prepared.select("ras")
    assert read_json(predict(run, case, out=tmp_path / "cleaned") / "ras.json")["lesion_ml"] == 0
    assert read_json(predict(run, case, threshold=0.4, out=tmp_path / "given") / "ras.json")["lesion_ml"] > 0
    (run.folder / "threshold.json").unlink()


@pytest.fixture(scope="module")
def bayesian(write_run, tiny_prepared, tmp_path_factory):
    """The folder of a Bayesian run that nobody trained, whose networks disagree."""
    options = {"filters": (2, 4), "sigma_ratio": 0.5}
    folder = tmp_path_factory.mktemp("bayesian") / "run"
    return write_run(folder, tiny_prepared.preparation, model="unet3d-bayesian", model_options=options)


def test_samples_add_maps_of_uncertainty_on_the_grid_of_the_scan(bayesian, tiny_prepared, tiny_cohort, tmp_path):
    out = predict(bayesian, tiny_prepared, out=tmp_path / "out", samples=3)
    for case, prepared in zip(tiny_cohort, tiny_prepared, strict=True):
        maps = {kind: nib.load(out / f"{case.name}_{kind}.nii.gz") for kind in MAPS}
        assert {one.get_data_dtype() for one in maps.values()} == {np.dtype(np.float32)}
        assert all(np.allclose(one.affine, nib.load(case.images["flair"]).affine, atol=1e-3) for one in maps.values())
        lesion, entropy, information = (one.get_fdata(dtype=np.float32) for one in maps.values())
        assert np.array_equal(entropy, predictive_entropy(lesion[..., None]))
        assert np.all(information >= 0)
        assert np.all(information <= entropy)
        assert information.any()
        brain = to_native(prepared.brain.astype(np.float32), prepared).data > 0
        assert not any(one[~brain].any() for one in (lesion, entropy, information))


def test_the_mask_is_that_of_the_mean_and_the_sidecar_tells_of_the_samples(bayesian, tiny_prepared, tmp_path):
    out = predict(bayesian, tiny_prepared.select("ras"), out=tmp_path / "out", samples=4, seed=5, threshold=0.4)
    lesion = nib.load(out / "ras_probability.nii.gz").get_fdata(dtype=np.float32)
    mask = nib.load(out / "ras_prediction.nii.gz").get_fdata()
    assert np.array_equal(mask, lesion >= np.float32(0.4))
    record = read_json(out / "ras.json")
    assert (record["samples"], record["seed"], len(record["lesion_ml_samples"])) == (4, 5, 4)
    assert record["lesion_ml_interval"] == [min(record["lesion_ml_samples"]), max(record["lesion_ml_samples"])]
    assert "smallest and the largest" in record["interval"]
    assert record["window"] == "whole volume"


def test_raw_and_prepared_cases_are_seen_by_the_same_networks(bayesian, tiny_prepared, tiny_cohort, tmp_path):
    first = predict(bayesian, tiny_prepared, out=tmp_path / "prepared", samples=2, seed=1)
    second = predict(bayesian, tiny_cohort.select(["pil"]), out=tmp_path / "raw", samples=2, seed=1)
    for kind in MAPS:
        assert (first / f"pil_{kind}.nii.gz").read_bytes() == (second / f"pil_{kind}.nii.gz").read_bytes()


def test_progress_is_told_of_every_sample(bayesian, tiny_prepared, tmp_path):
    steps = []
    predict(bayesian, tiny_prepared.select(["ras", "pil"]), out=tmp_path / "out", samples=2, progress=steps.append)
    assert steps == ["ras", "ras", "pil", "pil"]


def test_without_samples_a_bayesian_run_predicts_by_its_mean_weights_alone(bayesian, tiny_prepared, tmp_path):
    out = predict(bayesian, tiny_prepared.select("ras"), out=tmp_path / "out")
    assert {path.name for path in out.iterdir()} == {"ras.json", "ras_prediction.nii.gz", "ras_probability.nii.gz"}
    assert "samples" not in read_json(out / "ras.json")


def test_several_classes_have_uncertainty_too(write_run, tiny_prepared, tmp_path):
    options = {"filters": (2, 4), "sigma_ratio": 0.5, "num_classes": 4}
    run = write_run(tmp_path / "run", tiny_prepared.preparation, model="unet3d-bayesian", model_options=options)
    out = predict(run, tiny_prepared.select("ras"), out=tmp_path / "out", samples=2)
    classes, entropy = (nib.load(out / f"ras_{kind}.nii.gz").get_fdata(dtype=np.float32) for kind in MAPS[:2])
    assert classes.shape == (*entropy.shape, 4)
    np.testing.assert_allclose(entropy, predictive_entropy(classes), atol=1e-6)
    assert entropy.max() > np.log(2)


def test_samples_that_cannot_be_drawn_are_refused(run, bayesian, tiny_prepared, tmp_path):
    with pytest.raises(InputError, match="nothing to draw from"):
        predict(run, tiny_prepared, out=tmp_path / "out", samples=3)
    with pytest.raises(InputError, match="at least 2"):
        predict(bayesian, tiny_prepared, out=tmp_path / "out", samples=1)
    assert not (tmp_path / "out").exists()
