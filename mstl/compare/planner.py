"""Measuring the strategies of a study in processes of their own, and whether two at a time are faster."""
from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import joblib

from mstl.compare.folder import StudyFolder
from mstl.compare.measure import Measured
from mstl.compare.plan import Plan, plan_study
from mstl.compare.worker import MEASURED, InProcess
from mstl.errors import InputError
from mstl.files import read_json
from mstl.models.memory import available_bytes

PLAN = "plan"
PAIR = ("pair-0", "pair-1")
WORTH = 1.05  # how much faster two jobs at a time must be
SHORT = 10  # minutes


def measure_study(study: StudyFolder, *, progress: Callable[[str], None] = lambda name: None) -> Plan:
    """Measure 20 steps of every strategy, and those of the baseline twice at a time, where that may be worth it.

    It is where there are two cores and memory for two, and the study takes more than `SHORT` minutes; a shorter one has
    two jobs at a time unmeasured, since most of it is their beginning. What was measured stays in the study's folder
    and is not measured again. progress: called with each name. Raises `InputError` where a strategy cannot be trained.
    """
    work = InProcess(study.folder, owner=os.getpid())
    measured = {}
    for name in study.study.strategies:
        measured[name] = _measured(study, work, name, place=name)
        progress(name)
    plan = plan_study(study, measured)
    if joblib.cpu_count() < len(PAIR) or len(PAIR) * plan.memory > available_bytes():
        return plan
    if 60 * plan.hours < SHORT:
        return replace(plan, at_once=len(PAIR))
    speedup = _speedup(study, measured[study.study.baseline])
    return replace(plan, at_once=len(PAIR), speedup=speedup) if speedup >= WORTH else plan


def _speedup(study: StudyFolder, alone: Measured) -> float:
    """How much sooner two steps are over when they run at a time, each with half of the cores."""
    work = InProcess(study.folder, at_once=len(PAIR), owner=os.getpid())
    with ThreadPoolExecutor(len(PAIR)) as threads:
        pair = list(threads.map(lambda place: _measured(study, work, study.study.baseline, place=place), PAIR))
    return len(PAIR) * alone.step / max(one.step for one in pair)


def _measured(study: StudyFolder, work: InProcess, name: str, *, place: str) -> Measured:
    folder = study.folder / PLAN / place
    if not (folder / MEASURED).exists():
        try:
            work.run(folder, str(Path(PLAN) / place), "--measure", name)
        except InputError as error:
            raise InputError(f"Strategy '{name}' cannot be trained: {error}") from None
    return Measured(**read_json(folder / MEASURED))
