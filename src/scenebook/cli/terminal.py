"""What a terminal shows while notebooks run, and while images are classified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from scenebook.core.progress import CountProgress
from scenebook.pipeline.manifest import StageOutcome, StageStatus
from scenebook.pipeline.planning import FIRST


class TerminalListener:
    """Shows stages and their progress: a line with a running clock on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._title = ""

    def __enter__(self) -> TerminalListener:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def stage_started(self, stage: str, number: int, total: int, reason: str) -> None:
        self._title = f"[{number}/{total}] {stage}"
        if reason != FIRST:
            self._console.print(Text(f"{self._title} is run: {reason}"))
        if self._console.is_interactive:
            last = TextColumn("{task.fields[last]}", markup=False, table_column=Column(no_wrap=True, ratio=1))
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(), last)
            self._progress = Progress(*columns, console=self._console, transient=True, expand=True)
            self._progress.add_task(self._title, total=None, last="")
            self._progress.start()
        elif reason == FIRST:
            self._console.print(Text(self._title))

    def stage_skipped(self, stage: str, number: int, total: int) -> None:
        self._console.print(Text(f"[{number}/{total}] {stage}: unchanged"))

    def progress(self, stage: str, text: str) -> None:
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], last=text)
        if (text.startswith("epoch") and "step" not in text) or self._progress is None:
            self._console.print(Text(f"      {text}"))

    def stage_ended(self, outcome: StageOutcome) -> None:
        self._stop()
        memory = f", {outcome.memory_mb:,.0f} MB" if outcome.memory_mb else ""
        mark = outcome.status if outcome.status == StageStatus.DONE else outcome.status.upper()
        self._console.print(Text(f"{self._title}: {mark} in {outcome.seconds:.1f} s{memory}"))

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


@contextmanager
def count_on(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields `report(done, total)`, which shows how many are done: a bar on a terminal, elsewhere a line now and then.

    Args:
        console: Where it is shown.
        what: What is counted, in the plural.
    """
    if not console.is_interactive:
        yield CountProgress(what, report=lambda line: console.print(Text(f"      {line}")))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("loading the network", total=None)
        yield lambda done, total: progress.update(task, description=what, completed=done, total=total)
