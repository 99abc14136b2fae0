"""Folders of studies that nobody ran: what `mstl compare` leaves behind, with scores drawn as in `study_frames`."""
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mstl.data.cohort import Case, Cohort
from mstl.data.volume import write_volume
from mstl.evaluation.evaluate import CONVENTIONS
from mstl.evaluation.scores import SCORES
from mstl.files import sha256, write_json, write_text
from tests.study_frames import study_frame

GAINS = {"scratch": 0.0, "tumour": 0.04, "locked": -0.05}
TWINS = {"scratch": None, "tumour": "scratch", "locked": "scratch"}
BEGUN = "sources/old/0"  # what all but scratch begin with
SHAPE = (20, 22, 10)
AFFINE = np.diag([2.0, 2.0, 4.0, 1.0])


def write_study(
    folder: Path,
    *,
    gains: Mapping[str, float] = GAINS,
    patients: int = 12,
    sizes: Sequence[int] = (3, 6, 9),
    seeds: int = 2,
    folds: int = 2,
    empty: bool = False,
    failed: Sequence[str] = (),
    cohort: Cohort | None = None,
) -> Path:
    """Write a whole study. Trainings of strategies `failed` have a reason and no result; `empty`: no reference has a
    lesion; `cohort` (of `study_cohort`): predictions of its cases are written too."""
    frame = _scored(study_frame(gains, patients=patients, sizes=sizes, seeds=seeds, folds=folds), empty=empty)
    study = {"prepared": "prepared", "cohort": "cohort.csv", "sizes": [str(size) for size in sizes], "folds": folds,
             "seeds": list(range(seeds)), "baseline": "scratch", "strategies": {name: {} for name in gains}}
    write_text(folder / "study.yaml", yaml.safe_dump(study, sort_keys=False))
    _write_splits(folder, frame, sizes)
    costs = [_write_source(folder)]
    for (name, size, fold, seed), rows in frame.groupby(["strategy", "size", "fold", "seed"]):
        place = folder / "jobs" / name / str(size) / f"{fold}-{seed}"
        if name in failed:
            write_text(place / "failure.txt", "Loss is nan <in epoch 1>. Lower the learning rate.\n")
            continue
        costs.append(_write_job(place, rows, cohort))
    kept = frame[~frame["strategy"].isin(list(failed))]
    write_text(folder / "study.csv", kept.to_csv(index=False, na_rep="nan"))
    write_text(folder / "costs.csv", pd.DataFrame(costs).to_csv(index=False, na_rep="nan"))
    return folder


def study_cohort(folder: Path, *, patients: int = 12) -> Cohort:
    """Scans with a small and a large lesion each, the cases of `study_frame`."""
    cases = []
    for number in range(patients):
        mask = np.zeros(SHAPE, np.uint8)
        mask[4:10, 6:12, 3:5] = 1  # 1.15 ml
        mask[14, 14 + number % 3, 7] = 1  # 0.016 ml
        axes = np.meshgrid(*(np.linspace(-1.2, 1.2, side) for side in SHAPE), indexing="ij")
        flair = np.where(sum(axis**2 for axis in axes) < 1, 100, 0).astype(np.float32) + 80 * mask
        name = f"p{number:02d}"
        files = {"flair": folder / f"{name}_flair.nii.gz", "mask": folder / f"{name}_mask.nii.gz"}
        write_volume(files["flair"], flair, AFFINE)
        write_volume(files["mask"], mask, AFFINE)
        cases.append(Case(name, images={"flair": files["flair"]}, mask=files["mask"]))
    return Cohort(cases)


def _scored(frame: pd.DataFrame, *, empty: bool) -> pd.DataFrame:
    """The long form with every column of a scores.csv."""
    values = {name: frame["dice"] for name in SCORES}
    values |= {"reference_ml": 0.0 if empty else 1.17, "predicted_lesions": 0 if empty else 2, "reference_lesions": 2}
    return frame[["strategy", "size", "fold", "seed", "case", "subject"]].assign(
        case=frame["subject"], session="0", **values, empty_reference=int(empty)
    )


def _write_splits(folder: Path, frame: pd.DataFrame, sizes: Sequence[int]) -> None:
    people, rows = sorted(frame["subject"].unique()), []
    for fold in sorted(frame["fold"].unique()):
        tested = set(frame.loc[frame["fold"] == fold, "subject"])
        rest = [name for name in people if name not in tested]
        for size in sizes:
            sides = {**dict.fromkeys(tested, "test"), **dict.fromkeys(rest[:1], "validation")}
            sides |= dict.fromkeys(rest[1 : size + 1], "train")
            rows += [(fold, size, name, sides.get(name, "unused")) for name in people]
    table = pd.DataFrame(rows, columns=["fold", "size", "subject", "side"])
    write_text(folder / "splits.csv", table.to_csv(index=False))


def _write_source(folder: Path) -> dict:
    write_json(folder / BEGUN / "job.json", {"files": {"run/best.h5": "ef" * 32}, "seconds": 3600.0})
    return {"kind": "source", "strategy": "old", "size": None, "fold": None, "seed": 0, "seconds": 3600.0,
            "memory_mb": 2048, "begins_with": ""}  # fmt: skip


def _write_job(place: Path, rows: pd.DataFrame, cohort: Cohort | None) -> dict:
    """The files of a finished training; what it cost."""
    name = rows["strategy"].iloc[0]
    scores = rows.drop(columns=["strategy", "size", "fold", "seed"])
    head = "".join(f"# {line}\n" for line in CONVENTIONS)
    write_text(place / "scores.csv", head + scores.to_csv(index=False, na_rep="nan"))
    write_text(place / "run" / "best.h5", "weights")
    write_json(place / "run" / "preparation.json", {"binarise_masks": False, "resample_masks": False})
    write_json(place / "run" / "environment.json", {"python": "3.11.7", "packages": {"mstl": "0.1.0"}, "seed": 0})
    write_json(place / "run" / "transfer.json", _origins(name))
    write_json(place / "run" / "freeze.json", _frozen(name))
    costs = {"seconds": 720.0, "memory_mb": 1536, "parameters": 1000, "trained_parameters": 1000}
    write_json(place / "job.json", {"files": {"run/best.h5": sha256(place / "run" / "best.h5")}, **costs})
    if cohort is not None:
        _predict(place / "predictions", [case for case in cohort if case.subject in set(rows["subject"])], name)
    key = {column: rows[column].iloc[0] for column in ("strategy", "size", "fold", "seed")}
    return {"kind": "strategy", **key, **costs, "begins_with": "" if name == "scratch" else BEGUN}


def _predict(out: Path, cases: Sequence[Case], name: str) -> None:
    """Predictions that find the large lesion and, from scratch, no small one."""
    from mstl.data.volume import read_volume

    for case in cases:
        mask = read_volume(case.mask).data.astype(np.uint8)
        if name == "scratch":
            mask[14] = 0
        write_volume(out / f"{case.name}_prediction.nii.gz", np.roll(mask, 1, axis=1), AFFINE)
        write_json(out / f"{case.name}.json", {"labels": []})


def _origins(name: str) -> dict:
    groups = [{"group": "encoder", "loaded": 600, "adapted": 0, "random": 0},
              {"group": "decoder", "loaded": 0, "adapted": 0, "random": 400}]  # fmt: skip
    row = {"status": "load", "target": "conv/kernel", "source": "conv/kernel", "target_shape": [3], "source_shape": [3],
           "reason": "same name"}  # fmt: skip
    transfer = {"init": "study/sources/old/0/run", "file": "best.h5", "sha256": "ab" * 32, "options": {}, "notes": [],
                "tensors": [row]}  # fmt: skip
    if name == "scratch":
        return {"transfers": [], "groups": [{**one, "loaded": 0, "random": 500} for one in groups]}
    return {"transfers": [transfer], "groups": groups}


def _frozen(name: str) -> dict:
    frozen = 600 if name == "locked" else 0
    groups = [{"group": "encoder", "frozen": frozen, "trainable": 600 - frozen},
              {"group": "decoder", "frozen": 0, "trainable": 400}]  # fmt: skip
    tensor = {"path": "conv/kernel", "parameters": 600, "sha256_before": "cd" * 32, "sha256_after": "cd" * 32,
              "unchanged": True, "thawed_after": None}  # fmt: skip
    return {"norm": "freeze", "groups": groups, "notes": [], "tensors": [tensor] if frozen else []}
