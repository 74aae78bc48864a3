"""Taking time, and the memory peak."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def take_seconds(run: Callable[[], object]) -> float:
    """Returns how long a call takes, in seconds."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure_rate(run: Callable[[], object], count: int, *, seconds: float) -> float:
    """Returns how many images a second go through, over as many whole calls as it takes to fill a time.

    Args:
        run: Takes `count` images through once. It has been called before, so that nothing is done for the first time.
        count: Images a call.
        seconds: The least time.
    """
    calls, passed = 0, 0.0
    while passed < seconds or not calls:
        passed += take_seconds(run)
        calls += 1
    return calls * count / passed


def read_memory_peak() -> float:
    """Returns the most memory that this process has held at once since it began, in 10^9 bytes: resident pages."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells on Linux begins with the peak of the process that started this one.
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    windows = getattr(psutil.Process().memory_info(), "peak_wset", None)
    if windows is not None:
        return float(windows) / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9  # macOS: bytes
