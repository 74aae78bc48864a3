"""One measurement, in this process: `python -m benchmarks.measure NAME FOLDER` prints a line of JSON."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.job import load_job
from benchmarks.plan import find_measurement
from scenebook.core.errors import ScenebookError


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, and prints the numbers by their names; whatever else is said goes to the error stream."""
    name, folder = sys.argv[1:] if argv is None else argv
    measurement = find_measurement(name)
    if measurement.one_core and hasattr(os, "sched_setaffinity"):
        # Before anything starts threads: they keep to the core of who started them.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    job = load_job(Path(folder))
    module, function = measurement.function.split(":")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            numbers = getattr(importlib.import_module(f"benchmarks.{module}"), function)(job)
    except ScenebookError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
