"""Processes that compute the batches to come, and the shared memory through which they hand them over.

Workers are started afresh, never forked from a process that runs TensorFlow, and import only what the
sampler needs. A batch goes into a file in shared memory that both sides have mapped, so nothing is copied;
the file is used again when the last array that looks into it is gone.
"""
from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker

from mstl.errors import TrainingError

ALIGNMENT = 64  # bytes; TensorFlow takes over arrays that start so without a copy
SMALL = 1 << 20  # bytes; below, a pipe is as fast
SHARED_MEMORY = "/dev/shm"
KEPT = 24 << 20  # bytes; else a worker asks the system for the memory of every slice, a third of its time
FILES_PER_WORKER = 8  # batches that are held beyond these travel through the pipe


class Sampler(Protocol):
    """What a pool and a sequence need: batches as a pure function of (epoch, index), and picklable."""

    steps: int
    batch_size: int
    samples: int  # of one epoch: as many as fill its batches, the last one maybe not wholly
    batch_bytes: int

    def batch(self, epoch: int, index: int, *, rows: slice, empty: Callable[..., np.ndarray]) -> tuple[np.ndarray, ...]:
        """The arrays of one batch, or of `rows` of it, made by `empty(shape, dtype)` in their order."""

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        """Names of the cases in a batch."""


class BatchPool:
    """Batches of a sampler, those that follow computed ahead by `workers` processes.

    After an epoch comes the next, without `advance` the same again.
    Equal to `sampler.batch` for any number of workers and any order of requests; fastest in rising order.
    """

    def __init__(self, sampler: Sampler, *, workers: int, advance: bool = True) -> None:
        self.sampler = sampler
        self.ahead = 2 * workers
        self.advance = advance
        self._futures: dict[tuple[int, int], Future] = {}
        self._lock = threading.Lock()
        self._files = _SharedFiles(sampler.batch_bytes, limit=FILES_PER_WORKER * workers)
        self._executor = ProcessPoolExecutor(workers, initializer=_start, initargs=(sampler,))

    def batch(self, epoch: int, index: int) -> tuple[np.ndarray, ...]:
        """Batch `index` of `epoch`; raises `TrainingError` where a worker was killed."""
        try:
            with self._lock:
                future = self._futures.pop((epoch, index), None)
                if future is None:
                    self._forget(epoch)
                    future = self._submit(epoch, index)
                self._look_ahead(epoch, index)
            arrays, file = future.result()
        except BrokenProcessPool as error:
            raise TrainingError(
                f"A process that prepares batches was ended from outside ({error}), most often for want of "
                "memory. Use fewer workers, or smaller batches."
            ) from error
        return arrays if file is None else self._files.arrays(file, arrays)

    def close(self) -> None:
        """End the processes and give the shared memory back; arrays already handed out stay valid."""
        with self._lock:
            for future in self._futures.values():
                future.cancel()
            self._futures.clear()
        self._executor.shutdown(wait=True)
        self._files.close()

    def _look_ahead(self, epoch: int, index: int) -> None:
        key = (epoch, index)
        for _ in range(self.ahead):
            if len(self._futures) >= self.ahead:
                return
            last = key[1] + 1 == self.sampler.steps
            key = (key[0] + self.advance, 0) if last else (key[0], key[1] + 1)
            if key not in self._futures:
                self._futures[key] = self._submit(*key)

    def _forget(self, epoch: int) -> None:
        for key in [key for key in self._futures if key[0] != epoch]:
            future = self._futures.pop(key)
            if not future.cancel():
                future.add_done_callback(self._release)

    def _release(self, future: Future) -> None:
        if future.exception() is None:
            self._files.give_back(future.result()[1])

    def _submit(self, epoch: int, index: int) -> Future:
        file = self._files.take()
        future = self._executor.submit(_produce, epoch, index, file)
        future.add_done_callback(lambda done: self._files.give_back(file) if done.cancelled() else None)
        return future


class _SharedFiles:
    """Mapped files of equal size: taken for a batch, given back when its arrays are gone."""

    def __init__(self, size: int, *, limit: int) -> None:
        self.size = size + 4 * ALIGNMENT
        self.limit = limit if size > SMALL else 0
        self._free: list[str] = []
        self._maps: dict[str, mmap.mmap] = {}
        self.folder: str | None = None
        self._remove: Callable | None = None

    def take(self) -> str | None:
        """A file that nobody uses, None where there may be no more of them."""
        if self._free:
            return self._free.pop()
        if len(self._maps) >= self.limit:
            return None
        for parent in (SHARED_MEMORY, None):
            try:
                return self._make(parent)
            except OSError:
                continue
        return None

    def _make(self, parent: str | None) -> str:
        if self.folder is None:
            self.folder = tempfile.mkdtemp(prefix="mstl-", dir=parent)
            resource_tracker.register(self.folder, "folder")  # removes it if this process is killed
            self._remove = weakref.finalize(self, _remove, self.folder)
        path = str(Path(self.folder) / str(len(self._maps)))
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, self.size)  # a full disk is an error now, not a crash later
            os.truncate(descriptor, self.size)
            self._maps[path] = mmap.mmap(descriptor, self.size)
        finally:
            os.close(descriptor)
        return path

    def arrays(self, path: str, layout: list[tuple[int, tuple, str]]) -> tuple[np.ndarray, ...]:
        """The arrays that a worker has written; the file is free again when none of them lives."""
        whole = np.frombuffer(self._maps[path], np.uint8)  # all arrays that look into it keep this
        weakref.finalize(whole, self.give_back, path)
        sizes = [int(np.prod(shape)) * np.dtype(dtype).itemsize for _, shape, dtype in layout]
        return tuple(
            whole[offset : offset + size].view(dtype).reshape(shape)
            for size, (offset, shape, dtype) in zip(sizes, layout, strict=True)
        )

    def give_back(self, path: str | None) -> None:
        """Let the file be taken again."""
        if path is not None:
            self._free.append(path)

    def close(self) -> None:
        """Remove the files; maps that arrays still look into stay readable."""
        self.limit = 0
        self._free.clear()
        if self._remove is not None:
            self._remove()


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    resource_tracker.unregister(folder, "folder")


_sampler: Sampler | None = None
_mapped: dict[str, mmap.mmap] = {}


def _start(sampler: Sampler) -> None:
    """Begin a worker."""
    global _sampler
    _sampler = sampler
    np.empty(KEPT, np.uint8)  # freed at once: from now on glibc keeps what is freed, up to this size


def _produce(epoch: int, index: int, path: str | None) -> tuple[Any, str | None]:
    """In a worker: the batch itself, or where its arrays lie in the file `path`."""
    if path is None:
        return _sampler.batch(epoch, index, empty=np.empty), None
    if path not in _mapped:
        with open(path, "r+b") as stream:
            _mapped[path] = mmap.mmap(stream.fileno(), 0)
    place = _Placer(_mapped[path])
    _sampler.batch(epoch, index, empty=place)
    return place.layout, path


class _Placer:
    """Makes arrays one after another in a buffer and notes where: (offset, shape, dtype)."""

    def __init__(self, buffer: mmap.mmap) -> None:
        self.buffer = buffer
        self.layout: list[tuple[int, tuple, str]] = []
        self.end = 0

    def __call__(self, shape: tuple, dtype: Any) -> np.ndarray:
        start = -(-self.end // ALIGNMENT) * ALIGNMENT
        array = np.frombuffer(self.buffer, dtype, count=int(np.prod(shape)), offset=start).reshape(shape)
        self.layout.append((start, shape, array.dtype.str))
        self.end = start + array.nbytes
        return array
