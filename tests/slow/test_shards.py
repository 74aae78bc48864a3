"""Predictions that are broken off, shared out, or of a million images. `make scale`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.inference.listing import SHARD
from scenebook.pipeline.scheduling import PeakMemory
from tests.slow.test_cluster import kill, start_scheduler, start_worker
from tests.unit.inference.small_run import make_run, write_many

COUNT = int(os.environ.get("SCENEBOOK_SCALE_COUNT") or 1_000_000)
MOST_MEGABYTES = 2000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Photos, and a run `whole` that has predicted them without a break."""
    folder = tmp_path_factory.mktemp("shards")
    make_run(folder / "runs" / "whole")
    write_many(folder / "photos", 12 * SHARD + 1)
    os.truncate(folder / "photos" / "0000003.png", 60)  # with all its links
    finish(start(folder, "whole", folder / "photos"))
    yield folder
    shutil.rmtree(folder)


def start(folder: Path, run: str, images: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SCENEBOOK_RUNS": str(folder / "runs")}
    command = [sys.executable, "-m", "scenebook", "predict", "--run", run, "--images", str(images), *options]
    return subprocess.Popen(command, env=environment)


def finish(process: subprocess.Popen[bytes]) -> str:
    """Waits for the command to end well, without taking more memory than it may; returns what it took."""
    began = time.monotonic()
    with PeakMemory([process]) as memory:
        assert process.wait() == 0
    assert memory.peak_mb < MOST_MEGABYTES
    return f"{time.monotonic() - began:.0f} s, {memory.peak_mb:.0f} MB"


def copy_run(folder: Path, name: str) -> Path:
    """Returns the folder of predictions of a run that has not made any."""
    for part in ("training", "data"):
        shutil.copytree(folder / "runs" / "whole" / part, folder / "runs" / name / part)
    return folder / "runs" / name / "predictions" / "photos"


def await_shards(target: Path, count: int) -> None:
    while len(list(target.glob("shards/*.parquet"))) < count:
        time.sleep(0.01)


def read_all(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def test_a_killed_command_goes_on_and_the_result_is_the_same_byte_for_byte(folder: Path) -> None:
    target = copy_run(folder, "killed")
    stamps: dict[Path, int] = {}
    for count in (2, 5):
        process = start(folder, "killed", folder / "photos")
        await_shards(target, count)
        process.kill()
        process.wait()
        kept = {path: path.stat().st_mtime_ns for path in target.glob("shards/*.parquet")}
        assert stamps.items() <= kept.items()
        stamps = kept
    finish(start(folder, "killed", folder / "photos"))
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert read_all(target) == read_all(folder / "runs" / "whole" / "predictions" / "photos")


def test_workers_of_a_cluster_give_the_same_although_one_is_lost(folder: Path, tmp_path: Path) -> None:
    target = copy_run(folder, "shared")
    with ExitStack() as stack:
        _, address = stack.enter_context(start_scheduler(tmp_path))
        workers = [stack.enter_context(start_worker(address, tmp_path)) for _ in range(2)]
        process = start(folder, "shared", folder / "photos", "--scheduler", address)
        await_shards(target, 3)
        kill(workers[0])
        finish(process)
    assert read_all(target) == read_all(folder / "runs" / "whole" / "predictions" / "photos")


def test_a_million_paths_are_planned_classified_and_reported_in_two_gigabytes(folder: Path) -> None:
    copy_run(folder, "many")
    different = max(20, COUNT // 1000)  # file systems allow some ten thousand links to a file
    originals = write_many(folder / "originals", different, different)
    for number in range(COUNT):
        path = folder / "many" / f"{number // 1000:05d}" / f"{number % 1000:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(originals / f"{number % different:07d}.png", path)
    paths = (f"{number // 1000:05d}/{number % 1000:03d}.png\n" for number in range(COUNT))
    (folder / "many" / "list.csv").write_text("path\n" + "".join(paths))
    for turn in ("first", "again"):
        print(f"{turn}: {COUNT:,} images, {finish(start(folder, 'many', folder / 'many' / 'list.csv'))}")
    table = RunDirectory(folder / "runs" / "many").path("predictions/list/predictions.csv")
    with table.open("rb") as file:
        assert sum(1 for _ in file) == COUNT + 1
