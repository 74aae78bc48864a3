"""Stages that run at the same time, on real kernels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import nbformat
import psutil
import pytest

from scenebook.core.errors import StageError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import make_settings
from scenebook.core.stages import STAGES
from scenebook.pipeline.manifest import Manifest, StageOutcome, load_manifest
from scenebook.pipeline.planning import stored_outcomes
from scenebook.pipeline.running import run_pipeline
from scenebook.pipeline.scheduling import PeakMemory, Schedule

START = """
import time
from scenebook.core.run_directory import open_run

run_dir = open_run(run)

def meet(mine, other):
    place = run_dir.root.parent
    (place / mine).touch()
    for _ in range(600):
        if (place / other).exists():
            return
        time.sleep(0.1)
    raise TimeoutError(f"{other} did not run beside {mine}")
"""

Make = Callable[..., Path]


@dataclass
class Heard:
    lines: list[str] = field(default_factory=list)
    interrupt_when: int = 99
    running: int = 0
    kernels: list[psutil.Process] = field(default_factory=list)

    def stage_started(self, stage: str, reason: str) -> None:
        self.running += 1
        self.lines.append(f"start {stage}")

    def stage_skipped(self, stage: str) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None:
        self.running -= 1
        self.lines.append(f"{outcome.status} {outcome.name}")

    def time_left(self, seconds: float | None) -> None:
        if self.running < self.interrupt_when:
            return
        for _ in range(300):  # until both kernels have started what they wait for
            self.kernels = psutil.Process().children(recursive=True)
            with suppress(psutil.Error):  # of an earlier stage, one has just ended
                if sum("time.sleep(60)" in " ".join(kernel.cmdline()) for kernel in self.kernels) == 2:
                    raise KeyboardInterrupt
            time.sleep(0.1)


@pytest.fixture
def make_notebooks(tmp_path: Path) -> Make:
    """Makes notebooks that write `<stage>/value.json`; before that, each runs the code that is given for it."""

    def make(**code: str) -> Path:
        folder = tmp_path / "notebooks"
        folder.mkdir(exist_ok=True)
        for stage, row in STAGES.items():
            cells = [
                nbformat.v4.new_code_cell('run = "by-hand"', metadata={"tags": ["parameters"]}),
                nbformat.v4.new_code_cell(START),
                nbformat.v4.new_code_cell(code.get(stage) or "pass"),
                nbformat.v4.new_code_cell(f"run_dir.write_json('{stage}/value.json', 1)"),
            ]
            kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
            notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
            nbformat.write(notebook, folder / f"{row.notebook}.ipynb")
        return folder

    return make


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def run(run_dir: RunDirectory, notebooks: Path, heard: Heard | None = None, **options: object) -> Heard:
    heard = heard or Heard()
    run_pipeline(
        make_settings({}), run_dir, profile="sample", listener=heard, notebooks_dir=notebooks, **options  # type: ignore[arg-type]
    )  # fmt: skip
    return heard


@pytest.mark.usefixtures("two_cores")
def test_what_two_wrote_at_the_same_time_is_each_ones_own(run_dir: RunDirectory, make_notebooks: Make) -> None:
    folder = make_notebooks(
        evaluation="meet('e', 's'); run_dir.write_json('figures/e.json', 1); meet('e2', 's2')",
        samples="meet('s', 'e'); run_dir.write_json('figures/s.json', 1); meet('s2', 'e2')",
        ablations="meet('a', 't'); meet('a2', 't2')",
        trust="meet('t', 'a'); run_dir.write_json('evaluation/calibration.json', 1); meet('t2', 'a2')",
    )
    run(run_dir, folder)
    manifest = load_manifest(run_dir)
    producers = {name: entry["stage"] for name, entry in manifest["files"].items()}
    expected = {
        "figures/e.json": "evaluation", "figures/s.json": "samples", "samples/value.json": "samples",
        "evaluation/calibration.json": "trust", "log/samples.txt": "samples", "ablations/value.json": "ablations",
        "notebooks/03-evaluation.ipynb": "evaluation",
    }  # fmt: skip
    assert {name: producers.get(name) for name in expected} == expected
    assert list(manifest["stages"]) == list(STAGES)
    assert all(entry["memory_mb"] > 0 for entry in manifest["stages"].values() if entry["seconds"] > 2)
    assert run(run_dir, folder).lines == []


@pytest.mark.usefixtures("two_cores")
def test_when_one_fails_the_one_beside_it_ends_and_no_other_starts(run_dir: RunDirectory, make_notebooks: Make) -> None:
    slow = "meet('s', 'e')\ntime.sleep(2)"
    folder = make_notebooks(evaluation="meet('e', 's')\nraise ValueError('no')", samples=slow)
    with pytest.raises(StageError, match=r"'evaluation' failed.*ValueError: no"):
        run(run_dir, folder)
    statuses = {outcome.name: outcome.status for outcome in stored_outcomes(run_dir)}
    assert statuses == {
        "data": "done", "training": "done", "evaluation": "failed", "samples": "done", "trust": "not run",
        "ablations": "not run", "conclusion": "not run",
    }  # fmt: skip
    assert run(run_dir, make_notebooks(samples=slow)).lines[0] == "start evaluation"


@pytest.mark.usefixtures("two_cores")
def test_a_notebook_that_reads_more_than_the_table_says_runs_again_and_waits_the_next_time(
    run_dir: RunDirectory, make_notebooks: Make
) -> None:
    folder = make_notebooks(
        evaluation="meet('e', 's')\ntime.sleep(1)",
        samples="meet('s', 'e')\nseen = run_dir.path('evaluation/value.json').is_file()\nassert seen",
    )
    lines = run(run_dir, folder).lines
    assert lines.count("start samples") == 2
    assert lines.index("done evaluation") < lines.index("done samples")
    inputs = load_manifest(run_dir)["stages"]["samples"]["key"]["inputs"]
    assert set(inputs) == {"evaluation/value.json"}
    lines = run(run_dir, folder, force=["evaluation", "samples"]).lines
    assert lines.index("done evaluation") < lines.index("start samples")


@pytest.mark.usefixtures("two_cores")
def test_an_interrupt_ends_all_that_run(run_dir: RunDirectory, make_notebooks: Make) -> None:
    wait = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    folder = make_notebooks(evaluation=wait, samples=wait)
    started, heard = time.monotonic(), Heard(interrupt_when=2)
    before = psutil.Process().children(recursive=True)
    with pytest.raises(KeyboardInterrupt):
        run(run_dir, folder, heard)
    kernels = [process for process in heard.kernels if process not in before]
    assert len(kernels) >= 4
    assert time.monotonic() - started < 50
    statuses = {outcome.name: outcome.status for outcome in stored_outcomes(run_dir)}
    assert statuses["evaluation"] == statuses["samples"] == "interrupted"
    assert statuses["training"] == "done"
    assert psutil.wait_procs(kernels, timeout=10)[1] == []
    assert run(run_dir, make_notebooks()).lines[0] == "start evaluation"


def make_schedule(run_dir: RunDirectory, *, memory: float, ablations: str = "none") -> Schedule:
    manifest = Manifest(run_dir, "sample")
    for stage in STAGES:
        manifest.content["stages"][stage] = {"seconds": 10.0, "memory_mb": memory}
    schedule = Schedule(make_settings({"ablations": ablations}), manifest, [*STAGES])
    for stage in ("data", "training"):
        assert schedule.has_room(stage)
        schedule.start(stage)
        schedule.end(stage)
    return schedule


@pytest.mark.usefixtures("two_cores")
def test_no_more_run_at_once_than_memory_and_cores_allow(run_dir: RunDirectory) -> None:
    for memory, expected in ((1.0, ["evaluation", "samples"]), (1e9, ["evaluation"])):
        schedule = make_schedule(run_dir, memory=memory)
        assert schedule.list_next() == ["evaluation", "samples", "ablations"]
        started = []
        for stage in schedule.list_ready():
            if schedule.has_room(stage):
                schedule.start(stage)
                started.append(stage)
        assert started == expected
        # The conclusion comes after these.
        assert schedule.list_next() == [*({"samples"} - {*started}), "trust", "ablations"]


@pytest.mark.usefixtures("two_cores")
def test_variants_are_trained_with_nothing_beside_them(run_dir: RunDirectory) -> None:
    for ablations, beside in (("none", True), ("claims", False)):
        schedule = make_schedule(run_dir, memory=1.0, ablations=ablations)
        schedule.start("samples")
        assert schedule.has_room("ablations") == beside


@pytest.mark.usefixtures("two_cores")
def test_the_time_left_is_the_longest_way_through_what_waits(run_dir: RunDirectory) -> None:
    schedule = make_schedule(run_dir, memory=1.0)
    # Trust waits for evaluation, and the conclusion for all; the others run beside them.
    assert schedule.estimate_seconds() == pytest.approx(30)
    content = Manifest(run_dir, "sample")
    assert Schedule(make_settings({}), content, [*STAGES]).estimate_seconds() is None


def test_a_stage_needs_only_earlier_ones() -> None:
    names = list(STAGES)
    for stage, row in STAGES.items():
        assert {*(row.needs or ())} <= {*names[: names.index(stage)]}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, what processes share counts for each of them")
def test_memory_that_processes_share_counts_once() -> None:
    code = "import os, time; held = bytearray(b'x') * 200_000_000; os.fork(); time.sleep(1.5)"
    with Popen([sys.executable, "-c", code]) as process, PeakMemory([process]) as memory:
        process.wait()
    assert 190 < memory.peak_mb < 300
