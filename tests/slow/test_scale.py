"""A hundred thousand images: what a whole report costs, stage by stage. `make scale` runs it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenebook.core.run_directory import RunDirectory
from scenebook.core.stages import STAGES
from scenebook.data.scenes.drawing import CLASS_NAMES, draw_scene
from scenebook.pipeline.manifest import load_manifest
from scenebook.pipeline.scheduling import PeakMemory

COUNT = int(os.environ.get("SCENEBOOK_SCALE_COUNT") or 100_000)
FOLDER = os.environ.get("SCENEBOOK_SCALE_FOLDER")
"""Where the images lie, or are to be written and kept."""
SIDE = 180
MOST_SECONDS = 900
"""For 100,000 images; a minute of it is what no number of images explains."""
MOST_MEGABYTES = 3000
"""Of all processes together."""

pytestmark = pytest.mark.slow


def write_many(folder: Path, count: int) -> None:
    """Writes small JPEG files of many sizes: blends of drawn scenes, cut out, coloured and with noise.

    The folder gets its name when it is whole.
    """
    whole, folder = folder, folder.with_name(f"{folder.name}-unfinished")
    scenes = [draw_scene(name, seed=1, index=index, size=SIDE) for name in CLASS_NAMES for index in range(100)]
    bases = np.asarray(scenes, dtype=np.float32)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (400, 400, 3)).astype(np.float32)
    for name in CLASS_NAMES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        first, second = rng.integers(len(bases), size=2)
        height, width = rng.integers(64, 151, size=2)
        (top, left), (down, right) = rng.integers(0, SIDE - 150, size=(2, 2))
        share = rng.uniform(0.3, 0.7)
        image = share * bases[first, top : top + height, left : left + width]
        image += (1 - share) * bases[second, down : down + height, right : right + width]
        y, x = rng.integers(0, 400 - 150, size=2)
        image = image * rng.uniform(0.6, 1.3, 3) + rng.uniform(-30, 30)
        image += rng.uniform(2, 12) * noise[y : y + height, x : x + width]
        target = folder / CLASS_NAMES[first // 100] / f"{number:06d}.jpg"
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(target, quality=int(rng.integers(75, 95)))
    folder.rename(whole)


def make_report(folder: Path, images: Path) -> dict[str, Any]:
    """Makes the quick report as the command does; returns what it took, with all that it started."""
    places = {f"SCENEBOOK_{name.upper()}": str(folder / name) for name in ("runs", "build", "cache")}
    command = [sys.executable, "-m", "scenebook", "report", "--profile", "quick", "--dataset", str(images)]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with PeakMemory() as memory:
        subprocess.run([*command, "--run", "scale"], env={**os.environ, **places}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.monotonic() - started, "cpu_seconds": cpu_seconds, "memory_mb": memory.peak_mb}


def print_table(rows: Mapping[str, Mapping[str, Any]], count: int) -> None:
    print(f"\n{count:,} images{'seconds':>15}{'CPU seconds':>14}{'CPU ms an image':>18}{'peak MB':>10}")
    for name, row in rows.items():
        seconds, cpu_seconds, megabytes = (float(row[key] or 0) for key in ("seconds", "cpu_seconds", "memory_mb"))
        print(f"{name:<20}{seconds:>9.1f}{cpu_seconds:>14.1f}{1000 * cpu_seconds / count:>18.2f}{megabytes:>10,.0f}")


def test_the_quick_report_takes_15_minutes_and_3_gigabytes_at_most(tmp_path: Path) -> None:
    images = Path(FOLDER).absolute() if FOLDER else tmp_path / "images"
    if not images.exists():
        write_many(images, COUNT)
    count = sum(1 for _ in images.glob("*/*.jpg"))
    first, second = (make_report(tmp_path, images) for _ in range(2))
    run_dir = RunDirectory(tmp_path / "runs" / "scale")
    stages = load_manifest(run_dir)["stages"]
    print_table({**{name: stages[name] for name in STAGES}, "all, and rendering": first, "once more": second}, count)
    size = sum(path.stat().st_size for path in (tmp_path / "build" / "scale").glob("report.*")) / 1e6
    print(f"report.html and report.pdf: {size:.1f} MB")
    assert len(run_dir.read_csv("data/splits.csv")) == count
    assert first["seconds"] < (MOST_SECONDS - 60) * count / 100_000 + 60
    assert first["memory_mb"] < MOST_MEGABYTES
    assert second["seconds"] < max(60, first["seconds"] / 10)
    assert size < 20
