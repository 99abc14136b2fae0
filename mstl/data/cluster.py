"""Many cases at a time on a Dask cluster, whose scheduler says who does what and tries again where a worker dies.

joblib's own Dask backend waits for ever for a task whose worker was killed, so tasks go to Dask directly.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mstl.data.attempt import Attempts, Item, attempt
from mstl.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

ENDED = "Each worker that began it was ended from outside, most often for want of memory. Start larger workers."
INSTALL = "pip install 'dask[distributed]'"
PATIENCE = 5  # seconds until a scheduler that does not answer counts as absent
WORKERS_PATIENCE = 10  # seconds until a cluster without workers counts as having none
THREADS = 1  # of ITK: a Dask worker has as many threads as it may use cores, and each has its own item


@contextmanager
def open_client(scheduler: str | None) -> Iterator[Client]:
    """Yield a client of the cluster at `scheduler`, None for the client that this process has opened.

    Raises `InputError` within seconds where Dask is not installed, no scheduler answers, or it has no worker.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(f"Backend 'dask' needs Dask, which is not installed. Run: {INSTALL}") from None
    if scheduler is None:
        client = _opened()
        _check_workers(client)
        yield client
        return
    _check_answers(scheduler)
    quiet = distributed.utils.silence_logging_cmgr("critical")  # what matters is raised
    with quiet, distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False) as client:
        _check_workers(client)
        yield client


def attempts_on_cluster(client: Client, work: Callable[[Item], object], items: Sequence[Item]) -> Attempts:
    """Yield each item with the reason of its failure or None, as they are done; see `jobs.attempts`.

    An item whose worker dies goes to another one, until Dask holds it to be the cause: then it is tried once more
    when the others are done. Raises `InputError` where the scheduler is lost.
    """
    ended = []
    for item, reason in _results(client, work, items):
        if reason == ENDED:
            ended.append(item)
        else:
            yield item, reason
    for item in ended:
        yield from _results(client, work, [item])


def _results(client: Client, work: Callable[[Item], object], items: Sequence[Item]) -> Attempts:
    from distributed import CancelledError, KilledWorker, as_completed

    waiting = {client.submit(attempt, work, item, THREADS, pure=False): item for item in items}
    for future in as_completed(list(waiting), loop=client.loop):
        try:
            reason = future.result()
        except KilledWorker:
            reason = ENDED
        except CancelledError:
            raise InputError(
                "The connection to the Dask scheduler was lost. What is done stays: start the scheduler, and run the "
                "command again."
            ) from None
        except Exception as error:  # such as mstl that a worker cannot import
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        yield waiting.pop(future), reason


def _opened() -> Client:
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        raise InputError(
            "Backend 'dask' needs the address of a scheduler. Give it, as in --scheduler tcp://HOST:8786, or open a "
            "dask.distributed.Client first."
        ) from None


def _check_answers(scheduler: str) -> None:
    """Ask the scheduler who it is: `distributed.Client` itself may wait for ever where something else listens."""
    from distributed import Security, rpc

    async def ask() -> None:
        async with rpc(scheduler, connection_args=Security().get_connection_args("client")) as asked:
            await asked.identity()

    async def ask_for_some_time() -> None:
        await asyncio.wait_for(ask(), PATIENCE)

    with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop in this one
        error = thread.submit(asyncio.run, ask_for_some_time()).exception()
    if error is not None:
        reason = " ".join(str(error).split()) or f"no answer within {PATIENCE} s"
        raise InputError(
            f"Scheduler {scheduler} cannot be reached ({reason}). Start it with 'dask scheduler', and give the "
            "address that it prints, such as tcp://HOST:8786."
        )


def _check_workers(client: Client) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_PATIENCE)
    except TimeoutError:
        raise InputError(
            f"The Dask scheduler at {client.scheduler.address} has no worker. Start one where the scans can be read: "
            f"dask worker {client.scheduler.address}"
        ) from None
