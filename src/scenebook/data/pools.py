"""Processes or threads for work on many images."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress


def count_cores() -> int:
    """Returns how many cores this process may use: `taskset` and schedulers of jobs leave it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_pool(count: int, *, worth_processes: int) -> Iterator[tuple[Executor, int]]:
    """Gives what work on so many images is submitted to, and how many pieces it does at a time.

    For fewer than `worth_processes`, starting processes takes longer than they save: then they are threads, which wait
    for one another wherever most of the time is spent in Python.
    """
    workers = min(8, count_cores())
    pool: Executor = ThreadPoolExecutor(workers)
    if count >= worth_processes and workers > 1:
        with suppress(OSError, ImportError):  # without shared memory, as in some containers, there are no processes
            # Not forked: the kernel of a notebook has threads, whose locks would be copied as they are.
            pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool, workers
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
