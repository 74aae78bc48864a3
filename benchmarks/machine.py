"""What a benchmark was run on, in words that name no host, user or path."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
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
