"""Where tasks run: worker processes of this machine that end with the command, or a dask cluster that is there."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import psutil
from dask.system import cpu_count
from distributed import Client, LocalCluster, WorkerPlugin
from distributed.system import memory_limit

from scenebook.core.environment import build_environment
from scenebook.core.progress import print_progress
from scenebook.core.provenance import VISIBLE, find_graphics_cards
from scenebook.study.connection import closing_quietly, connect

TRIES = 3
"""A task that no worker of this machine has survived so many times is given up."""

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Cluster:
    """Workers that take one task each at a time.

    Attributes:
        dashboard: The address of dask's dashboard on this machine, where there is one.
        patience: How long tasks may wait for a worker while there is none, in seconds.
    """

    client: Client
    dashboard: str | None
    patience: float

    def count_workers(self, *, timeout: float = 60.0) -> int:
        """Returns how many workers of one thread there are now; `OSError` without an answer within `timeout` s."""
        return list(self.client.nthreads(callback_timeout=timeout).values()).count(1)


@contextmanager
def open_cluster(
    scheduler: str | None, *, tasks: int, task_gb: float, must_see: Sequence[Path] = (), timeout: float = 10.0
) -> Iterator[Cluster]:
    """Opens a cluster: workers of its own on this machine, or a scheduler's.

    Workers of its own end with this process, whichever way it ends; cores and memory are shared out to them, or, where
    there are graphics cards, one card to each. The connection to a scheduler uses the TLS files that dask's own
    configuration names; at its end the scheduler and its workers stay, and one in the middle of a task then ends it.

    Args:
        scheduler: `tcp://host:port` or `tls://host:port` of a dask scheduler; `None`: workers of its own.
        tasks: No more workers than that are started.
        task_gb: Memory that a task takes, in GB.
        must_see: Absolute paths that must exist on the machines of all workers of a scheduler.
        timeout: How long an answer of the scheduler, and then a first worker, is waited for, in seconds.

    Raises:
        InputError: The scheduler's address is none, nothing answers there, there is no worker, or a worker
            has more than one thread, other versions, or does not see a path.
    """
    if scheduler is None:
        with _open_local(tasks, task_gb) as cluster:
            yield cluster
    else:
        with connect(scheduler, must_see, timeout) as client:
            yield Cluster(client, None, patience=600)


def count_local_workers(tasks: int, *, cores: int, free_gb: float, task_gb: float) -> int:
    """Returns how many workers this machine is good for: as many as it has tasks, cores and memory for, at least 1."""
    return max(1, min(tasks, cores, int(free_gb / task_gb)))


@contextmanager
def _open_local(tasks: int, task_gb: float) -> Iterator[Cluster]:
    cards = list(find_graphics_cards())
    cores = len(cards) or cpu_count()
    free_gb = min(psutil.virtual_memory().available, memory_limit()) / 1e9
    workers = count_local_workers(tasks, cores=cores, free_gb=free_gb, task_gb=task_gb)
    if free_gb < task_gb:
        print_progress(f"memory is scarce: {free_gb:.1f} GB are free, and a task takes about {task_gb:.1f} GB")
    environment = build_environment(threads=max(1, cpu_count() // workers))
    shows = importlib.util.find_spec("bokeh") is not None
    with (
        TemporaryDirectory(prefix="scenebook-sweep-", ignore_cleanup_errors=True) as folder,
        _environment_of(environment),
        _configured(folder, environment),
        closing_quietly(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=_LOOPBACK,
                # Without an address of its own, dask's HTTP server takes a fixed port, dashboard or not.
                dashboard_address=f"{_LOOPBACK}:0",
                scheduler_kwargs={"dashboard": shows},
                local_directory=folder,
                # dask's limit goes by resident memory, in which mapped files count that the system can drop at any time
                # (a feature cache), and pauses a worker at it, for ever where a single task is too large.
                memory_limit=0,
            )
        ) as cluster,
        closing_quietly(Client(cluster, set_as_default=False)) as client,
    ):
        client.register_plugin(_OutputIsLog())
        if cards:
            client.register_plugin(_CardOfItsOwn(cards))
        yield Cluster(client, cluster.dashboard_link if shows else None, patience=180)


@contextmanager
def _configured(folder: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Sets dask up for workers of this machine, whatever files and variables say of other clusters (TLS, say)."""
    before = deepcopy(dask.config.config)
    dask.config.refresh(paths=[], env={})
    own = {
        "temporary-directory": folder,
        # A forked worker would have read its environment before it was set.
        "distributed.worker.multiprocessing-method": "spawn",
        # Instead of dask's defaults: one thread, and a MALLOC_TRIM_THRESHOLD_ with which large arrays are given back
        # to the system, and asked of it again, at every step.
        "distributed.nanny.pre-spawn-environ": dict(environment),
        # Or a worker is given up that has died and, on a machine with much to do, takes 15 s to start again.
        "distributed.deploy.lost-worker-timeout": "1 day",
        "distributed.scheduler.allowed-failures": TRIES - 1,
        # Or a task that waits at a worker is given up together with the one that kills it.
        "distributed.scheduler.worker-saturation": 1.0,
        # Nannies see when a worker dies; a computer that has been asleep has lost none.
        "distributed.scheduler.worker-ttl": None,
        # Asks a hundred times a second what a worker is doing.
        "distributed.worker.profile.enabled": False,
    }
    try:
        with dask.config.set(own):
            yield
    finally:
        dask.config.config.clear()
        dask.config.update(dask.config.config, before)


@contextmanager
def _environment_of(values: Mapping[str, str]) -> Iterator[None]:
    """Gives this process the variables that its workers start with, and no others, for as long as it is open."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _OutputIsLog(WorkerPlugin):
    """What a task prints goes to the error stream: the output stream of a notebook's kernel is the report."""

    name = "scenebook-output-is-log"

    def setup(self, worker: Any) -> None:
        with suppress(OSError):
            os.dup2(2, 1)


class _CardOfItsOwn(WorkerPlugin):
    """Each worker sees one graphics card: it is set up before a task imports TensorFlow."""

    name = "scenebook-card-of-its-own"

    def __init__(self, cards: Sequence[str]) -> None:
        self._cards = cards

    def setup(self, worker: Any) -> None:
        os.environ[VISIBLE] = self._cards[int(worker.name) % len(self._cards)]
