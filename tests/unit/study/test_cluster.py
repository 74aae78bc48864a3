"""Clusters of this machine's own processes; those of separate commands are in `tests/slow/test_cluster.py`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import psutil
import pytest
from dask.system import cpu_count

from scenebook.core.environment import THREADS
from scenebook.core.errors import InputError
from scenebook.core.project import project_root
from scenebook.study.cluster import Cluster, count_local_workers, open_cluster
from scenebook.study.fan_out import run_tasks
from tests.processes import HEARS_CTRL_C
from tests.unit.study import tasks


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with open_cluster(None, tasks=2, task_gb=0.1) as opened:
        yield opened


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def list_workers() -> list[psutil.Process]:
    """The worker processes of this process; multiprocessing starts one of its own beside them."""
    return [child for child in psutil.Process().children() if "--multiprocessing-fork" in child.cmdline()]


@pytest.mark.parametrize(
    ("count", "cores", "free_gb", "task_gb", "workers"),
    [
        (33, 8, 64.0, 2.0, 8),
        (3, 8, 64.0, 2.0, 3),
        (33, 8, 7.9, 2.0, 3),
        (33, 8, 1.0, 2.0, 1),
        (0, 8, 64.0, 2.0, 1),
    ],
    ids=["a worker a core", "a worker a task", "as memory allows", "one where memory is short", "no task"],
)
def test_there_are_as_many_workers_as_tasks_cores_and_memory_allow(
    count: int, cores: int, free_gb: float, task_gb: float, workers: int
) -> None:
    assert count_local_workers(count, cores=cores, free_gb=free_gb, task_gb=task_gb) == workers


def test_a_worker_is_a_process_that_runs_one_task(cluster: Cluster) -> None:
    threads = cluster.client.nthreads()
    assert list(threads.values()) == [1] * min(2, cpu_count())
    assert cluster.count_workers() == len(threads) == len(list_workers())


def test_cores_are_shared_out_before_a_worker_imports_anything(cluster: Cluster) -> None:
    (outcome,) = run_tasks(cluster, tasks.describe_process, [None], names=["process"])
    environment = outcome.result["environment"]
    share = str(max(1, cpu_count() // cluster.count_workers()))
    assert {name: environment[name] for name in THREADS} == dict.fromkeys(THREADS, share)
    assert "MALLOC_TRIM_THRESHOLD_" not in environment
    assert outcome.result["modules"] == []
    # What the interpreter was started with: glibc reads its settings before Python runs.
    worker = next(child for child in list_workers() if child.pid == outcome.result["pid"])
    assert worker.environ().items() >= {**dict.fromkeys(THREADS, share), "TF_CPP_MIN_LOG_LEVEL": "2"}.items()
    assert "GLIBC_TUNABLES" in worker.environ()


def test_everything_listens_on_this_machine_only(cluster: Cluster) -> None:
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(), *list_workers())
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 2 + 2 * cluster.count_workers()
    assert set(listening) == {"127.0.0.1"}


def test_the_dashboard_answers_on_this_machine(cluster: Cluster) -> None:
    pytest.importorskip("bokeh", reason="bokeh, which draws dask's dashboard, is not installed")
    assert cluster.dashboard is not None
    assert cluster.dashboard.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(cluster.dashboard, timeout=60) as answer:
        assert b"Bokeh" in answer.read()


def test_without_memory_and_bokeh_there_is_one_worker_and_nothing_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setitem(sys.modules, "bokeh", None)  # so that Python does not find it
    monkeypatch.setenv("OMP_NUM_THREADS", "63")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    # Somebody's own configuration for another cluster.
    monkeypatch.setitem(dask.config.config["distributed"]["comm"], "require-encryption", True)
    before, path, workers = dict(os.environ), list(sys.path), set(list_workers())
    with open_cluster(None, tasks=9, task_gb=1e6) as opened:
        assert "GB are free, and a task takes about 1000000.0 GB" in capsys.readouterr().err
        (worker,) = set(list_workers()) - workers
        assert worker.environ()["OMP_NUM_THREADS"] == str(cpu_count())
        assert worker.environ()["KERAS_BACKEND"] == "tensorflow"
        assert opened.dashboard is None
        port = opened.client.scheduler_info()["services"]["dashboard"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=60)
        assert list((tmp_path / "temporary").iterdir())
    assert not worker.is_running()
    assert (dict(os.environ), sys.path) == (before, path)
    assert dask.config.get("distributed.comm.require-encryption") is True
    assert [*(tmp_path / "here").iterdir(), *(tmp_path / "temporary").iterdir()] == []


COMMAND = """
import sys
from pathlib import Path
from scenebook.study.cluster import open_cluster
from scenebook.study.fan_out import run_tasks
from tests.unit.study import tasks

if __name__ == "__main__":
    sys.modules["bokeh"] = None  # a dashboard takes time
    with open_cluster(None, tasks=1, task_gb=0.1) as cluster:
        function, task = getattr(tasks, sys.argv[1]), Path(sys.argv[2])
        begin = lambda position: print("started", position, flush=True)
        for outcome in run_tasks(cluster, function, [task], names=["one"], on_started=begin):
            print(outcome.result)
    print(sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


@contextmanager
def start_command(folder: Path, function: str) -> Iterator[subprocess.Popen[str]]:
    """Starts a Python of its own that opens a cluster and runs a task; it is on its way when it has printed a line."""
    (folder / "command.py").write_text(COMMAND, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "command.py", function, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(project_root()), "TMPDIR": str(folder), "TEMP": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=HEARS_CTRL_C,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def test_what_workers_print_and_what_dask_logs_is_no_output_of_the_command(tmp_path: Path) -> None:
    with start_command(tmp_path, "print_and_die_once") as command:
        output, log = command.communicate(timeout=300)
    assert set(output.splitlines()) == {"started 0", "survived", "[]"}
    assert "a task prints" in log
    assert "Restarting worker" in log


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_workers_end_with_the_command(tmp_path: Path, name: str) -> None:
    if not hasattr(signal, name) or (os.name == "nt" and name == "SIGINT"):
        pytest.skip(f"this system sends no {name} to one process")
    with start_command(tmp_path, "hold") as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "started 0\n"
        children = psutil.Process(command.pid).children(recursive=True)
        assert len([child for child in children if "--multiprocessing-fork" in child.cmdline()]) == 1
        command.send_signal(getattr(signal, name))
        command.communicate(timeout=300)
        _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    assert command.returncode != 0
    if name == "SIGINT":
        assert list(tmp_path.glob("scenebook-sweep-*")) == []


@pytest.mark.parametrize("address", ["localhost:8786", "8786", "http://localhost:8787", "tcp://localhost", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"Expected the address of a dask scheduler, tcp://host:port .* scheduler="):
        with open_cluster(address, tasks=1, task_gb=1):
            pass


def test_an_address_where_nothing_answers_is_told(unused_port: int) -> None:
    with pytest.raises(InputError, match=rf"that answers within 0.5 s.*scheduler='tcp://127.0.0.1:{unused_port}'"):
        with open_cluster(f"tcp://127.0.0.1:{unused_port}", tasks=1, task_gb=1, timeout=0.5):
            pass
