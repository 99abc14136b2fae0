"""A tiny run: two subjects, their predictions and scores, as the commands leave them on disk."""
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from mstl.data.cohort import Case, Cohort
from mstl.data.volume import write_volume
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.maps import ENTROPY, MUTUAL_INFORMATION, PROBABILITY
from mstl.evaluation.uncertainty import RunningUncertainty
from mstl.files import write_json, write_text

SHAPE = (24, 28, 12)
AFFINE = np.array([[-2.0, 0, 0, 23], [0, 2, 0, -30], [0, 0, 4, -20], [0, 0, 0, 1.0]])  # stored L, A, S


def head(shape=SHAPE) -> np.ndarray:
    """A bright ball on black, float32."""
    axes = [np.linspace(-1.3, 1.3, side) for side in shape]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    return np.where(radius < 1, 100 + 20 * radius, 0).astype(np.float32)


def lesion_right(shape=SHAPE) -> np.ndarray:
    """A lesion on the patient's right: world x > 0, which is a low index i on `AFFINE`."""
    mask = np.zeros(shape, np.uint8)
    mask[5:9, 12:16, 4:7] = 1
    return mask


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("tiny")
    cases = []
    for name, shift in (("anna", 1), ("ben", 2)):
        mask, flair = lesion_right(), head()
        flair[mask > 0] = 200
        prediction = np.roll(mask, shift, axis=1)
        write_volume(root / f"{name}_flair.nii.gz", flair, AFFINE)
        write_volume(root / f"{name}_mask.nii.gz", mask, AFFINE)
        out = root / "predictions"
        write_volume(out / f"{name}_prediction.nii.gz", prediction, AFFINE)
        write_volume(out / f"{name}_probability.nii.gz", prediction * np.float32(0.9), AFFINE)
        write_json(out / f"{name}.json", {"space": "native", "threshold": 0.4})
        images = {"flair": root / f"{name}_flair.nii.gz"}
        cases.append(Case(name, images=images, mask=root / f"{name}_mask.nii.gz"))
    scores = pd.DataFrame({
        "case": ["anna", "ben", "eve"], "dice": [0.75, 0.5, 0.0], "iou": [0.6, 1 / 3, 0.0],
        "hausdorff95_mm": [2.0, 4.0, np.inf], "lesion_f1": [1.0, 1.0, 0.0], "reference_ml": [0.77, 0.77, 0.0],
        "prediction_ml": [0.77, 0.77, 0.1], "empty_reference": [0, 0, 1],
    })
    write_text(root / "scores.csv", "# Empty references are counted apart.\n" + scores.to_csv(index=False))
    run = make_run(root / "run <b>")
    return SimpleNamespace(
        run=run, predictions=root / "predictions", cohort=Cohort(cases), scores=root / "scores.csv"
    )


@pytest.fixture(scope="session")
def tumour_run(tmp_path_factory) -> SimpleNamespace:
    """A run of labels 1, 2 and 4: one subject, its prediction with the probability of every class, and scores."""
    root = tmp_path_factory.mktemp("tumour")
    mask = lesion_right() * np.uint8(2)
    mask[6:8, 13:15, 5] = 1
    mask[5, 12:16, 4:7] = 4
    prediction = np.roll(mask, 1, axis=1)
    soft = np.stack([np.where(prediction == value, 0.9, 0.1 / 3) for value in (0, 1, 2, 4)], axis=-1)
    soft[prediction > 0, 0], soft[prediction == 0, 0] = 0.1, 1
    out = root / "predictions"
    for path, data in ((root / "flair.nii.gz", head()), (root / "mask.nii.gz", mask)):
        write_volume(path, data, AFFINE)
    write_volume(out / "anna_prediction.nii.gz", prediction, AFFINE)
    write_volume(out / "anna_probability.nii.gz", soft.astype(np.float32), AFFINE)
    write_json(out / "anna.json", {"threshold": None, "labels": [1, 2, 4]})
    cohort = Cohort([Case("anna", images={"flair": root / "flair.nii.gz"}, mask=root / "mask.nii.gz")])
    evaluate(out, cohort, out=root / "scores.csv")
    run = make_run(root / "run")
    history = pd.read_csv(run / "history.csv")
    for label in (1, 2, 4):
        history[f"val_dice_{label}"] = history["val_dice"] / label
    write_text(run / "history.csv", history.to_csv(index=False))
    return SimpleNamespace(run=run, predictions=out, cohort=cohort, scores=root / "scores.csv")


@pytest.fixture(scope="session")
def sampled(tiny, tmp_path_factory) -> SimpleNamespace:
    """The tiny subjects predicted by four networks that disagree at the rim, with maps of uncertainty, and scored."""
    root = tmp_path_factory.mktemp("sampled")
    out = root / "predictions"
    brain = (head() > 0) * np.float32(0.02)
    for shift, case in enumerate(tiny.cohort, start=1):
        running = RunningUncertainty()
        for number in range(4):
            soft = np.maximum(np.roll(lesion_right(), (shift, number - 1), (1, 2)) * np.float32(0.9), brain)
            running.add(soft[..., None])
        found = running.result()
        mask = (found.mean[..., 0] >= 0.5).astype(np.uint8)
        maps = {PROBABILITY: found.mean[..., 0], ENTROPY: found.entropy, MUTUAL_INFORMATION: found.mutual_information}
        for ending, data in {"_prediction.nii.gz": mask, **maps}.items():
            write_volume(out / f"{case.name}{ending}", data, AFFINE)
        record = {"threshold": 0.5, "samples": 4, "lesion_ml": mask.sum() * 0.016, "lesion_ml_interval": [0.7, 0.9]}
        write_json(out / f"{case.name}.json", record)
    evaluate(out, tiny.cohort, out=root / "scores.csv")
    return SimpleNamespace(run=make_run(root / "run"), predictions=out, cohort=tiny.cohort, scores=root / "scores.csv")


def make_run(folder):
    """The two files that every run has."""
    epochs = np.arange(1, 5)
    history = pd.DataFrame({"epoch": epochs, "learning_rate": [1e-3, 1e-3, 1e-4, 1e-4], "loss": 1 / epochs,
                            "dice": epochs / 8, "val_loss": 1.1 / epochs, "val_dice": [0.1, 0.3, 0.25, 0.2]})
    write_text(folder / "history.csv", history.to_csv(index=False))
    write_text(folder / "experiment.yaml", yaml.safe_dump({"loss": "bce_dice", "ratios": [0.6, 0.2, 0.2]}))
    return folder


@pytest.fixture
def bare_run(tmp_path):
    """A run folder with those two files alone."""
    return make_run(tmp_path / "run")


@pytest.fixture
def origins() -> dict:
    """A `transfer.json`: an encoder of three blocks, its first convolution adapted; the decoder is random."""
    rows = [
        ("adapted", "conv0/kernel", "old/conv0/kernel", [7, 7, 2, 64], [7, 7, 3, 64], "sum of channels"),
        ("load", "bn0/gamma", "bn0/gamma", [64], [64], "same name"),
        ("load", "bn0/beta", "bn0/beta", [64], [64], "same name"),
        ("no source", "up/kernel", None, [3, 3, 64, 8], None, "no tensor of the file belongs to it"),
        ("unused", None, "dense/kernel", None, [64, 9], "nothing in the model belongs to it"),
    ]
    names = ("status", "target", "source", "target_shape", "source_shape", "reason")
    options = {"include": ["encoder", "stem"], "exclude": None, "rename": [["^old/", ""]], "adapt": "error",
               "allow_partial": True}
    blocks = [("stem", 0, 0, 6), ("encoder1", 328, 6272, 0), ("encoder2", 1_000_000, 0, 0),
              ("decoder1", 0, 0, 400_000), ("decoder2", 0, 0, 90_000), ("head", 0, 0, 145)]
    return {
        "transfers": [{
            "init": "runs/old-run", "file": "runs/old-run/best.h5", "sha256": "ab" * 32, "options": options,
            "notes": ["These weights know the channels t1; the cases have flair."],
            "tensors": [dict(zip(names, row, strict=True)) for row in rows],
        }],
        "groups": [dict(zip(("group", "loaded", "adapted", "random"), one, strict=True)) for one in blocks],
    }


@pytest.fixture
def frozen() -> dict:
    """A `freeze.json` of the same network: its encoder stayed as it was."""
    blocks = [("stem", 1, 6, 0), ("encoder1", 2, 0, 6600), ("encoder2", 5, 0, 1_000_000),
              ("decoder1", 2, 400_000, 0), ("decoder2", 2, 90_000, 0), ("head", 1, 145, 0)]
    tensors = [("conv0/kernel", 6272), ("bn0/gamma", 64), ("bn0/beta", 64)]
    return {
        "policy": ["encoder"], "norm": "freeze", "trainable": 490_151, "frozen": 1_006_600,
        "groups": [dict(zip(("group", "layers", "trainable", "frozen"), one, strict=True)) for one in blocks],
        "notes": ["1 frozen layers hold adapted weights."],
        "tensors": [
            {"path": path, "parameters": size, "sha256_before": "cd" * 32, "sha256_after": "cd" * 32,
             "unchanged": True, "thawed_after": None}
            for path, size in tensors
        ],
    }
