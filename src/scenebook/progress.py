"""One line of progress, from inside a notebook's kernel to the terminal of whoever started it."""

from __future__ import annotations

import sys
import time

MARK = "» "
"""Lines of the error stream that begin so are progress; the rest is the stage's log."""


def print_progress(text: str) -> None:
    """Prints a line of progress to the error stream: Jupyter shows it, a report never does."""
    print(f"{MARK}{text}", file=sys.stderr, flush=True)


class CountProgress:
    """Prints how many of many are done, now and then. Call it as `report(done, total)`.

    Args:
        what: What is counted.
        seconds: The time between two lines.
    """

    def __init__(self, what: str, seconds: float = 5.0) -> None:
        self._what = what
        self._seconds = seconds
        self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= self._seconds or done == total:
            self._last = now
            print_progress(f"{self._what}: {done:,} of {total:,}")
