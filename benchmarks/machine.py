"""What a benchmark is run on, in words that name no host, user or path; time and memory that it takes there."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from scenebook.core import provenance


def describe_machine(seconds: float = 1.0) -> dict[str, Any]:
    """Returns system, processor, cores that this process may use, memory in GB, and how busy the machine is.

    Args:
        seconds: How long to watch, with nothing of ours running.

    Returns:
        `busy_before`: the share of the processors' time that other programs took, in `[0, 1]`.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "system": provenance.machine()["system"],
        "processor": _name_processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "busy_before": round(psutil.cpu_percent(seconds) / 100, 3),
    }


def _name_processor() -> str:
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return provenance.machine().get("processor", platform.machine())


def list_versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries, OpenVINO's too where it is installed."""
    versions = provenance.library_versions()
    try:
        versions["openvino"] = metadata.version("openvino")
    except metadata.PackageNotFoundError:
        versions["openvino"] = "not installed"
    return versions


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
