"""Tasks handed out to a cluster's workers, one each at a time, until all have ended one way or the other."""

from __future__ import annotations

import queue
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Future, KilledWorker, get_worker

from scenebook.core.errors import ScenebookError
from scenebook.core.progress import describe_seconds
from scenebook.study.cluster import Cluster

_SILENCE = 60.0
"""After so many seconds without an answer a scheduler counts as lost."""

_PATIENCE = 10.0
"""A result that takes longer to come was lost together with its worker, in seconds."""

_TRACEBACK_LINES = 20


@dataclass(frozen=True)
class TaskResult:
    """How the task at a position ended: with a result, or with an error in one line and the end of its traceback."""

    position: int
    result: Any = None
    error: str = ""
    details: str = ""


def run_tasks(
    cluster: Cluster,
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    names: Sequence[str],
    on_started: Callable[[int], object] = int,
    on_waiting: Callable[[int], object] = int,
) -> Iterator[TaskResult]:
    """Calls a function with each task, on the workers of a cluster, and yields each outcome as soon as it is there.

    An error in a task is its outcome; the others go on. A task whose worker dies is run again, and given up with an
    error when it happens too often: as often as `cluster.TRIES`, or as a scheduler's `allowed-failures` says.

    Args:
        function: Called with a task in a worker process; both are pickled.
        tasks: In the order in which they are begun.
        names: A name a task, for the dashboard.
        on_started: Called with a task's index when a worker has begun it; again when it is run again.
        on_waiting: Called with the number of workers once a second or more often.

    Raises:
        ScenebookError: The scheduler is gone, or there has been no worker for longer than the cluster's patience.
    """
    client, topic = cluster.client, uuid.uuid4().hex
    news: queue.SimpleQueue[int | Future] = queue.SimpleQueue()
    watch = _Watch(cluster)
    waiting = deque(range(len(tasks)))
    running: dict[Future, int] = {}
    client.subscribe_topic(topic, lambda event: news.put(event[1]))
    try:
        while waiting or running:
            workers = watch.count_workers()
            # When a worker dies, dask holds that against all tasks that wait at it: so there is one a worker.
            while waiting and len(running) < workers:
                position = waiting.popleft()
                key = f"{names[position]}-{uuid.uuid4().hex}"
                future = client.submit(_call, function, tasks[position], position, topic, key=key, pure=False)
                future.add_done_callback(news.put)
                running[future] = position
            on_waiting(workers)
            with suppress(queue.Empty):
                heard = news.get(timeout=1)
                if not isinstance(heard, Future):
                    if heard in running.values():
                        on_started(heard)
                elif heard in running:
                    try:
                        outcome = _fetch(heard, running[heard], watch)
                    except TimeoutError:
                        heard.add_done_callback(news.put)
                    else:
                        del running[heard]
                        # A result that somebody still wants is computed again when its worker dies.
                        heard.cancel()
                        yield outcome
    finally:
        if client.status == "running":
            for future in running:
                future.cancel()
            client.unsubscribe_topic(topic)


def _call(function: Callable[[Any], Any], task: Any, position: int, topic: str) -> TaskResult:
    """Runs on a worker. Errors travel as text: not every error can be pickled, and of some only the half comes back."""
    get_worker().log_event(topic, position)
    try:
        return TaskResult(position, function(task))
    except BaseException as error:
        return _describe(error, position)


def _describe(error: BaseException, position: int) -> TaskResult:
    kind = type(error).__name__
    text = " ".join(str(error).split())
    lines = "".join(traceback.format_exception(error)).splitlines()[-_TRACEBACK_LINES:]
    return TaskResult(position, None, f"{kind}: {text}" if text else kind, "\n".join(lines))


def _fetch(future: Future, position: int, watch: _Watch) -> TaskResult:
    """Returns the outcome of a future; `TimeoutError`: it was lost with its worker, and the task is run again."""
    if future.cancelled():
        raise watch.lost()
    try:
        outcome: TaskResult = future.result(timeout=_PATIENCE)
    except TimeoutError:
        raise
    except KilledWorker as error:
        text = (
            f"{KilledWorker.__name__}: the worker process ended without a word, {error.allowed_failures + 1} times. "
            "Mostly it is the system that ends it, because it takes more memory than there is: let a task take less, "
            "or close other programs."
        )
        return TaskResult(position, None, text, str(error))
    except Exception as error:  # the function or its result could not be pickled, or not be loaded on the other side
        return _describe(error, position)
    return outcome


class _Watch:
    """Asks for the workers, and raises when there is no more hope of any."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._address = cluster, cluster.client.scheduler.address
        self._workers = 0
        self._answered = self._seen = time.monotonic()

    def count_workers(self) -> int:
        if self._cluster.client.status != "running":
            raise self.lost()
        try:
            self._workers = self._cluster.count_workers(timeout=10)
        except OSError as error:
            # An answer that is late is no loss yet: a machine or a network may have much to do.
            if time.monotonic() - self._answered > _SILENCE:
                raise self.lost() from error
            return self._workers
        self._answered = now = time.monotonic()
        if self._workers:
            self._seen = now
        elif now - self._seen > self._cluster.patience:
            raise ScenebookError(
                f"Expected a worker at the dask scheduler {self._address}; there has been none for "
                f"{describe_seconds(now - self._seen)}. Start workers, and then the command again."
            )
        return self._workers

    def lost(self) -> ScenebookError:
        return ScenebookError(
            f"The connection to the dask scheduler {self._address} was lost: it has ended, or the network "
            "between. Start it, and then the command again."
        )
