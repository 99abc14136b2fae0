"""Raw cases as a scanner gives them: a grid for each modality, the patient moved between them, heads with skull."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mstl.data.grid import Grid, resample, respaced
from mstl.data.heads.acquisition import average_sections, record
from mstl.data.heads.anatomy import HEAD_CENTRE, lattice
from mstl.data.heads.patient import Projection, draw_patient
from mstl.data.heads.scan import modality_stream, paint_patient
from mstl.data.heads.scanner import RawScanner, Scanner
from mstl.data.heads.skull import build_skull
from mstl.data.volume import Volume

_WORLD = Scanner(field_of_view=(200.0, 250.0, 220.0))  # holds what any of the scans sees
_LOWER = 12.0  # mm by which its centre lies below the brain's
_POSITION = (3.0, 5.0, 4.0)  # mm, standard deviations of a field of view's centre
_TILT = (7.0, 1.5, 2.0)  # degrees, those of its angulation
_SHARED = {"t1ce": "t1"}  # scanned by one protocol


@dataclass(frozen=True, eq=False)
class Pose:
    """One scan: its profile and grid, and `motion` `(4, 4)` from the patient's mm to the scanner's, both RAS+."""

    scanner: Scanner
    grid: Grid
    motion: np.ndarray

    @property
    def fine(self) -> Grid:
        """The grid cut into the thinner sections that its slices average."""
        return respaced(self.grid, tuple(np.array(self.grid.spacing) / self.scanner.sections))

    def sample(self, values: np.ndarray, grid: Grid) -> np.ndarray:
        """Values on a grid in the patient's mm, as they lie on this scan's fine grid; linear, 0 beyond."""
        fine = self.fine
        return resample(values, grid, Grid(fine.shape, np.linalg.inv(self.motion) @ fine.affine))


def scan_session(
    session: RawScanner,
    *,
    modalities: Iterable[str],
    seed: int,
    disease: str = "ms",
    lesion_ml: float | None = None,
    randomise: float = 0.0,
) -> tuple[dict[str, Volume], Volume, Volume, dict[str, np.ndarray]]:
    """Int16 scans, each on its own grid; uint8 masks of lesions and brain on the reference's; transforms.

    `disease` is one of `mstl.data.heads.patient.DISEASES`. The reference is the flair, else the first modality.
    A transform `(4, 4)` leads from a point in the reference's world mm to where the same tissue lies in the
    world mm of that modality's scan.
    """
    modalities = tuple(modalities)
    poses = {name: draw_pose(session, name, seed=seed) for name in modalities}
    reference = poses[reference_of(modalities)]
    world = replace(_WORLD, spacing=(session.world,) * 3).grid()
    world = world.moved((0, 0, -round(_LOWER / session.world)), world.shape)
    projection = Projection(
        lambda values, grid: average_sections(reference.sample(values, grid), reference.scanner.sections),
        float(np.prod(reference.grid.spacing)) / 1000,
    )
    patient = draw_patient(
        world, (1, 1, 1), seed=seed, disease=disease, lesion_ml=lesion_ml, randomise=randomise, projection=projection
    )
    labels = build_skull(
        world, patient.head, np.random.default_rng([seed, 3]), start=np.zeros(3), randomise=randomise
    )
    images = {}
    for name, pose in poses.items():
        signal, rng = paint_patient(
            patient, labels, world, pose.scanner, modality=name, seed=seed, randomise=randomise
        )
        seen, positions = pose.sample(signal, world), lattice(pose.fine, np.zeros(3))
        scan = record(seen, positions, pose.scanner, modality=name, rng=rng, randomise=randomise)
        images[name] = Volume(scan, pose.grid.affine)
    masks = (Volume(part.astype(np.uint8), reference.grid.affine) for part in (patient.mask, patient.brain))
    return images, *masks, _transforms(poses, reference)


def reference_of(modalities: Iterable[str]) -> str:
    """The modality whose grid a raw case's masks lie on: the flair, else the first."""
    modalities = tuple(modalities)
    return "flair" if "flair" in modalities else modalities[0]


def draw_pose(session: RawScanner, modality: str, *, seed: int) -> Pose:
    """How one modality is scanned; the same whichever others are. A t1ce has the protocol of the t1."""
    rng = modality_stream(seed, _SHARED.get(modality, modality), purpose=5)
    usual = session.scanner
    finer, thicker = np.exp(rng.normal(0, 0.06)), np.exp(rng.normal(0, 0.05))
    wider = rng.uniform(0.94, 1.06)
    scanner = replace(
        usual,
        spacing=tuple(np.array(usual.spacing) * (finer, finer, thicker)),
        rotation=tuple(np.array(usual.rotation) + rng.normal(0, _TILT)),
        field_of_view=tuple(np.array(usual.field_of_view) * (wider, wider, rng.uniform(0.94, 1.06))),
    )
    grid = scanner.grid()
    placed = np.eye(4)
    placed[:3, 3] = rng.normal(0, _POSITION)
    return Pose(scanner, Grid(grid.shape, placed @ grid.affine), _draw_motion(session, modality, seed))


def _draw_motion(session: RawScanner, modality: str, seed: int) -> np.ndarray:
    """A rigid motion about the middle of the head."""
    rng = modality_stream(seed, modality, purpose=6)
    turn = Rotation.from_euler("xyz", rng.normal(0, session.turn, 3), degrees=True).as_matrix()
    motion = np.eye(4)
    motion[:3, :3] = turn
    motion[:3, 3] = HEAD_CENTRE - turn @ HEAD_CENTRE + rng.normal(0, session.shift, 3)
    return motion


def _transforms(poses: Mapping[str, Pose], reference: Pose) -> dict[str, np.ndarray]:
    back = np.linalg.inv(reference.motion)
    return {name: np.eye(4) if pose is reference else pose.motion @ back for name, pose in poses.items()}
