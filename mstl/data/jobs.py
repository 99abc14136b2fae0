"""Many cases at a time, none of which stops the others: in processes of this machine, or on a cluster."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from mstl.data.attempt import Attempts, Item, attempt
from mstl.errors import InputError

BACKENDS = ("loky", "dask")
ENDED = "Its process was ended from outside, most often for want of memory. Use fewer jobs, or a larger machine."


def check_jobs(jobs: int) -> None:
    """Raise `InputError` for a number of jobs that joblib cannot take."""
    if jobs == 0:
        raise InputError("jobs is 0; at least 1 is expected, or -1 for one a core.")


@contextmanager
def attempts(
    *, jobs: int = 1, backend: str = "loky", scheduler: str | None = None
) -> Iterator[Callable[[Callable[[Item], object], Sequence[Item]], Attempts]]:
    """Yield a function that calls `work(item)` for all `items` and yields each with its failure's reason or None.

    Items come as they are done; `work` is importable. "loky": `jobs` processes of this machine, which share its
    cores; with 1 all happens in this process. "dask": the cluster at `scheduler` ("tcp://host:8786"; None: that
    of the Dask client which this process has opened); `jobs` is ignored, since the workers' threads say how many
    items there are at a time, one core each. Raises `InputError` where the backend cannot be used.
    """
    check_jobs(jobs)
    if backend not in BACKENDS:
        raise InputError(f"Backend '{backend}' is unknown. Choose one of {', '.join(BACKENDS)}.")
    if backend == "dask":
        from mstl.data.cluster import attempts_on_cluster, open_client

        with open_client(scheduler) as client:
            yield lambda work, items: attempts_on_cluster(client, work, items)
        return
    if scheduler:
        raise InputError(f"Scheduler {scheduler} was given, but backend '{backend}' has none. Choose backend 'dask'.")
    yield lambda work, items: _attempts_here(work, items, jobs)


def _attempts_here(work: Callable[[Item], object], items: Sequence[Item], jobs: int) -> Attempts:
    """Where a process is killed, all fall: the items under way are tried once more, one at a time."""
    waiting = dict(enumerate(items))
    while waiting:
        begun: set[int] = set()
        try:
            for number, reason in _parallel(work, waiting, jobs, begun):
                yield waiting.pop(number), reason
        except BrokenProcessPool:
            for number in sorted(begun.intersection(waiting)):
                item = waiting.pop(number)
                yield item, _alone(work, item, jobs)


def _parallel(work: Callable, waiting: dict[int, Item], jobs: int, begun: set[int]) -> Iterator[tuple[int, str | None]]:
    processes = joblib.effective_n_jobs(jobs)
    threads = None if processes == 1 else max(1, joblib.cpu_count() // processes)

    def tasks() -> Iterable:
        for number, item in list(waiting.items()):
            begun.add(number)
            yield joblib.delayed(_numbered)(number, work, item, threads)

    parallel = joblib.Parallel(n_jobs=processes, backend="loky", batch_size=1, return_as="generator_unordered")
    return parallel(tasks())


def _numbered(number: int, work: Callable, item: Item, threads: int | None) -> tuple[int, str | None]:
    return number, attempt(work, item, threads)


def _alone(work: Callable, item: Item, jobs: int) -> str | None:
    """Attempt one item in a process of its own, which may be killed."""
    begun: set[int] = set()
    try:
        ((_, reason),) = _parallel(work, {0: item}, max(2, joblib.effective_n_jobs(jobs)), begun)
    except BrokenProcessPool:
        return ENDED
    return reason
