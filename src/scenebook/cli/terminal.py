"""What a terminal shows while notebooks run, and while images are classified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from scenebook.core.progress import CountProgress, describe_seconds
from scenebook.core.stages import STAGES
from scenebook.pipeline.manifest import StageOutcome, StageStatus
from scenebook.pipeline.planning import FIRST

_ALL = "all stages"


class TerminalListener:
    """Shows stages and their progress: a line with a running clock for each on a terminal, plain lines elsewhere.

    Where it is known how long all of them took the last time, a line more says how long the rest may take.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._titles: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress | None = None

    def __enter__(self) -> TerminalListener:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def stage_started(self, stage: str, reason: str) -> None:
        title = self._titles[stage] = _name(stage)
        if reason != FIRST:
            self._console.print(Text(f"{title} runs: {reason}"))
        if self._console.is_interactive:
            if self._progress is None:
                last = _LastColumn(table_column=Column(no_wrap=True, ratio=1))
                columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(), last)
                self._progress = Progress(*columns, console=self._console, transient=True, expand=True)
                self._progress.start()
            self._tasks[stage] = self._progress.add_task(title, total=None, last="")
        elif reason == FIRST:
            self._console.print(Text(title))

    def stage_skipped(self, stage: str) -> None:
        self._console.print(Text(f"{_name(stage)}: unchanged"))

    def progress(self, stage: str, text: str) -> None:
        progress = self._progress
        if progress is not None and stage in self._tasks:
            progress.update(self._tasks[stage], last=text)
        if (text.startswith("epoch") and "step" not in text) or progress is None:
            whose = f"{stage}: " if len(self._titles) > 1 else ""
            self._console.print(Text(f"      {whose}{text}"))

    def stage_ended(self, outcome: StageOutcome) -> None:
        title = self._titles.pop(outcome.name)
        if self._progress is not None:
            self._progress.remove_task(self._tasks.pop(outcome.name))
            if not {*self._tasks} - {_ALL}:
                self._stop()
        memory = f", {outcome.memory_mb:,.0f} MB" if outcome.memory_mb else ""
        if outcome.status == StageStatus.NOT_RUN:
            self._console.print(Text(f"{title} {outcome.reason}: it runs again"))
            return
        mark = outcome.status if outcome.status == StageStatus.DONE else outcome.status.upper()
        self._console.print(Text(f"{title}: {mark} in {outcome.seconds:.1f} s{memory}"))

    def time_left(self, seconds: float | None) -> None:
        progress = self._progress
        if progress is None or seconds is None:
            return
        if _ALL not in self._tasks:
            self._tasks[_ALL] = progress.add_task(_ALL, total=None, last="")
        progress.update(self._tasks[_ALL], ends=time.monotonic() + seconds)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()


def _name(stage: str) -> str:
    return f"[{list(STAGES).index(stage) + 1}/{len(STAGES)}] {stage}"


class _LastColumn(ProgressColumn):
    """What a stage has said last; of all stages together, how much time is left."""

    def render(self, task: Task) -> Text:
        if "ends" not in task.fields:
            return Text(task.fields["last"])
        left = max(0.0, task.fields["ends"] - time.monotonic())
        return Text(f"about {describe_seconds(left)} left, if it takes as long as the last time")


@contextmanager
def count_on(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields `report(done, total)`, which shows how many of what, in the plural, are done.

    On a terminal it is a bar, elsewhere a line now and then.
    """
    if not console.is_interactive:
        yield CountProgress(what, report=lambda line: console.print(Text(f"      {line}")))
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    # Shards come one by one from a cluster's workers, minutes apart.
    with Progress(*columns, console=console, transient=True, speed_estimate_period=300) as progress:
        task = progress.add_task("loading the network", total=None, rate="")

        def report(done: int, total: int) -> None:
            shown = progress.tasks[0]
            if shown.total is None:  # what is done by now was done before
                progress.reset(task, description=what, completed=done, total=total)
            progress.update(task, completed=done, rate=f"{shown.speed:,.0f} a second" if shown.speed else "")

        yield report
