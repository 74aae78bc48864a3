"""What a terminal shows while the notebooks run."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from scenebook.pipeline.manifest import StageOutcome
from scenebook.pipeline.planning import FIRST


class TerminalListener:
    """Shows stages and their progress: a line with a running clock on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._title = ""
        self._last = ""
        self._started = 0.0

    def __enter__(self) -> TerminalListener:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def stage_started(self, stage: str, number: int, total: int, reason: str) -> None:
        self._title, self._last, self._started = f"[{number}/{total}] {stage}", "", time.monotonic()
        if reason != FIRST:
            self._console.print(Text(f"[{number}/{total}] {stage} is run: {reason}"))
        if self._console.is_terminal:
            self._status = self._console.status(_Clock(self))
            self._status.start()
        elif reason == FIRST:
            self._console.print(Text(self._title))

    def stage_skipped(self, stage: str, number: int, total: int) -> None:
        self._console.print(Text(f"[{number}/{total}] {stage}: unchanged"))

    def progress(self, stage: str, text: str) -> None:
        self._last = text
        if (text.startswith("epoch") and "step" not in text) or not self._console.is_terminal:
            self._console.print(Text(f"      {text}"))

    def stage_ended(self, outcome: StageOutcome) -> None:
        self._stop()
        memory = f", {outcome.memory_mb:,.0f} MB" if outcome.memory_mb else ""
        mark = "done" if outcome.status == "done" else outcome.status.upper()
        self._console.print(Text(f"{self._title}: {mark} in {outcome.seconds:.1f} s{memory}"))

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def line(self) -> Text:
        """Returns what the running line says now."""
        seconds = time.monotonic() - self._started
        return Text(f"{self._title}  {seconds:.0f} s  {self._last}")


class CountLine:
    """Shows how many of many are done, how fast, and for how long still. Call it as `report(done, total)`.

    On a terminal it is one running line, elsewhere a line every few seconds.

    Args:
        console: Where it is shown.
        what: What is counted, in the plural.
        seconds: The time between two lines where there is no terminal.
    """

    def __init__(self, console: Console, what: str, seconds: float = 5.0) -> None:
        self._console = console
        self._what = what
        self._seconds = seconds
        self._status: Status | None = None
        self._first: tuple[float, int] | None = None
        self._last = 0.0

    def __enter__(self) -> CountLine:
        if self._console.is_terminal:
            self._status = self._console.status(Text("loading the network"))
            self._status.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            # The first batch pays for what is built once, so the rate is counted from its end.
            self._first, self._last = (now, done), now
        text = self._describe(done, total, now)
        if self._status is not None:
            self._status.update(Text(text))
        elif now - self._last >= self._seconds:
            self._last = now
            self._console.print(Text(f"      {text}"))

    def _describe(self, done: int, total: int, now: float) -> str:
        then, before = self._first or (now, done)
        text = f"{done:,} of {total:,} {self._what}"
        if done > before and now > then:
            rate = (done - before) / (now - then)
            minutes, seconds = divmod(round((total - done) / rate), 60)
            text += f", {rate:.1f} a second, {f'{minutes} min ' if minutes else ''}{seconds} s left"
        return text


class _Clock:
    """A line that is read anew each time the terminal is refreshed."""

    def __init__(self, listener: TerminalListener) -> None:
        self._listener = listener

    def __rich_console__(self, console: Console, options: Any) -> Any:
        yield self._listener.line()
