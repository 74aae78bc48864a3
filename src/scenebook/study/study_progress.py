"""What of many tasks is done, running and left, and how long the rest takes, as lines for people."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scenebook.core.progress import describe_seconds
from scenebook.core.wording import count_noun
from scenebook.study.cluster import Cluster
from scenebook.study.fan_out import TaskResult

_NAMED = 4


class SweepProgress:
    """Tells of tasks that several workers run: a line with every change, and another when it has been quiet.

    The rest of the time is estimated by handing out the tasks that are left in their order, each to the worker that is
    free first. A task takes as long as was estimated before, times what those that are done have taken more or less.

    Args:
        names: A name a task, in the order in which they are begun.
        seconds: The estimated seconds of each task.
        workers: How many tasks run at once. The attribute may be changed.
        report: Gets each line.
        title: What the lines begin with.
        noun: What a task is called.
        done: How many others are done already; they are counted as well.
        silence: The longest time between two lines while tasks run, in seconds; `tick` has to be called for it.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self,
        names: Sequence[str],
        seconds: Sequence[float],
        workers: int,
        report: Callable[[str], None],
        *,
        title: str = "ablations",
        noun: str = "row",
        done: int = 0,
        silence: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = workers
        self._names, self._seconds = list(names), list(seconds)
        self._report, self._title, self._noun = report, title, noun
        self._silence, self._clock = silence, clock
        self._begun = self._told = clock()
        self._running: dict[int, float] = {}
        self._done: set[int] = set()
        self._before = done
        self._failed = 0
        self._estimated = self._taken = 0.0

    def follow(
        self,
        run: Callable[..., Iterator[TaskResult]],
        cluster: Cluster,
        function: Callable[[Any], Any],
        tasks: Sequence[Any],
    ) -> Iterator[TaskResult]:
        """Yields what `run_tasks` yields, and tells of it.

        Args:
            run: `fan_out.run_tasks`.
            cluster: Its first argument.
            function: Its second one.
            tasks: Its third one: those that the first names are of. Further names are of what is run later.
        """
        names = self._names[: len(tasks)]
        for outcome in run(cluster, function, tasks, names=names, on_started=self.started, on_waiting=self.tick):
            self.ended(outcome.position, failed=bool(outcome.error))
            yield outcome

    def started(self, position: int) -> None:
        """Notes that a task runs, from now on; also when it has to be run again."""
        self._running[position] = self._clock()
        self._tell()

    def ended(self, position: int, *, failed: bool = False) -> None:
        """Notes that a task has ended. After the last one this is told in sum."""
        started = self._running.pop(position, None)
        self._done.add(position)
        self._failed += failed
        # What failed says nothing of how long the others take: mostly it ends early.
        if started is not None and not failed:
            self._estimated += self._seconds[position]
            self._taken += self._clock() - started
        self._tell()

    def tick(self, workers: int | None = None) -> None:
        """Tells again when it has been quiet for too long.

        Args:
            workers: How many workers there are now.
        """
        self.workers = self.workers if workers is None else workers
        if self._clock() - self._told >= self._silence:
            self._tell()

    def estimate_seconds(self) -> float:
        """Returns the estimated seconds until all tasks have ended."""
        now, factor = self._clock(), self._measure_factor()
        running = [
            max(0.0, self._seconds[position] * factor - (now - started)) for position, started in self._running.items()
        ]
        free = running + [0.0] * (max(1, self.workers) - len(running))
        heapq.heapify(free)
        for position, seconds in enumerate(self._seconds):
            if position not in self._done and position not in self._running:
                heapq.heapreplace(free, free[0] + seconds * factor)
        return max(free)

    def _measure_factor(self) -> float:
        """Returns how many times longer than estimated tasks take."""
        now, estimated, taken = self._clock(), self._estimated, self._taken
        for position, started in self._running.items():
            # One that should have ended by now is known to take at least this long.
            if now - started > self._seconds[position]:
                estimated += self._seconds[position]
                taken += now - started
        return taken / estimated if estimated > 0 else 1.0

    def _tell(self) -> None:
        self._told = self._clock()
        done, total = len(self._done) + self._before, len(self._names) + self._before
        failed = f" ({self._failed} failed)" if self._failed else ""
        line = f"{self._title}: {done:,} of {count_noun(total, self._noun)} done{failed}"
        if done == total:
            self._report(f"{line} in {describe_seconds(self._told - self._begun)}")
            return
        running, left = len(self._running), total - done - len(self._running)
        names = [self._names[position] for position in sorted(self._running)[:_NAMED]]
        more = [f"{running - _NAMED} more"] if running > _NAMED else []
        told = f"{running} running" + (f" ({'; '.join(names + more)})" if running else "")
        without = "" if self.workers else "; waiting for a worker"
        self._report(f"{line}, {told}, {left} left, about {describe_seconds(self.estimate_seconds())}{without}")
