"""Leakage: what is tested must not have been learned from, by whatever name and in whatever file. An error, always."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from mstl.compare.study import BEGINNINGS, COMMAND, KERNEL_PRIOR, TRAIN, Study
from mstl.data.prepared import PreparedCase, PreparedCohort
from mstl.errors import InputError
from mstl.files import read_json, sha256

ENVIRONMENT = "environment.json"  # of a run: the SHA-256 of each case's inputs
MASKS = ("mask", "brain_mask")  # roles of files that say nothing of a scan: many masks are empty, and so equal


def check_leakage(study: Study, prepared: PreparedCohort) -> None:
    """Raise `InputError` where subjects that are tested may have been learned from.

    That is so where two subjects of the target have equal voxels, in which case they may stand on two sides; where a
    source's own scans have the voxels or the files of the target's; and where a run that a strategy or a source begins
    with was trained on files of the target.
    """
    known = _fingerprints(prepared)
    _check_doubles(known)
    for name, settings in study.sources.items():
        if settings.get(COMMAND, TRAIN) != KERNEL_PRIOR:
            _check_cohort(name, settings, known, target=prepared)
    for where, folder in _given_runs(study):
        _check_run(where, folder, prepared)


def learns_from_target(settings: Mapping, study: Study) -> bool:
    """Whether a source's settings name the target's own prepared scans."""
    folder = settings.get("prepared", study.prepared)
    return settings.get(COMMAND, TRAIN) != KERNEL_PRIOR and Path(folder).resolve() == Path(study.prepared).resolve()


def _fingerprints(cohort: PreparedCohort) -> dict[str, set[str]]:
    """Subjects by what tells their scans: the SHA-256 of each file they came from, and of the prepared voxels."""
    found = defaultdict(set)
    for case in cohort:
        for mark in _marks(case):
            found[mark].add(case.subject)
    return found


def _marks(case: PreparedCase) -> Iterable[str]:
    yield sha256(case.folder / "image.npy")
    yield from _files(case.record["sources"])


def _files(sources: Mapping[str, Mapping]) -> Iterable[str]:
    return (source["sha256"] for role, source in sources.items() if role not in MASKS)


def _check_doubles(known: Mapping[str, set[str]]) -> None:
    for subjects in known.values():
        if len(subjects) > 1:
            raise InputError(
                f"Leakage: subjects {', '.join(sorted(subjects))} have the same scan, so that one could be learned "
                "from and the other tested. Remove one, or give both one subject's name in the cohort."
            )


def _check_cohort(name: str, settings: Mapping, known: Mapping[str, set[str]], *, target: PreparedCohort) -> None:
    folder = Path(settings.get("prepared", target.folder))
    if folder.resolve() == target.folder.resolve():
        return  # trained anew in every fold, without those that it tests
    for mark, others in _fingerprints(PreparedCohort.open(folder)).items():
        if mark in known:
            ours, theirs = min(known[mark]), min(others)
            raise InputError(
                f"Leakage: subject {theirs} of source '{name}' ({folder}) has the scan of the target's subject {ours}. "
                "Prepare the source without it."
            )


def _given_runs(study: Study) -> Iterable[tuple[str, Path]]:
    """Runs that strategies or sources begin with and that the study does not train."""
    settings = {f"Strategy '{name}'": {**study.experiment, **one} for name, one in study.strategies.items()}
    settings |= {f"Source '{name}'": one for name, one in study.sources.items()}
    for where, one in settings.items():
        words = [one.get(key, "") for key in BEGINNINGS] + list(one.get("sources", ()))
        for word in words:
            folder = Path(str(word))
            if word and word not in study.sources and (folder / ENVIRONMENT).is_file():
                yield where, folder


def _check_run(where: str, folder: Path, target: PreparedCohort) -> None:
    inputs = read_json(folder / ENVIRONMENT).get("inputs", {})
    learned = {mark for files in inputs.values() for role, mark in files.items() if role not in MASKS}
    for case in target:
        if learned.intersection(_files(case.record["sources"])):
            raise InputError(
                f"Leakage: {where} begins with {folder}, which was trained on a scan of the target's subject "
                f"{case.subject}. Begin with a run that never saw the target's scans, or make it a source of the study."
            )
