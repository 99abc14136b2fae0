"""A mended copy of a cohort: what is safe to mend is mended, every step is told, the originals stay as they are."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mstl.data.case import MASKS, MODALITIES, Case
from mstl.data.checks.finding import Finding
from mstl.data.checks.reading import load_raw, right_form
from mstl.data.cohort import Cohort
from mstl.data.formats import open_scan
from mstl.data.formats.pictures import is_picture
from mstl.data.grid import Grid, resample
from mstl.data.selector import volume_of
from mstl.data.volume import Volume, read_grid, write_volume
from mstl.errors import InputError
from mstl.files import new_folder, write_json

FIXES = "fixes.json"
COHORT = "cohort.csv"


@dataclass(frozen=True)
class Fix:
    """What was done to one file: `source` is the original, `path` the mended copy."""

    case: str
    role: str
    rule: str
    done: str
    source: str
    path: str


def mend_cohort(cohort: Cohort, findings: Iterable[Finding], out: str | Path) -> tuple[Cohort, list[Fix]]:
    """Mend what `findings` call fixable into the new folder `out`; returns the mended cohort and what was done.

    Two positions become one, NaN around the brain 0, one volume of 4D a 3D file, soft masks are cut at 0.5 and
    masks on another grid brought to their scan's. `out` holds the mended files, `cohort.csv` and `fixes.json`;
    files without such a finding are referred to where they are. Raises `InputError` where `out` is not empty.
    """
    out = new_folder(out)
    wanted: dict[tuple[str, str], dict[str, Finding]] = {}
    for finding in findings:
        if finding.fixable:
            wanted.setdefault((finding.case, finding.role), {})[finding.rule] = finding
    fixes: list[Fix] = []
    cases = [_mend_case(case, wanted, out, fixes) for case in cohort]
    mended = Cohort(cases)
    mended.to_csv(out / COHORT)
    write_json(out / FIXES, {"fixes": [asdict(fix) for fix in fixes]})
    return mended, fixes


def _mend_case(case: Case, wanted: Mapping, out: Path, fixes: list[Fix]) -> Case:
    """The case with its mended files; scans first, because masks follow their grids."""
    for role in (*MODALITIES, *MASKS):
        rules = wanted.get((case.name, role))
        if not rules:
            continue
        source = case.files[role]
        path = out / case.name / f"{role}{'.png' if is_picture(source) else '.nii.gz'}"
        volume = _load(source, forms="forms" in rules)
        for rule, mend in MENDS.items():
            if rule in rules:
                volume, done = mend(volume, source, case, rules[rule])
                fixes.append(Fix(case.name, role, rule, done, str(source), str(path)))
        write_volume(path, volume.data, volume.affine)
        case = _with_file(case, role, path)
    return case


def _with_file(case: Case, role: str, path: Path) -> Case:
    if role in MASKS:
        return replace(case, **{role: path})
    return replace(case, images={**case.images, role: path})


def _load(path: Path, *, forms: bool) -> Volume:
    """The file as it is, where `read_volume` would refuse it; `forms` where it states two positions."""
    if forms:
        image = load_raw(path)
        data, affine = np.asanyarray(image.dataobj).reshape(image.shape[:3], order="F"), image.affine
    else:
        scan = open_scan(path)
        data, affine = scan.values(volume_of(path)), scan.affine
    return Volume(data.astype(np.float32) if data.dtype.itemsize > 4 else data, affine, path)


def _mend_forms(volume: Volume, source: Path, case: Case, finding: Finding) -> tuple[Volume, str]:
    image, grids = load_raw(source), list(_grids(case, without=finding.role))
    form = right_form(image, grids)
    which = "sform" if np.array_equal(form, image.get_sform()) else "qform"
    return replace(volume, affine=form), f"kept the {which}, and copied it over the other"


def _grids(case: Case, *, without: str) -> Iterable[Grid]:
    for role, path in case.files.items():
        try:
            if role != without:
                yield read_grid(path)
        except InputError:
            continue


def _mend_nan(volume: Volume, source: Path, case: Case, finding: Finding) -> tuple[Volume, str]:
    bad = ~np.isfinite(volume.data)
    count = int(np.count_nonzero(bad))
    data = np.where(bad, 0, volume.data).astype(volume.data.dtype)
    return replace(volume, data=data), f"set {count} voxels around the brain from NaN to 0"


def _mend_axes(volume: Volume, source: Path, case: Case, finding: Finding) -> tuple[Volume, str]:
    return volume, "wrote the only volume as a 3D file"


def _mend_soft(volume: Volume, source: Path, case: Case, finding: Finding) -> tuple[Volume, str]:
    return _cut(volume, 0.5)


def _mend_scaled(volume: Volume, source: Path, case: Case, finding: Finding) -> tuple[Volume, str]:
    return _cut(volume, float(volume.data.max()) / 2)


def _cut(volume: Volume, threshold: float) -> tuple[Volume, str]:
    data = (volume.data >= threshold).astype(np.uint8)
    count = int(np.count_nonzero(data))
    return replace(volume, data=data), f"cut at {threshold:g}: {count} voxels are 1"


def _mend_grid(volume: Volume, source: Path, case: Case, finding: Finding) -> tuple[Volume, str]:
    modality = finding.details["reference"]
    grid = read_grid(case.images[modality])
    if finding.details.get("affine_is_lost"):
        return replace(volume, affine=grid.affine), f"gave the array the affine of {modality}"
    data = resample(volume.data, volume.grid, grid, nearest=True)
    return Volume(data, grid.affine), f"resampled to the grid of {modality}, nearest neighbour"


MENDS: dict[str, Callable[[Volume, Path, Case, Finding], tuple[Volume, str]]] = {  # in the order they are done
    "forms": _mend_forms,
    "one-volume": _mend_axes,
    "nan": _mend_nan,
    "soft-mask": _mend_soft,
    "scaled-mask": _mend_scaled,
    "mask-grid": _mend_grid,
}
