"""OpenCV's threads, of which the data pipeline wants one: other processes and the training take the other cores."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread: on a slice two are no faster, and wait for each other where cores are busy."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
