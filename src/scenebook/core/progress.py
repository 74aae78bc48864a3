"""One line of progress, from inside a notebook's kernel to the terminal of whoever started it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

MARK = "» "
"""Lines of the error stream that begin so are progress; the rest is the stage's log."""


def print_progress(text: str, *, end: str = "\n") -> None:
    """Prints a line of progress to the error stream: Jupyter shows it, a report never does."""
    global _shown
    line = f"{MARK}{text}"
    # The line takes the place of one that is longer and would look out behind it.
    print(line.ljust(_shown), end=end, file=sys.stderr, flush=True)
    _shown = len(line) if end == "\r" else 0


_shown = 0
"""How many characters of a line are shown that the next one takes the place of."""


def update_progress(text: str) -> None:
    """Prints a line of progress that the next one takes the place of: in Jupyter it is one line; a log keeps all."""
    print_progress(text, end="\r")


class CountProgress:
    """Prints how many of many are done, how fast, and how long the rest takes. Call it as `report(done, total)`.

    What the first call says is done was done before. `seconds` are between two lines, each of which `report` gets.
    """

    def __init__(self, what: str, seconds: float = 5.0, report: Callable[[str], None] = update_progress) -> None:
        self._what, self._seconds, self._report = what, seconds, report
        self._last = time.monotonic()
        self._first: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        started, before = self._first = self._first or (now, done)
        if now - self._last >= self._seconds or done == total:
            self._last = now
            rate = (done - before) / max(now - started, 1e-6)
            # The first few say little: starting what counts takes its time as well.
            told = before < done < total and done - before >= (total - before) / 100
            rest = f", {rate:,.0f} a second, {describe_seconds((total - done) / rate)} left" if told else ""
            self._report(f"{self._what}: {done:,} of {total:,}{rest}")


def describe_seconds(seconds: float) -> str:
    """Returns a time as people say it: `40 s`, `3 min`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class BytesProgress:
    """Prints how much of a download has come, and how fast, now and then. Call it as `report(done)`.

    `start` bytes were there before.
    """

    def __init__(self, what: str, start: int) -> None:
        self._what = what
        self._last = (time.monotonic(), start)

    def __call__(self, done: int) -> None:
        now, (then, before) = time.monotonic(), self._last
        if now - then >= 2:  # seconds
            self._last = (now, done)
            rate = (done - before) / 1e6 / max(now - then, 1e-3)
            update_progress(f"{self._what}: {done / 1e6:,.1f} MB, {rate:,.1f} MB/s")
