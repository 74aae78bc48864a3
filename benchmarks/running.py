"""Runs measurements in processes of their own, all of them once, then all of them again."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.job import Job
from benchmarks.plan import Measurement
from benchmarks.wording import format_number
from scenebook.core.environment import compute_environment
from scenebook.core.progress import describe_seconds
from scenebook.core.run_directory import project_root


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
    progress = _Progress(measurements, repeats)
    for repeat in range(repeats):
        for measurement in measurements:
            outcome = outcomes[measurement.name]
            if measurement.once and repeat:
                continue
            started = time.monotonic()
            outcome.left_out = _find_obstacle(measurement, outcomes)
            if outcome.left_out:
                outcome.numbers.append(None)
            else:
                _run(measurement, job, outcome)
            progress.add(measurement, time.monotonic() - started)
            report(progress.describe(measurement, repeat, outcome))
        keep(outcomes)
    return outcomes


def _find_obstacle(measurement: Measurement, outcomes: Outcomes) -> str:
    if measurement.package and importlib.util.find_spec(measurement.package) is None:
        return f"{measurement.package} is not installed"
    if measurement.needs and not any(outcomes[measurement.needs].numbers):
        return f"{measurement.needs} failed"
    return ""


def _run(measurement: Measurement, job: Job, outcome: Outcome) -> None:
    # Whoever uses the feature cache finds it where it was filled; all others find an empty cache.
    shared = measurement.needs or measurement.once
    cache = job.folder / ("feature_cache" if shared else "cache")
    try:
        numbers = _call(measurement, job.folder, cache)
        outcome.numbers.append({quantity.name: numbers[quantity.name] for quantity in measurement.quantities})
    except MeasurementError as error:
        outcome.numbers.append(None)
        outcome.error = str(error)
    if not shared:
        shutil.rmtree(cache, ignore_errors=True)


def _call(measurement: Measurement, folder: Path, cache: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.measure", measurement.name, str(folder)]
    environment = {**os.environ, **(compute_environment() if measurement.ours else {}), "SCENEBOOK_CACHE": str(cache)}
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


class _Progress:
    """Tells how much is done, and about how long the rest takes."""

    def __init__(self, measurements: Sequence[Measurement], repeats: int) -> None:
        self._measurements = measurements
        self._repeats = repeats
        self._seconds: dict[str, list[float]] = {}

    def add(self, measurement: Measurement, seconds: float) -> None:
        self._seconds.setdefault(measurement.name, []).append(seconds)

    def describe(self, measurement: Measurement, repeat: int, outcome: Outcome) -> str:
        done = sum(map(len, self._seconds.values()))
        total = sum(map(self._count, self._measurements))
        numbers = outcome.numbers[-1]
        said = outcome.left_out or outcome.error
        if numbers is not None:
            said = ", ".join(
                f"{each.title} {format_number(numbers[each.name])} {each.unit}".strip()
                for each in measurement.quantities
            )
        left = f"; about {describe_seconds(self._estimate())} left" if done < total else ""
        return f"[{done}/{total}] repeat {repeat + 1}, {measurement.name}: {said}{left}"

    def _estimate(self) -> float:
        """What was seen takes as long as it did; what was not, as long as what was seen does on average."""
        means = {name: sum(seconds) / len(seconds) for name, seconds in self._seconds.items()}
        unknown = sum(means.values()) / len(means)
        return sum(
            means.get(each.name, unknown) * (self._count(each) - len(self._seconds.get(each.name, [])))
            for each in self._measurements
        )

    def _count(self, measurement: Measurement) -> int:
        return 1 if measurement.once else self._repeats
