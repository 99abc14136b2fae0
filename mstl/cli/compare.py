"""`mstl compare`: which transfer strategy works for one's own scans."""
from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mstl.cli.terminal import console, escaped, progress
from mstl.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from mstl.compare.folder import StudyFolder
    from mstl.compare.jobs import Job
    from mstl.compare.plan import Plan

ASK_BEYOND = 1.0  # hours


def compare(
    study: Annotated[Path, typer.Argument(help="STUDY.yaml", show_default=False)],
    changes: Annotated[list[str], typer.Option("--set", help="key=value; repeat it.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="New folder of the study.")] = Path("study"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study that was stopped.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Begin, however long it will take.")] = False,
    hours: Annotated[float | None, typer.Option(help="Propose a smaller study that fits.", show_default=False)] = None,
    jobs: Annotated[int | None, typer.Option(help="Trainings at a time; default: what is faster.")] = None,
    backend: Annotated[str, typer.Option(help="loky: this machine. dask: a cluster.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(help="Of Dask, as tcp://host:8786.", show_default=False)] = None,
    job: Annotated[int | None, typer.Option(min=0, help="Do this one alone, as of a Slurm array.")] = None,
) -> None:
    """Compare transfer strategies on the same patients, splits, seeds and budget, and say which one works.

    Before it starts, 20 steps of each strategy are measured to say how long it will take.
    """
    from mstl.compare.execute import run_study
    from mstl.compare.folder import TABLE, StudyFolder
    from mstl.compare.results import PAGE, write_results
    from mstl.compare.study import Study

    begun = StudyFolder.begin(Study.load(study, changes=changes), out, resume=resume or job is not None)
    if job is not None:
        _do_one(begun, job)
        return
    plan = _planned(begun)
    if hours is not None and plan.hours > hours:
        raise InputError(_proposal(begun, study, hours, plan))
    if hours is None and not yes:
        _ask(plan)
    with StudyTable(begun, plan) as table:
        at_once = jobs or (plan.at_once if backend == "loky" else 1)
        failed = run_study(begun, jobs=at_once, backend=backend, scheduler=scheduler, progress=table.step)
    _print_failures(failed)
    console.print(escaped("\n" + " ".join(write_results(begun))), soft_wrap=True, highlight=False)
    again = f" {len(failed)} failed: the same command with --resume tries them again." if failed else ""
    console.print(escaped(f"Wrote {begun.folder / PAGE} and {begun.folder / TABLE}.{again}"), soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _ask(plan: Plan) -> None:
    """End where a study is long and nobody has said that it may be."""
    if plan.hours > ASK_BEYOND:
        raise InputError(
            f"The study takes about {_duration(plan.hours)}, which needs a --yes. For a smaller one say --hours 1."
        )


def _print_failures(failed: dict[Job, str]) -> None:
    for job, reason in failed.items():
        console.print(f"[red]Failed:[/] {escaped(f'{job.label}: {reason}')}", soft_wrap=True, highlight=False)


def _do_one(study: StudyFolder, number: int) -> None:
    """The job of one index of a Slurm array, in this process."""
    from mstl.compare.run_job import run_job

    if number >= len(study.jobs):
        raise InputError(f"--job is {number}; the study has jobs 0 to {len(study.jobs) - 1}. Mend the array.")
    chosen = study.jobs[number]
    run_job(chosen, study)
    study.write_tables()
    console.print(escaped(f"Did job {number} of {len(study.jobs)}, {chosen.label}."), soft_wrap=True)


def _planned(study: StudyFolder) -> Plan:
    from rich.table import Table

    from mstl.compare.planner import measure_study

    with progress("Measuring 20 steps of each strategy", len(study.study.strategies)) as step:
        plan = measure_study(study, progress=step)
    table = Table("strategy or source", "time", title=f"{plan.jobs} trainings", title_justify="left")
    for name, seconds in plan.seconds.items():
        table.add_row(escaped(name), _duration(seconds / 3600))
    console.print(table)
    faster = f", which is {plan.speedup:.2g} times as fast as one" if plan.speedup > 1 else ""
    together = f"{plan.at_once} trainings at a time{faster}"
    memory = f"up to {plan.memory / 2**30:.1f} GB each"
    console.print(f"Expected: {_duration(plan.hours)}, {together}, {memory}.", soft_wrap=True, highlight=False)
    return plan


def _proposal(study: StudyFolder, path: Path, hours: float, plan: Plan) -> str:
    from mstl.compare.divisions import divide
    from mstl.compare.plan import fitting

    whole = sum(len(stage) for stage in study.stages[-1:])
    found = fitting(study.study, hours, lambda one: plan.hours * _trainings(divide(study.prepared, one), one) / whole)
    words = f"The study takes about {_duration(plan.hours)}, more than {_duration(hours)}."
    if found is None:
        return f"{words} No smaller one with these strategies fits: shorten their epochs, or leave strategies out."
    return f"{words} This fits: mstl compare {path} {found[0]} --out {study.folder}-small"


def _trainings(divisions, study) -> int:
    return len(divisions) * len(study.seeds) * len(study.strategies)


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= ASK_BEYOND else f"{60 * hours:.1f} minutes"


class StudyTable:
    """A table that lives: how far each strategy is, its mean Dice so far, and when all will be done."""

    def __init__(self, study: StudyFolder, plan: Plan) -> None:
        from rich.live import Live

        from mstl.compare.run_job import is_at_work

        self.study, self.plan, self.began = study, plan, time.monotonic()
        self.jobs = {}
        for job in study.jobs:
            self.jobs.setdefault(job.name, []).append(job)
        self.over, self.failed, self.means = {job for job in study.jobs if study.done(job)}, set(), {}
        self.before = len(self.over)
        self.is_at_work = is_at_work
        self.live = Live(get_renderable=self._table, console=console, refresh_per_second=0.5)

    def step(self, job: Job, reason: str | None) -> None:
        """Count a job that is over."""
        (self.failed if reason else self.over).add(job)
        scores = self.study.scores()
        self.means = {} if scores.empty else scores.groupby("strategy").dice.mean().to_dict()

    def _table(self) -> Table:
        from rich.table import Table

        columns = ("strategy or source", "done", "at work", "failed", "mean Dice so far")
        table = Table(*columns, caption=self._remaining())
        for name, jobs in self.jobs.items():
            left = [job for job in jobs if job not in self.over | self.failed]
            working = sum(self.is_at_work(job, self.study.folder) for job in left)
            done, failed = (sum(job in which for job in jobs) for which in (self.over, self.failed))
            mean = f"{self.means[name]:.3f}" if name in self.means else ""
            table.add_row(escaped(name), f"{done} of {len(jobs)}", str(working or ""), str(failed or ""), mean)
        return table

    def _remaining(self) -> str:
        over = len(self.over) + len(self.failed) - self.before
        left = self.plan.jobs - over
        if not over or not left:
            return f"about {_duration(self.plan.hours)}" if left else "all over"
        hours = (time.monotonic() - self.began) / over * left / 3600
        return f"{left} trainings left, about {_duration(hours)}"

    def __enter__(self) -> StudyTable:
        self.live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.__exit__(*error)
