"""What happens to a run, done to it for real: `make faults` runs these and prints a table of what the user saw."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest

from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import FINISHED_FIT
from scenebook.core.stages import STAGES
from scenebook.pipeline.planning import stored_outcomes

from .project import TINY, Done, Project, end, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished tiny run."""
    project = Project(tmp_path_factory.mktemp("faults") / "whole")
    done = project.report()
    assert done.code == 0, done.output
    return project


@pytest.fixture
def project(whole: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of it that a test may harm; no kernel outlives the test."""
    copy = whole.copy(tmp_path / "project")
    yield copy
    assert copy.wait_for_end(), "a kernel was left behind"


def read_banner(project: Project) -> str:
    found = re.findall(r"This report is incomplete:.*?</", project.page(), re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", " ".join(found)).split())


def list_metrics(run_dir: RunDirectory) -> dict[str, object]:
    history = pd.read_csv(run_dir.path("training/history.csv")).drop(columns="seconds")
    return {
        "metrics": json.loads(run_dir.path("evaluation/metrics.json").read_text(encoding="utf-8")),
        "history": history.to_dict("list"),
    }


def check_whole_again(project: Project, whole: Project) -> None:
    """The same command makes the same report: nothing was lost."""
    done = project.report()
    assert done.code == 0, done.output
    assert list_metrics(project.run_dir()) == list_metrics(whole.run_dir())
    assert project.list_leftovers() == []
    assert "This report is incomplete" not in project.page()
    for name in ("training/model.keras", "evaluation/metrics.json"):
        assert project.run_dir().path(name).read_bytes() == whole.run_dir().path(name).read_bytes()


def note(fault: str, injected: str, done: Done, lost: str = "nothing") -> None:
    lines = [
        line.strip() for line in done.output.splitlines() if re.search(r"failed|error|Expected|nterrupted|ermin", line)
    ]
    print(f"| {fault} | {injected} | {done.code} | {' / '.join(lines)[:300]} | {lost} |")


IN_A_CELL = {
    "exception in a cell": ("raise ValueError('no such thing')", (), "ValueError: no such thing"),
    "kernel killed": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        (),
        "its kernel was killed, as a system",
    ),
    "sys.exit(0) in a cell": ("import sys\nsys.exit(0)", (), "the notebook ended before this cell was run"),
    "a cell that never ends": (
        "import time\nwhile True:\n    time.sleep(0.1)",
        ("--time-limit", "4"),
        "the cell took longer than the time limit of 4 s",
    ),
    "memory refused": (
        "import resource, numpy\nresource.setrlimit(resource.RLIMIT_AS, (4 << 30, -1))\nnumpy.ones(1 << 33)",
        (),
        "Lower image_size or the number of images, or close other programs.",
    ),
}


@pytest.mark.parametrize("fault", IN_A_CELL)
def test_a_fault_in_a_cell(fault: str, project: Project, whole: Project) -> None:
    code, arguments, expected = IN_A_CELL[fault]
    mend = project.insert("evaluation", code)
    done = project.report(*arguments)
    note(fault, code.splitlines()[-1], done)
    assert done.code == 1
    assert re.search(rf"Stage 'evaluation' failed in cell \d+: .*{re.escape(expected)}", done.output)
    assert "notebook so far" in done.output
    assert "log/evaluation.txt" in done.output
    assert "your changes:" in done.output
    assert "Traceback" not in done.output
    statuses = {outcome.name: outcome.status for outcome in stored_outcomes(project.run_dir())}
    assert statuses == {
        "data": "done", "training": "done", "evaluation": "failed",
        "samples": "done", "trust": "stale", "ablations": "done", "conclusion": "stale",
    }  # fmt: skip
    banner = read_banner(project)
    assert "stage evaluation failed" in banner
    assert "earlier run" in project.page()
    mend()
    check_whole_again(project, whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for two runs."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is refused here; the limit on a file's size is tried by the next test")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path, whole: Project) -> None:
    project = Project(tmp_path / "project", runs=small_disk / "runs")
    project.runs.mkdir()
    filler = small_disk / "filler"
    filler.write_bytes(bytes(60 * 2**20))
    done = project.report()
    note("full disk", "tmpfs of 64 MB with 4 MB left", done)
    assert done.code == 1
    assert "No space left on device" in done.output
    assert "Traceback" not in done.output
    assert project.wait_for_end()
    filler.unlink()
    check_whole_again(project, whole)


def test_a_limit_on_the_size_of_files(project: Project, whole: Project) -> None:
    # The network is the largest file; all else fits.
    size = whole.run_dir().path("training/model.keras").stat().st_size
    done = project.report("--force", "training", before=("prlimit", f"--fsize={size - 1000}"))
    note("file too large", f"RLIMIT_FSIZE of {size - 1000} bytes", done)
    assert done.code == 1
    assert "File too large" in done.output
    assert "stage training failed" in read_banner(project)
    check_whole_again(project, whole)


def test_a_read_only_run_folder(project: Project, whole: Project) -> None:
    root = str(project.run_dir().root)
    bound = subprocess.run(["mount", "--bind", root, root], check=False, capture_output=True)
    if bound.returncode:
        pytest.skip("mounting is refused here, and the permissions of a folder do not bind whoever may mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
        before = project.run_dir().path("manifest.json").read_bytes()
        done = project.report("--force", "all")
        note("read-only run folder", "mounted read-only", done)
        assert done.code == 2
        assert "Expected a folder for the run that can be written to." in done.output
        assert "Read-only file system" in done.output
        assert project.run_dir().path("manifest.json").read_bytes() == before
    finally:
        subprocess.run(["umount", "-l", root], check=True)
    check_whole_again(project, whole)


def test_two_commands_on_one_run(project: Project, whole: Project) -> None:
    first = project.start("report", "--run", "sample", "--set", TINY, "--force", "training")
    lines = wait_for(first, "training runs:")
    second = project.report()
    note("two commands, one run", "`report` while `report` runs", second)
    assert second.code == 1
    assert f"held by process {first.pid} since" in second.output
    output, _ = first.communicate()
    assert first.returncode == 0, "".join(lines) + output
    check_whole_again(project, whole)


@pytest.mark.parametrize("file", ["training/model.keras", "training/test_predictions.csv", "data/images.npy"])
def test_a_corrupted_artifact(file: str, project: Project, whole: Project) -> None:
    path = project.run_dir().path(file)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    explained = project.call("explain", "--run", "sample", "--set", TINY)
    note(f"corrupted {file}", "one bit turned", explained)
    assert f"{file}: changed since it was written" in explained.output
    check_whole_again(project, whole)


def test_a_manifest_of_a_newer_version(project: Project, whole: Project) -> None:
    path = project.run_dir().path("manifest.json")
    manifest = path.read_bytes()
    path.write_text(json.dumps({**json.loads(manifest), "format": 99}), encoding="utf-8")
    done = project.report()
    note("manifest of a newer version", "format 99", done)
    assert done.code == 2
    assert "Update scenebook, or choose another RUN." in done.output
    path.write_bytes(manifest)
    check_whole_again(project, whole)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_of_a_training(how: signal.Signals, code: int, project: Project, whole: Project) -> None:
    shutil.rmtree(project.run_dir().path("training"))
    process = project.start("report", "--run", "sample", "--set", TINY)
    lines = wait_for(process, "epoch 2/4")
    output = "".join(lines) + end(process, how)
    note(how.name, "in epoch 2 of 4", Done(process.returncode, output, 0.0))
    assert process.returncode == code
    assert "goes on from there" in output
    assert project.wait_for_end()
    assert "stage training was interrupted" in read_banner(project)
    again = project.call("run", "--run", "sample", "--set", TINY)
    assert re.search(r"training goes on after epoch [123], from its checkpoint", again.output)
    check_whole_again(project, whole)


def test_16_runs_eight_at_a_time(whole: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")

    def make(number: int) -> Done:
        return project.call("run", "--run", f"run {number}", "--set", f"{TINY} seed={number % 3}")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(make, range(16)))
    assert [one.code for one in done] == [0] * 16, "\n".join(one.output for one in done if one.code)
    for number in range(16):
        expected = list_metrics(project.run_dir(f"run {number % 3}"))
        assert list_metrics(project.run_dir(f"run {number}")) == expected
    assert list_metrics(project.run_dir("run 0")) == list_metrics(whole.run_dir())
    print(f"| 16 runs, 8 at a time | | 0 | {sum(one.seconds for one in done) / 16:.0f} s each | nothing |")


KILLS = int(os.environ.get("SCENEBOOK_KILLS") or 20)


def test_a_training_that_is_killed_at_random_moments(tmp_path: Path) -> None:
    """On the sample profile as it is: the command, its kernel or both are killed, until 20 kills are done."""
    uninterrupted, project = Project(tmp_path / "uninterrupted"), Project(tmp_path / "project")
    done = uninterrupted.report(tiny=False)
    assert done.code == 0, done.output
    assert project.call("run", "--run", "sample", "--time-limit", "600", "--force", "data").code == 0
    shutil.rmtree(project.run_dir().path("training"))
    rng = random.Random(7)
    kills = {"command": 0, "kernel": 0, "both": 0}
    resumed: list[int] = []
    while sum(kills.values()) < KILLS:
        if project.run_dir().path(FINISHED_FIT).is_file():
            # A kernel finished its training before it noticed that its command was gone: the training starts anew.
            shutil.rmtree(project.run_dir().path("training"))
        process = project.start("report", "--run", "sample")
        # Half of them anywhere from the start of the stage on, half between two epochs or within one.
        first, seconds = rng.choice([(f"[2/{len(STAGES)}] training", 25), (" epoch ", 8)])
        output = "".join(wait_for(process, first))
        time.sleep(rng.uniform(0, seconds))
        victim = rng.choice(list(kills))
        kernels = project.kernels()
        if process.poll() is not None or not kernels or project.run_dir().path(FINISHED_FIT).is_file():
            # It had ended, or was between two stages, or in a later one: the training starts anew.
            end(process, signal.SIGKILL)
            assert project.wait_for_end(), "a kernel was left behind"
            shutil.rmtree(project.run_dir().path("training"), ignore_errors=True)
            continue
        for kernel in kernels if victim != "command" else []:
            with suppress(psutil.Error):
                kernel.kill()
        if victim != "kernel":
            process.kill()
        output += process.communicate()[0]
        kills[victim] += 1
        resumed += [int(number) for number in re.findall(r"training goes on after epoch (\d+)", output)]
        assert project.wait_for_end(), "a kernel was left behind"
    done = project.report(tiny=False)
    assert done.code == 0, done.output
    assert list_metrics(project.run_dir()) == list_metrics(uninterrupted.run_dir())
    model = "training/model.keras"
    assert project.run_dir().path(model).read_bytes() == uninterrupted.run_dir().path(model).read_bytes()
    assert project.list_leftovers() == []
    assert resumed, "no training was resumed: the kills came too early"
    print(f"| {KILLS} kills | {kills}, resumed after epochs {resumed} | 0 | the same history and network | nothing |")
