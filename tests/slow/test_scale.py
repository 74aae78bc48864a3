"""A hundred thousand images: how long the data notebook takes, and how much memory. `make scale` runs it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.data.scenes.drawing import CLASS_NAMES, draw_scene
from scenebook.pipeline.execution import execute_notebook
from scenebook.pipeline.scheduling import PeakMemory

COUNT = int(os.environ.get("SCENEBOOK_SCALE_COUNT") or 100_000)
SIDE = 180
MOST_SECONDS = 600 * COUNT / 100_000 + 60
MOST_MEGABYTES = 2000

pytestmark = pytest.mark.slow


def write_many(folder: Path, count: int) -> None:
    """Writes small JPEG files of many sizes: blends of drawn scenes, cut out, coloured and with noise."""
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("scale")
    write_many(folder / "images", COUNT)
    yield folder
    shutil.rmtree(folder)


def run_data_notebook(folder: Path) -> dict[str, float]:
    """Runs notebook 01 as the pipeline does; returns what it took, with its kernel and all processes below."""
    run_dir = RunDirectory(folder / "runs" / "scale")
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with PeakMemory() as memory:
        execute_notebook(
            "data",
            project_root() / "notebooks" / "01-data.ipynb",
            run_dir.path("notebooks/01-data.ipynb"),
            {"run": "scale", "dataset": str(folder / "images")},
            run_dir.path("log/data.txt"),
            lambda text: print(f"{time.monotonic() - started:6.0f} s  {memory.peak_mb:5.0f} MB  {text}", flush=True),
            runs_dir=folder / "runs",
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(time.monotonic() - started, 1),
        "seconds of processors": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "megabytes": memory.peak_mb,
    }


def test_the_data_notebook_takes_ten_minutes_and_two_gigabytes_at_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENEBOOK_CACHE", str(folder / "cache"))
    figures = {}
    for turn in ("first", "second"):
        figures[turn] = run_data_notebook(folder)
        print(json.dumps({"images": COUNT, turn: figures[turn]}), flush=True)
    splits = RunDirectory(folder / "runs" / "scale").read_csv("data/splits.csv")
    assert len(splits) == COUNT
    assert figures["first"]["seconds"] < MOST_SECONDS
    assert max(turn["megabytes"] for turn in figures.values()) < MOST_MEGABYTES
    assert figures["second"]["seconds"] < figures["first"]["seconds"] / 2
