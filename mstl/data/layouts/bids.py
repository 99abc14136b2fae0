"""BIDS, raw and derivatives: what a file is, its name says in entities (`sub-01_ses-02_ce-gad_T1w.nii.gz`).

Gorgolewski et al. 2016, doi 10.1038/sdata.2016.44.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from mstl.data.case import MASKS
from mstl.data.layouts.found import CONSENSUS, Findings, Found, Layout, LeftOut, scan_files, stem_of

RAW = "raw"
_COLUMN = {"t1w": "t1", "t2w": "t2", "flair": "flair"}
_OTHER_DATA = {"func", "dwi", "fmap", "perf", "pet", "meg", "eeg", "ieeg", "micr", "nirs", "motion", "mrs", "beh"}
_ASIDE = {"sourcedata", "code", "stimuli", "figures"}
_LESION = re.compile(r"lesion|wmh|tumou?r", re.IGNORECASE)
_RATER = re.compile(r"rater[-_]?([0-9]+)", re.IGNORECASE)
_OWN_SPACES = {"", "orig", "native", "individual", "t1", "t1w", "t2", "t2w", "flair"}
_OTHER_RUN = "another run of the same scan; the first is taken, or that of the lesion mask"


@dataclass(frozen=True)
class _Scan:
    """A file of BIDS: its entities, its words without a dash, the pipeline that made it (raw for none)."""

    path: Path
    entities: dict[str, str]
    words: tuple[str, ...]
    pipeline: str

    @property
    def space(self) -> str:
        space = self.entities.get("space", "")
        return "" if space.lower() in _OWN_SPACES else space

    @property
    def variant(self) -> str:
        return f"{self.pipeline}:{self.space}" if self.space else self.pipeline


def find_bids(root: Path) -> Findings:
    """Anatomical scans, lesion masks and brain masks of a BIDS tree.

    Variants are `raw`, a pipeline of `derivatives/`, or `pipeline:space` where its images name a space. A mask goes
    with images of its own space only. Of several runs that of the lesion mask is taken, else the first; other doubles
    are left to the caller.
    """
    findings = Findings()
    images, masks = [], []
    for path in scan_files(root):
        scan = None if _ASIDE.intersection(path.relative_to(root).parts) else _read(path)
        column = _column(scan)
        if column:
            (masks if column in MASKS else images).append((scan, column))
        else:
            findings.left_out.append(LeftOut(path, "no anatomical scan, lesion mask or brain mask by its BIDS name"))
    _add(findings, images, masks)
    return _first_runs(findings)


def _add(findings: Findings, images: list[tuple[_Scan, str]], masks: list[tuple[_Scan, str]]) -> None:
    """Add images as they are, and masks to each variant whose images lie in their space."""
    variants = sorted({scan.variant for scan, _ in images})
    findings.files.extend(_found(scan, column, (scan.variant,)) for scan, column in images)
    for scan, column in masks:
        fitting = [name for name in variants if name.partition(":")[2] == scan.space]
        fitting.sort(key=lambda name: name.partition(":")[0] != scan.pipeline)
        if fitting:
            findings.files.append(_found(scan, column, tuple(fitting)))
        else:
            findings.left_out.append(LeftOut(scan.path, f"in space {scan.space or 'of the scan'}, no image is"))


def _read(path: Path) -> _Scan | None:
    """The file's entities; None where it is none of BIDS or not of the head's anatomy."""
    stem = stem_of(path)
    *folders, name = stem.split("/")
    parts = name.split("_")
    entities = dict(part.split("-", 1) for part in parts if "-" in part)
    if not entities.get("sub") or folders[-1] in _OTHER_DATA or "task" in entities:
        return None
    words = tuple(part for part in parts if "-" not in part)
    return _Scan(path, entities, words, _pipeline(folders))


def _pipeline(folders: list[str]) -> str:
    if "derivatives" not in folders:
        return RAW
    after = folders[len(folders) - folders[::-1].index("derivatives") :]
    return after[0] if after and not after[0].startswith("sub-") else "derivatives"


def _column(scan: _Scan | None) -> str:
    """The column of a file, "" where it is of no use."""
    if scan is None or not scan.words:
        return ""
    suffix = scan.words[-1].lower()
    if suffix in ("mask", "roi"):
        about = " ".join([scan.entities.get("label", ""), scan.entities.get("desc", ""), *scan.words])
        if _LESION.search(about):
            return "mask"
        return "brain_mask" if "brain" in about.lower() else ""
    column = _COLUMN.get(suffix, "")
    if scan.entities.get("part", "mag") != "mag":  # phase, real and imaginary parts
        return ""
    if "ce" in scan.entities:
        return "t1ce" if column == "t1" else ""
    return column


def _found(scan: _Scan, column: str, variants: tuple[str, ...]) -> Found:
    subject, session = scan.entities["sub"], scan.entities.get("ses", "")
    numbered = _RATER.search(scan.path.name)
    rater = numbered[1] if numbered else CONSENSUS if CONSENSUS in scan.path.name.lower() else "1"
    return Found(scan.path, column, f"sub-{subject}", f"ses-{session}" if session else "", rater, variants)


def _first_runs(findings: Findings) -> Findings:
    """The findings without the later runs of scans that differ in nothing but `run`."""
    outlined = {(file.subject, file.session, _run_of(file)) for file in findings.files if file.column == "mask"}
    first: dict[tuple[Found, str], Found] = {}
    later = []
    for file in sorted(findings.files, key=lambda file: _preference(file, outlined)):
        alike = (replace(file, path=Path()), re.sub(r"_run-[0-9]+", "", file.path.name))
        if alike in first and first[alike].path.name != file.path.name:
            later.append(LeftOut(file.path, _OTHER_RUN))
        first.setdefault(alike, file)
    taken = {item.path for item in later}
    files = [file for file in findings.files if file.path not in taken]
    return Findings(files, findings.left_out + later, findings.notes)


def _preference(file: Found, outlined: set[tuple[str, str | None, int]]) -> tuple[bool, int]:
    """What to sort runs by: those that a lesion mask was drawn on, then their number."""
    return (file.subject, file.session, _run_of(file)) not in outlined, _run_of(file)


def _run_of(file: Found) -> int:
    found = re.search(r"_run-([0-9]+)", file.path.name)
    return int(found[1]) if found else 0


BIDS = Layout(find_bids, example="sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz", variants=(RAW,))
