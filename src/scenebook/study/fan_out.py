"""Tasks handed out to a cluster's workers, one each at a time, until all have ended one way or the other."""

from __future__ import annotations

import queue
import time
import traceback
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Future, KilledWorker, get_worker
from distributed.scheduler import NoValidWorkerError

from scenebook.core.errors import ScenebookError
from scenebook.core.progress import describe_seconds
from scenebook.study.cluster import Cluster

TRIES = 3
"""A task that no worker has survived so many times is given up."""

_SILENCE = 60.0
"""A scheduler that has not answered for so long is taken for lost, in seconds."""

_TRACEBACK_LINES = 20


@dataclass(frozen=True)
class TaskResult:
    """How a task ended.

    Attributes:
        position: The task's index.
        result: What the function returned; `None` after an error.
        error: Kind and text of the error, in one line; empty without one.
        details: The last lines of its traceback.
    """

    position: int
    result: Any = None
    error: str = ""
    details: str = ""


def _ignore(_: int) -> None:
    """Nobody wants to know."""


def run_tasks(
    cluster: Cluster,
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    *,
    names: Sequence[str],
    on_started: Callable[[int], None] = _ignore,
    on_waiting: Callable[[int], None] = _ignore,
) -> Iterator[TaskResult]:
    """Calls a function with each task, on the workers of a cluster, and yields each outcome as soon as it is there.

    An error in a task is its outcome; the others go on. A task whose worker dies is run again, on another one or on the
    same when it has been started again; after `TRIES` times it is given up, with an error.

    Which worker takes which task is decided here and not by dask, which would queue a task whose worker has died
    behind another one's: if its next worker died as well, both would be suspects.

    Args:
        cluster: From `open_cluster`.
        function: Called with a task in a worker process. Both are pickled.
        tasks: Arguments of the function, in the order in which they are begun.
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
    running: dict[Future, _Run] = {}
    died: dict[int, list[str]] = defaultdict(list)

    def end(future: Future, outcome: TaskResult | None) -> Iterator[TaskResult]:
        """Forgets a run. Without an outcome its worker has died."""
        run = running.pop(future)
        # A result that somebody still wants is computed again when its worker dies.
        future.cancel()
        if outcome is not None:
            yield outcome
            return
        died[run.position].append(run.worker)
        if len(died[run.position]) < TRIES:
            waiting.appendleft(run.position)
        else:
            yield _give_up(run.position, died[run.position])

    client.subscribe_topic(topic, lambda event: news.put(event[1]))
    try:
        while waiting or running:
            workers = watch.list_workers()
            for future in [future for future, run in running.items() if run.worker not in workers]:
                yield from end(future, None)
            busy = {run.worker for run in running.values()}
            for worker in [worker for worker in workers if worker not in busy][: len(waiting)]:
                position = waiting.popleft()
                future = client.submit(
                    *(_call, function, tasks[position], position, topic),
                    key=f"{names[position]}-{uuid.uuid4().hex}",
                    workers=[worker],
                    pure=False,
                )
                future.add_done_callback(news.put)
                running[future] = _Run(position, worker)
            on_waiting(len(workers))
            with suppress(queue.Empty):
                heard = news.get(timeout=1)
                if not isinstance(heard, Future):
                    if heard in {run.position for run in running.values()}:
                        on_started(heard)
                elif heard in running:
                    try:
                        outcome = _fetch(heard, running[heard], watch)
                    except TimeoutError:
                        heard.add_done_callback(news.put)
                    else:
                        yield from end(heard, outcome)
    finally:
        if client.status == "running":
            for future in running:
                future.cancel()
            client.unsubscribe_topic(topic)


@dataclass
class _Run:
    """A task that a worker has been given; `patience` is for its result, in seconds."""

    position: int
    worker: str
    patience: float = 1.0


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


def _give_up(position: int, workers: Sequence[str]) -> TaskResult:
    text = (
        f"{KilledWorker.__name__}: the worker process ended without a word, {len(workers)} times in {len(workers)}. "
        "Mostly it is the system that ends it, because it takes more memory than there is: let a task take less, or "
        "close other programs."
    )
    return TaskResult(position, None, text, f"Workers: {', '.join(workers)}")


def _fetch(future: Future, run: _Run, watch: _Watch) -> TaskResult | None:
    """Returns the outcome of a future that has ended; `None` when its worker has died.

    Raises:
        TimeoutError: The result takes its time, or it was lost together with the worker, which will be missed then.
    """
    if future.cancelled():
        raise watch.lost()
    try:
        outcome: TaskResult = future.result(timeout=run.patience)
    except TimeoutError:
        run.patience *= 2
        raise
    except (KilledWorker, NoValidWorkerError):
        return None
    except Exception as error:  # the function or its result could not be pickled, or not be loaded on the other side
        return _describe(error, run.position)
    return outcome


class _Watch:
    """Asks for the workers, and raises when there is no more hope of any."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._workers: list[str] = []
        self._answered = self._seen = time.monotonic()

    def list_workers(self) -> list[str]:
        if self._cluster.client.status != "running":
            raise self.lost()
        try:
            self._workers = self._cluster.list_workers(timeout=10)
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
                f"Expected a worker at the dask scheduler {self._cluster.address}; there has been none for "
                f"{describe_seconds(now - self._seen)}. Start workers, and then the command again."
            )
        return self._workers

    def lost(self) -> ScenebookError:
        return ScenebookError(
            f"The connection to the dask scheduler {self._cluster.address} was lost: it has ended, or the network "
            "between. Start it, and then the command again."
        )
