"""Runs measurements in processes of their own, all of them once, then all of them again.

Such a process is `python -m benchmarks.running NAME FOLDER`, which prints a line of JSON.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.job import Job, load_job
from benchmarks.plan import UNITS, Measurement, find_measurement
from scenebook.core.environment import build_environment
from scenebook.core.errors import ScenebookError
from scenebook.core.project import project_root


@dataclass
class Outcome:
    """What the repeats of a measurement yielded.

    Attributes:
        numbers: For each repeat the numbers by their names; `None` where there are none.
        error: Why it failed; empty otherwise.
        left_out: Why it was not tried; empty otherwise.
    """

    numbers: list[dict[str, float] | None] = field(default_factory=list)
    error: str = ""
    left_out: str = ""


Outcomes = dict[str, Outcome]
"""By the measurements' names."""


class MeasurementError(Exception):
    """A measurement's process failed; the text is the last that it said."""


def run_measurements(
    measurements: Sequence[Measurement],
    job: Job,
    *,
    repeats: int,
    report: Callable[[str], None],
    keep: Callable[[Outcomes], None] = lambda outcomes: None,
) -> Outcomes:
    """Measures everything, in as many interleaved repeats: what changes meanwhile, changes for all.

    Args:
        measurements: In their order.
        job: What they measure with.
        repeats: How often each is repeated, but for those that go before others.
        report: Gets a line after each.
        keep: Gets what there is after each repeat of all.
    """
    outcomes = {measurement.name: Outcome() for measurement in measurements}
    planned = [(repeat, one) for repeat in range(repeats) for one in measurements if not (one.once and repeat)]
    for number, (repeat, measurement) in enumerate(planned, start=1):
        outcome = outcomes[measurement.name]
        outcome.left_out = _find_obstacle(measurement, outcomes)
        if outcome.left_out:
            outcome.numbers.append(None)
        else:
            _run(measurement, job, outcome)
        numbers = outcome.numbers[-1]
        said = outcome.left_out or outcome.error
        if numbers is not None:
            said = ", ".join(f"{value:#.3g} {UNITS[name]}" for name, value in numbers.items())
        report(f"[{number}/{len(planned)}] repeat {repeat + 1}, {measurement.name}: {said}")
        if measurement is measurements[-1]:
            keep(outcomes)
    return outcomes


def _find_obstacle(measurement: Measurement, outcomes: Outcomes) -> str:
    if measurement.package and importlib.util.find_spec(measurement.package) is None:
        return f"{measurement.package} is not installed"
    if measurement.needs and not any(outcomes[measurement.needs].numbers):
        return f"{measurement.needs} failed"
    if measurement.after and not outcomes[measurement.after].numbers[-1]:
        return f"{measurement.after} failed"
    return ""


def _run(measurement: Measurement, job: Job, outcome: Outcome) -> None:
    # Whoever uses the feature cache finds it where it was filled; all others find an empty cache.
    shared = measurement.needs or measurement.once
    cache = job.folder / ("feature_cache" if shared else "cache")
    try:
        numbers = _call(measurement, job.folder, cache)
        outcome.numbers.append({name: numbers[name] for name in measurement.quantities})
    except MeasurementError as error:
        outcome.numbers.append(None)
        outcome.error = str(error)
    if not shared:
        shutil.rmtree(cache, ignore_errors=True)


def _call(measurement: Measurement, folder: Path, cache: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.running", measurement.name, str(folder)]
    environment = (build_environment() if measurement.ours else dict(os.environ)) | {"SCENEBOOK_CACHE": str(cache)}
    with (folder / "log.txt").open("w+b") as log:
        done = subprocess.run(
            command, cwd=project_root(), env=environment, stdout=subprocess.PIPE, stderr=log, check=False
        )
        lines = done.stdout.decode().splitlines()
        if done.returncode == 0 and lines:
            return dict(json.loads(lines[-1]))
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()
    raise MeasurementError(said[-1] if said and done.returncode > 0 else f"it ended with code {done.returncode}")


def _measure(name: str, folder: str) -> int:
    """Measures in this process, and prints the numbers by their names; all else that is said is on the error stream."""
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
    sys.exit(_measure(*sys.argv[1:]))
