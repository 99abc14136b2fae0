"""What several tests share: the folder of real scans, where there is one, and tiny cohorts made here."""
import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

SHARED = Path(__file__).resolve().parents[2] / "shared"
SHAPE, SPACING = (24, 28, 20), (1.0, 1.2, 2.0)

for size in ("COLUMNS", "LINES"):  # set in processes of -n; consoles would keep them whatever a test sets
    os.environ.pop(size, None)


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the folder of real scans beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def make_case() -> Callable:
    """Function that writes a tiny head of 24 x 28 x 20 voxels as NIfTI and returns its `Case`.

    `axes` are the directions of the array's axes, `rotation` turns scanner and head together (degrees),
    `seed` says how the noise falls. Scans: flair and t1; mask: two lesions in the brain.
    """
    from mstl.data.case import Case

    def make(folder: Path, subject: str, *, axes: str = "RAS", rotation: float = 0, seed: int = 0) -> Case:
        files = {}
        for name, data in _head(seed).items():
            image = nib.Nifti1Image(data, _affine(rotation))
            files[name] = folder / subject / f"{name}.nii.gz"
            files[name].parent.mkdir(parents=True, exist_ok=True)
            nib.save(_reoriented(image, axes), files[name])
        return Case.of_files(files, subject=subject)

    return make


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory, make_case):
    """Cohort of three tiny heads in three orientations, one of them oblique, read from a CSV. Read only."""
    from mstl.data.cohort import Cohort

    folder = tmp_path_factory.mktemp("tiny")
    cases = [
        make_case(folder, "ras", seed=1),
        make_case(folder, "pil", axes="PIL", seed=2),
        make_case(folder, "oblique", axes="LPS", rotation=17.0, seed=3),
    ]
    Cohort(cases).to_csv(folder / "cohort.csv")
    return Cohort.from_csv(folder / "cohort.csv")


@pytest.fixture(scope="session")
def tiny_prepared(tmp_path_factory, tiny_cohort):
    """The tiny cohort, prepared with default parameters. Read only."""
    from mstl.data.prepare import prepare

    return prepare(tiny_cohort, tmp_path_factory.mktemp("prepared") / "out")


@pytest.fixture(scope="session")
def gan_prepared(tmp_path_factory, make_case):
    """Four tiny heads of two modalities in [0, 1] for a pre-training; their masks cannot be opened. Read only."""
    from mstl.data.cohort import Cohort
    from mstl.data.prepare import prepare
    from mstl.data.prepared import PreparedCohort
    from tests.gans import close_masks

    folder = tmp_path_factory.mktemp("gan")
    cases = [make_case(folder, f"s{number}", seed=number) for number in range(4)]
    prepare(Cohort(cases), folder / "prepared", modalities=("flair", "t1"), normalise="percentile")
    close_masks(folder / "prepared")
    return PreparedCohort.open(folder / "prepared")


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory, gan_prepared):
    """A pre-training of the tiny heads by `mstl pretrain gan`, and what was seen of it: see `tests.gans`. Read only."""
    from tests.gans import pretrain_by_command

    return pretrain_by_command(gan_prepared, tmp_path_factory.mktemp("pretrained"))


def _head(seed: int) -> dict[str, np.ndarray]:
    """Scans and mask in RAS: an ellipsoid brain off the middle, black around it."""
    rng = np.random.default_rng(seed)
    r, a, s = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    brain = ((r - 12) / 9) ** 2 + ((a - 13) / 11) ** 2 + ((s - 10) / 7) ** 2 < 1
    lesions = ((r - 8) / 3) ** 2 + ((a - 16) / 3) ** 2 + ((s - 12) / 2) ** 2 < 1
    lesions |= (abs(r - 16) < 2) & (abs(a - 8) < 2) & (abs(s - 8) < 2)
    noise = rng.normal(0, 3, (2, *SHAPE))
    flair = np.where(brain, 100 + 2 * s + 60 * lesions + noise[0], 0)
    t1 = np.where(brain, 200 + 3 * r - 2 * a - 40 * lesions + noise[1], 0)
    return {
        "flair": flair.astype(np.float32),
        "t1": t1.astype(np.int16),
        "mask": (lesions & brain).astype(np.uint8),
    }


def _affine(rotation: float) -> np.ndarray:
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = (-11.3, -15.8, -17.1)
    turn = np.eye(4)
    angles = [rotation, rotation / 2, -rotation / 3]
    turn[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return turn @ affine


def _reoriented(image: nib.Nifti1Image, axes: str) -> nib.Nifti1Image:
    orientation = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)
    )
    image = image.as_reoriented(orientation)
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    return image
