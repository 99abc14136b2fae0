"""The table of the deep weight prior on phantoms: MS lesions in FLAIR as source, tumours in T2 as target.

Usage: python benchmarks/dwp_table.py FOLDER [--sizes 5 10 15 20] [--splits 3] [--steps N] [--source-steps N]
       [--methods ri pr prf dwp dwp-pr] [--set KEY=VALUE ...] [--out FILE.csv]

Ten networks learn the source, each kept at two minima of its learning rate; the kernels of all twenty make the prior.
The target is learned from 5 to 20 subjects of three splits by the methods of configs/dwp-study.yaml, with the same
subjects, steps and schedule each: from random weights (ri), from a source network (pr), from it with its middle frozen
(prf), with the prior (dwp), from a source network with the prior (dwp-pr). Dice and IoU of the whole tumour of 24
subjects that no split has seen, on the scanner's grid, of the most probable class. Writes a row a patient to FILE.csv,
and the table beside it as .md. FOLDER keeps everything; rows that FILE.csv holds are not computed again. `--set`
changes settings of the targets' trainings, and is noted in the column `changes`.

Against the paper (Kuzina et al. 2019, doi 10.3389/fnins.2019.00844) is cut: the voxels to 4 mm, the network's width to
a half, 170 source scans to 20 (learned from patches), 50 test scans to 24, and up to 500 epochs to a fixed number of
steps along a cosine.
"""
from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from _study import Table, compared

import mstl
from mstl.data.prepared import PreparedCase, to_native
from mstl.data.volume import read_volume
from mstl.evaluation.predictor import LESION, Predictor
from mstl.files import write_text
from mstl.training.experiment import train_experiment
from mstl.training.pretrain_kernel_prior import pretrain_kernel_prior

CONFIG = Path("configs/dwp-study.yaml")
SOURCE = {"subjects": 24, "disease": "ms", "modalities": ("flair",), "scanner": "mixed", "randomise": 0.3, "seed": 71}
TARGET = {"subjects": 48, "disease": "tumour", "modalities": ("t2",), "scanner": "mixed", "randomise": 0.3, "seed": 72}
TEST, VALIDATION = 24, 4  # subjects of the target; the test's come first
SOURCE_VALIDATION = 4
NETWORKS, MINIMA = 10, 2  # of the source
GRID = {"spacing": 4.0, "shape": (48, 56, 48)}
NETWORK = {"filters": [8, 16, 16, 32], "num_classes": 2}
SOURCE_BUDGET = {
    "model": "unet3d-residual",
    "model_options": NETWORK,
    "loss": "ce_dice",
    "learning_rate": 3e-3,
    "weight_decay": 3.0,
    "decay": "cosine",
    "restarts": MINIMA - 1,
    "patch": 24,
    "lesion_patches": 0.7,
    "batch_size": 4,
    "augment": "flips",
    "steps_per_epoch": 50,
}
CUT = {  # what of configs/dwp-study.yaml is changed for every training on the target
    "model_options": NETWORK,
    "learning_rate": 2e-3,
    "decay": "cosine",
    "plateau_patience": None,
    "stop_rate": 0.0,
    "steps_per_epoch": 20,
}
CUT_OF = {  # and of single methods; fewer voxels want less of the divergence
    "dwp": {"prior_kernels": 512},
    "dwp-pr": {"prior_kernels": 512, "kl_weight": 0.05, "model_options": {**NETWORK, "sigma_ratio": 0.02}},
}
BEGUN = {"pr": {"init"}, "prf": {"init"}, "dwp": {"prior"}, "dwp-pr": {"init", "prior"}}  # what of the source they have
KEYS = ("size", "split", "method", "steps", "changes")
PAPER = {  # Dice of its table, by training size
    "dwp": {5: 0.64, 10: 0.71, 15: 0.71, 20: 0.74},
    "pr": {5: 0.61, 10: 0.64, 15: 0.67, 20: 0.69},
    "prf": {5: 0.58, 10: 0.60, 15: 0.63, 20: 0.65},
    "ri": {5: 0.62, 10: 0.66, 15: 0.70, 20: 0.70},
}
METHODS = ("ri", "pr", "prf", "dwp", "dwp-pr")
TWIN = "ri"


def main() -> None:
    options = parse()
    study = Study(options.folder, options.source_steps)
    table = Table(options.out, keys=KEYS)
    changes = " ".join(options.changes)
    for size, split, method in product(options.sizes, range(options.splits), options.methods):
        key = {"size": size, "split": split, "method": method, "steps": options.steps, "changes": changes}
        if not table.has(**key):
            run = study.target(size, split, method, steps=options.steps, changes=options.changes)
            table.add([{**key, **row} for row in study.scores(run)])
    write_text(options.out.with_suffix(".md"), "\n".join(page(table.frame)) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="keeps phantoms, prepared cases, networks and the prior")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 10, 15, 20], help="training subjects")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of a training on the target")
    parser.add_argument("--source-steps", type=int, default=600, help="of a source network, for both its minima")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dwp_table.csv"))
    return parser.parse_args()


class Study:
    """Both cohorts in a folder, the source networks and their prior, the trainings on the target."""

    def __init__(self, folder: Path, source_steps: int) -> None:
        self.folder, self.source_steps = folder, source_steps
        self.cohort, self.prepared = self._phantoms("tumour", TARGET)
        subjects = [case.subject for case in self.cohort]
        self.test, self.pool = subjects[:TEST], subjects[TEST:]

    def _phantoms(self, name: str, drawn: dict) -> tuple[mstl.Cohort, mstl.PreparedCohort]:
        scans = self.folder / name
        if (scans / "cohort.csv").exists():
            cohort = mstl.Cohort.from_csv(scans / "cohort.csv")
        else:
            cohort = mstl.write_phantoms(scans, jobs=2, **drawn)
        out = self.folder / f"prepared-{name}"
        about = {"modalities": drawn["modalities"], "binarise_masks": drawn["disease"] == "tumour"}
        return cohort, mstl.prepare(cohort, out, jobs=2, **about, **GRID)

    def source(self, seed: int) -> mstl.Run:
        """A network of the source, its weights kept at each minimum of the learning rate."""
        cohort, prepared = self._phantoms("ms", SOURCE)
        subjects = [case.subject for case in cohort]
        out = self.folder / f"source-{self.source_steps}-{seed}"
        experiment = mstl.Experiment(
            prepared=str(prepared.folder),
            train_subjects=tuple(subjects[SOURCE_VALIDATION:]),
            validation_subjects=tuple(subjects[:SOURCE_VALIDATION]),
            epochs=self.source_steps // SOURCE_BUDGET["steps_per_epoch"],
            seed=seed,
            **SOURCE_BUDGET,
        )
        return train_experiment(experiment, out=out, resume=out.exists())

    def prior(self) -> Path:
        """The folder of the prior, learned from the source networks."""
        out = self.folder / f"prior-{self.source_steps}"
        if not (out / "prior.h5").exists():
            runs = [self.source(seed).folder for seed in range(NETWORKS)]
            pretrain_kernel_prior(runs, out=out, model="unet3d-residual", model_options=NETWORK)
        return out

    def target(self, size: int, split: int, method: str, *, steps: int, changes: list[str]) -> mstl.Run:
        """The training of one cell of the table; splits differ in subjects, source network and seed."""
        drawn = np.random.default_rng(split).permutation(self.pool).tolist()
        label = "-".join([method, *(change.replace("/", "_") for change in changes)])
        return self.trained(
            method, self.prepared, f"target-{size}-{split}-{label}-{steps}", *changes, steps=steps, seed=split,
            train_subjects=tuple(drawn[VALIDATION : VALIDATION + size]),
            validation_subjects=tuple(drawn[:VALIDATION]), test_subjects=tuple(self.test),
        )  # fmt: skip

    def trained(
        self, method: str, cases: mstl.PreparedCohort, name: str, *changes: str, steps: int, seed: int, **subjects
    ) -> mstl.Run:
        """A training by one method of configs/dwp-study.yaml with what is cut, in the folder `name`."""
        out, epochs = self.folder / name, steps // CUT["steps_per_epoch"]
        begun = {"init": lambda: self.source(seed).folder, "prior": self.prior}
        settings = {**CUT, **CUT_OF.get(method, {}), **{name: str(begun[name]()) for name in BEGUN.get(method, ())}}
        known = mstl.Experiment.load(CONFIG, strategy=method).to_dict()
        given = {"prepared": str(cases.folder), "epochs": epochs, "seed": seed, **subjects, **settings}
        changed = {key: yaml.safe_load(value) for key, value in (change.split("=", 1) for change in changes)}
        experiment = mstl.Experiment.from_dict({**known, **given, **changed})
        return train_experiment(experiment, out=out, resume=out.exists())

    def scores(self, run: mstl.Run) -> Iterator[dict]:
        """A row a test subject."""
        predictor, masks = Predictor.of_run(run), {case.name: case.mask for case in self.cohort}
        for case in run.prepared("test"):
            dice, iou = dice_and_iou(predictor(case), case, masks[case.name])
            yield {"subject": case.subject, "dice": round(dice, 4), "iou": round(iou, 4)}


def dice_and_iou(probability: np.ndarray, case: PreparedCase, mask: Path) -> tuple[float, float]:
    """Of the most probable class on the scanner's grid against all labels of the file `mask`."""
    predicted, truth = to_native(probability[..., LESION], case).data >= 0.5, read_volume(mask).data > 0
    common, total = (predicted & truth).sum(), predicted.sum() + truth.sum()
    return float(2 * common / total), float(common / (total - common))


def page(rows: pd.DataFrame) -> Iterable[str]:
    """Lines of the .md file."""
    yield "# Deep weight prior: MS (FLAIR) to tumours (T2), on phantoms\n"
    yield "Written by `benchmarks/dwp_table.py`. Dice (IoU) of the whole tumour, mean over 24 test subjects and splits;"
    yield "sd between splits behind ±. Behind the bar: Dice of the paper, on its own data.\n"
    names = rows.method + rows.changes.where(rows.changes == "", " " + rows.changes)
    sizes = sorted(rows["size"].unique())
    yield f"| | {' | '.join(f'{size} scans' for size in sizes)} |"
    yield "|---|" + "---|" * len(sizes)
    for name, group in rows.groupby(names, sort=False):
        yield f"| {name} | {' | '.join(_cell(group[group['size'] == size]) for size in sizes)} |"
    yield "\nPatient by patient, against random weights:\n"
    for (size, name), group in rows.groupby(["size", names], sort=False):
        twin = rows[(rows["size"] == size) & (rows.method == TWIN) & (rows.changes == "")]
        twin = twin[twin.split.isin(group.split.unique())]
        if name != TWIN and not twin.empty:
            by_split = [frame.rename(columns={"split": "seed"}) for frame in (group, twin)]
            yield f"- {size} scans, {name}: {compared(*by_split)}."


def _cell(group: pd.DataFrame) -> str:
    if group.empty:
        return ""
    splits = group.groupby("split")[["dice", "iou"]].mean()
    paper = PAPER.get(group.method.iloc[0], {}).get(group["size"].iloc[0])
    ours = f"{splits.dice.mean():.3f} ± {splits.dice.std():.3f} ({splits.iou.mean():.3f})"
    return ours if paper is None or group.changes.iloc[0] else f"{ours} \\| {paper:.2f}"


if __name__ == "__main__":
    main()
