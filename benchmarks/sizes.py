"""`python -m benchmarks.sizes`: what a report costs with more and more images, stage by stage."""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory, write_json
from scenebook.core.stages import STAGES
from scenebook.data.scenes.drawing import CLASS_NAMES
from scenebook.pipeline.manifest import load_manifest

_SIZES = (250, 500, 1000, 2000, 4000)
_LINEAR = 1.15
"""An exponent above this is named: twice the images take more than 2.2 times as long."""


def main(argv: Sequence[str] | None = None) -> int:
    """Makes a report at each size, and prints and writes what each stage took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES, metavar="N", help="training images")
    parser.add_argument("--profile", default="sample", metavar="NAME|FILE", help="default: sample")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting")
    parser.add_argument("--results", default=str(project_root() / "benchmarks" / "sizes.json"), metavar="FILE")
    arguments = parser.parse_args(argv)
    machine, console = describe_machine(), Console()
    rows: dict[int, dict[str, float]] = {}
    for size in sorted(arguments.sizes):
        rows[size] = _report(size, arguments.profile, arguments.set)
        console.print(f"{size:,} images: {sum(rows[size].values()):.0f} s in all stages")
    exponents = {stage: find_exponent({size: row[stage] for size, row in rows.items()}) for stage in STAGES}
    results = {"machine": machine, "profile": arguments.profile, "set": arguments.set}
    write_json(Path(arguments.results), results | {"seconds": rows, "exponents": exponents})
    _print(rows, exponents, console)
    return 0


def _report(size: int, profile: str, changes: Sequence[str]) -> dict[str, float]:
    per_class = math.ceil(size / len(CLASS_NAMES))
    with TemporaryDirectory(prefix="scenebook-sizes-") as folder:
        places = {f"SCENEBOOK_{name.upper()}": str(Path(folder, name)) for name in ("runs", "build", "cache")}
        command = [sys.executable, "-m", "scenebook", "run", "--run", "size", "--profile", profile]
        # As many to test as the sample has to so many to train.
        sizes = f"scenes_train_per_class={per_class} scenes_test_per_class={math.ceil(per_class * 5 / 7)}"
        command += [part for change in (sizes, *changes) for part in ("--set", change)]
        subprocess.run(command, cwd=project_root(), env={**os.environ, **places}, check=True, stderr=subprocess.DEVNULL)
        stages: Mapping[str, Any] = load_manifest(RunDirectory(Path(folder, "runs", "size")))["stages"]
        return {stage: float(stages[stage]["seconds"]) for stage in STAGES}


def find_exponent(seconds: Mapping[int, float]) -> float | None:
    """Returns `b` of the law `seconds = a + c * n**b` through the smallest, the middle and the largest size.

    What a stage costs with no images at all, `a`, drops out of the differences. `None` where they are too small to say:
    less than a second altogether.
    """
    sizes = sorted(seconds)
    small, middle, large = sizes[0], sizes[len(sizes) // 2], sizes[-1]
    first, second = seconds[middle] - seconds[small], seconds[large] - seconds[middle]
    if first <= 0 or second <= 0 or first + second < 1:
        return None
    low, high = 0.05, 4.0
    for _ in range(60):
        between = (low + high) / 2
        grows = (large**between - middle**between) / (middle**between - small**between)
        low, high = (between, high) if grows < second / first else (low, between)
    return round((low + high) / 2, 2)


def _print(rows: Mapping[int, Mapping[str, float]], exponents: Mapping[str, float | None], console: Console) -> None:
    table = Table("seconds", *(f"{size:,}" for size in rows), "exponent", "", box=None, pad_edge=False)
    for stage in STAGES:
        exponent = exponents[stage]
        told = "–" if exponent is None else f"{exponent:.2f}"
        note = "grows faster than the images" if exponent is not None and exponent > _LINEAR else ""
        table.add_row(stage, *(f"{row[stage]:.1f}" for row in rows.values()), told, note)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
