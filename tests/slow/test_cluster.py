"""A scheduler and workers that were started as commands of their own, as on a cluster of machines. `make cluster`."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest

from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.network.recipe.extracting import FeatureExtraction
from scenebook.network.recipe.predicting import prepare_plain
from scenebook.network.recipe.running import build_seeded
from scenebook.study.cluster import open_cluster
from scenebook.study.fan_out import run_tasks
from scenebook.study.feature_shards import share_out
from tests.recipes import load_recipe
from tests.unit.network.recipe.trainings import CLASSES, TRAIN, make_settings
from tests.unit.study import tasks

pytestmark = pytest.mark.slow

DASK = [sys.executable, "-m", "dask"]
TLS = "distributed.comm.tls."


@contextmanager
def start(command: list[str], ready: str, folder: Path, **environment: str) -> Iterator[tuple[psutil.Popen, str]]:
    """Runs a command, from when its log says that it is ready; yields it and the rest of that line."""
    path = os.pathsep.join([environment.pop("PYTHONPATH", os.environ.get("PYTHONPATH", "")), str(project_root())])
    process = psutil.Popen(
        command,
        env={
            **os.environ,
            **environment,
            "PYTHONPATH": path.lstrip(os.pathsep),
            "TMPDIR": str(folder),
            "TEMP": str(folder),
        },
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        log = []
        for line in process.stderr:
            log.append(line)
            if ready in line:
                break
        else:
            pytest.fail(f"the command ended: {command}\n{''.join(log)}")
        yield process, line.partition(ready)[2].strip()
    finally:
        kill(process)
        process.stderr.close()


def kill(process: psutil.Popen) -> None:
    """Ends a command and the processes that it has started, at once."""
    if process.is_running():
        family = [*process.children(recursive=True), process]
        for member in family:
            member.kill()
        psutil.wait_procs(family, timeout=60)


@contextmanager
def start_scheduler(folder: Path, *options: str, host: str = "127.0.0.1") -> Iterator[tuple[psutil.Popen, str]]:
    command = [
        *DASK,
        "scheduler",
        "--host",
        host,
        "--port",
        "0",
        "--no-dashboard",
        "--dashboard-address",
        "127.0.0.1:0",
    ]
    with start([*command, *options], "Scheduler at:", folder) as started:
        yield started


@contextmanager
def start_worker(
    address: str, folder: Path, *options: str, threads: int = 1, command: list[str] | None = None, **environment: str
) -> Iterator[psutil.Popen]:
    command = command or [*DASK, "worker"]
    place = ["--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(folder)]
    arguments = [*command, address, "--nthreads", str(threads), *place, *options]
    with start(arguments, "Registered to:", folder, **environment) as (process, _):
        yield process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def bare(folder: Path) -> Iterator[str]:
    """The address of a scheduler without workers."""
    with start_scheduler(folder) as (_, address):
        yield address


@pytest.fixture
def scheduler(folder: Path) -> Iterator[tuple[psutil.Popen, str]]:
    with start_scheduler(folder) as started:
        yield started


def test_killing_a_worker_loses_nothing_and_the_scheduler_outlives_the_sweep(
    scheduler: tuple[psutil.Popen, str], tmp_path: Path
) -> None:
    process, address = scheduler
    with ExitStack() as stack:
        workers = [stack.enter_context(start_worker(address, tmp_path)) for _ in range(2)]
        begun: list[int] = []

        def kill_one(position: int) -> None:
            begun.append(position)
            if len(begun) == 2:
                kill(workers[0])
                (tmp_path / "go").touch()

        with open_cluster(address, tasks=5, task_gb=1, must_see=[tmp_path], timeout=60) as cluster:
            assert cluster.dashboard is None
            names = [f"task {number}" for number in range(5)]
            outcomes = list(run_tasks(cluster, tasks.hold, [tmp_path] * 5, names=names, on_started=kill_one))
        assert sorted(outcome.position for outcome in outcomes) == list(range(5))
        assert [outcome.error for outcome in outcomes] == [""] * 5
        # One of the two that ran when the worker was killed has been begun twice, and the other worker has done all.
        assert sorted(begun) in ([0, 0, 1, 2, 3, 4], [0, 1, 1, 2, 3, 4])
        assert len({outcome.result for outcome in outcomes}) == 1
        assert len(list(tmp_path.glob("*.pid"))) == 2

        with open_cluster(address, tasks=1, task_gb=1, timeout=60) as cluster:
            assert [outcome.result for outcome in run_tasks(cluster, tasks.double, [4], names=["again"])] == [8]

            short = dataclasses.replace(cluster, patience=1)
            kill(workers[1])
            with pytest.raises(
                ScenebookError, match=f"Expected a worker at the dask scheduler {address}; there has been"
            ):
                list(run_tasks(short, tasks.double, [4], names=["nobody"]))
    assert process.is_running()


def test_a_scheduler_that_goes_away_is_told(scheduler: tuple[psutil.Popen, str], tmp_path: Path) -> None:
    process, address = scheduler
    with start_worker(address, tmp_path), open_cluster(address, tasks=1, task_gb=1, timeout=60) as cluster:
        outcomes = run_tasks(cluster, tasks.hold, [tmp_path], names=["one"], on_started=lambda _: kill(process))
        with pytest.raises(ScenebookError, match=f"The connection to the dask scheduler {address} was lost"):
            list(outcomes)


def test_a_scheduler_without_workers_is_told_and_how_to_start_some(
    bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=rf"Expected a worker .* within 1 s.*`dask worker {bare} --nthreads 1`"):
        with open_cluster(bare, tasks=1, task_gb=1, timeout=1):
            pass
    assert f"no worker is connected to {bare} yet; waiting 1 s" in capsys.readouterr().err


def refuse(address: str, match: str, **options: object) -> None:
    with pytest.raises(InputError, match=match):
        with open_cluster(address, tasks=1, task_gb=1, **options):  # type: ignore[arg-type]
            pass


def test_a_worker_that_would_run_two_tasks_at_once_is_refused(bare: str, tmp_path: Path) -> None:
    with start_worker(bare, tmp_path, threads=2):
        refuse(bare, r"Expected workers of one thread each.*worker='tcp://.*nthreads=2.*--nthreads 1")


def test_a_worker_of_other_versions_is_refused(bare: str, tmp_path: Path) -> None:
    other = tmp_path / "tensorflow-0.1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 0.1\n", encoding="utf-8")
    with start_worker(bare, tmp_path, PYTHONPATH=str(tmp_path)):
        refuse(bare, r"the versions of this process: tensorflow \d.*worker='tcp://.*tensorflow='0.1'.*same environment")


def test_a_worker_without_scenebook_is_refused(bare: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['scenebook'] = None; from distributed.cli.dask_worker import main; main()"
    with start_worker(bare, tmp_path, "--no-nanny", command=[sys.executable, "-c", code]):
        refuse(bare, r"Expected every worker to have scenebook installed.*worker='tcp://.*scenebook")


def test_a_path_that_a_worker_does_not_see_is_told(bare: str, tmp_path: Path) -> None:
    with start_worker(bare, tmp_path):
        missing = tmp_path / "elsewhere"
        refuse(bare, rf"Expected every worker to see.*'{missing}'.*file system that all", must_see=[tmp_path, missing])


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Callable[[str], dict[str, str]]:
    """Makes, with `certificates("name")`, dask's TLS settings for a certificate of that name and its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes certificates, is not installed")

    def make(name: str) -> dict[str, str]:
        key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
        new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        subprocess.run(
            [openssl, *new, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
        return {
            f"{TLS}ca-file": str(certificate),
            f"{TLS}client.cert": str(certificate),
            f"{TLS}client.key": str(key),
        }

    return make


def test_tls_lets_in_only_who_has_a_certificate(
    certificates: Callable[[str], dict[str, str]], folder: Path, tmp_path: Path
) -> None:
    ours, others = certificates("ours"), certificates("others")
    ca_file, certificate, key = ours.values()
    options = ["--tls-ca-file", ca_file, "--tls-cert", certificate, "--tls-key", key]
    with start_scheduler(folder, *options, host="tls://127.0.0.1") as (_, address):
        assert address.startswith("tls://127.0.0.1:")
        refuse(address, r"Expected a dask scheduler that answers.*ca_file=None.*TLS__CA_FILE")
        refuse(address.replace("tls:", "tcp:"), "Expected a dask scheduler that answers.*both sides use TLS", timeout=2)
        with dask.config.set(others | {f"{TLS}ca-file": ca_file}):
            refuse(address, "Expected a dask scheduler that answers.*certificates of the same authority", timeout=2)
        with dask.config.set(ours | {f"{TLS}client.key": "nowhere.key"}):
            refuse(address, "Expected a dask scheduler that answers.*key='nowhere.key'.*No such file")
        with start_worker(address, tmp_path, *options), dask.config.set(ours):
            with open_cluster(address, tasks=1, task_gb=1, timeout=60) as cluster:
                assert [outcome.result for outcome in run_tasks(cluster, tasks.double, [4], names=["secret"])] == [8]


def test_features_that_workers_compute_are_those_of_one_process(
    scheduler: tuple[psutil.Popen, str], tmp_path: Path, run_dir: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe, settings), address = (load_recipe(), make_settings()), scheduler[1]
    run_dir.path("data").mkdir(parents=True)
    np.save(run_dir.path("data/images.npy"), TRAIN.stored)
    some = [TRAIN.take(np.arange(3)), TRAIN.take(np.arange(14)), TRAIN.take(np.arange(14, len(TRAIN)))]
    found = {}
    for where in ("here", "workers"):
        monkeypatch.setenv("SCENEBOOK_CACHE", str(tmp_path / where))
        model = build_seeded(recipe.build_model, settings, CLASSES)
        with FeatureExtraction(recipe.prepare, settings, model, TRAIN) as extraction, ExitStack() as workers:
            make_ds = partial(prepare_plain, recipe, settings)
            extraction.compute(some[0], make_ds)
            if where == "workers":
                for name in ("first", "second"):
                    (tmp_path / name).mkdir()
                    workers.enter_context(start_worker(address, tmp_path / name))
                assert len(extraction.list_missing(TRAIN)) == len(TRAIN) - 3
                share_out(extraction, run_dir, some[1:], scheduler=address, shard=5)
                assert not len(extraction.list_missing(TRAIN))
                make_ds = partial(pytest.fail, "all features are there")
            found[where] = extraction.compute(TRAIN, make_ds)
    np.testing.assert_allclose(found["workers"], found["here"], atol=1e-5)
    assert not list(run_dir.path("training").glob(".*"))
