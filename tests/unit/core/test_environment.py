"""What the command and its processes find around them; whole runs are in `tests/whole/test_surroundings.py`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenebook.core.cache import cache_dir
from scenebook.core.environment import build_environment, check_surroundings
from scenebook.core.errors import InputError
from scenebook.core.project import project_root
from scenebook.core.provenance import git_commit


def test_what_the_shell_has_set_for_other_programs_is_not_handed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = (
        *("KERAS_MAX_EPOCHS", "MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP", "PYTHONWARNINGS", "OMP_NUM_THREADS"),
        *("XLA_FLAGS", "TF_XLA_FLAGS", "NPY_DISABLE_CPU_FEATURES", "GIT_DIR", "SOURCE_DATE_EPOCH", "DASK_CONFIG", "CI"),
    )
    for name in names:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://proxy:1")
    found = build_environment(threads=3)
    assert set(found) & set(names) == {"OMP_NUM_THREADS"}
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["https_proxy"] == "http://proxy:1"
    assert (found["PATH"], found["KERAS_BACKEND"]) == (os.environ["PATH"], "tensorflow")
    assert str(tmp_path) not in found["PYTHONPATH"]
    monkeypatch.setenv("SCENEBOOK_SCHEDULER", "tls://host:8786")
    assert "DASK_CONFIG" in build_environment()


def test_a_command_runs_where_neither_the_locale_nor_the_folder_is_as_usual(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "usercustomize.py").write_text("raise RuntimeError('not this one')")
    hostile = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONWARNINGS": "error",
        "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path)]),
        "COLUMNS": "9",
    }
    done = subprocess.run(
        [sys.executable, "-O", "-m", "scenebook", "report", "--dataset", "Möbel"],
        cwd=tmp_path, env=os.environ | hostile, capture_output=True, check=False,
    )  # fmt: skip
    told = done.stderr.decode("utf-8")
    assert done.returncode == 2, told
    assert "Möbel" in told
    assert "Traceback" not in told
    assert "Warning" not in told


@pytest.mark.skipif(os.name != "posix", reason="streams of a shell")
@pytest.mark.parametrize(
    ("before", "told"),
    [("COLUMNS=0", "no such thing"), ("cd $(mktemp -d); rmdir $PWD;", "is gone"), ("exec >&-;", "no such thing")],
)
def test_a_command_says_what_is_wrong_wherever_it_is_typed(before: str, told: str, tmp_path: Path) -> None:
    command = f"{before} {shlex.quote(sys.executable)} -m scenebook report --dataset 'no such thing'"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="ulimit")
def test_too_few_files_are_told_before_anything_runs(tmp_path: Path) -> None:
    command = "ulimit -n 60; exec " + shlex.join([sys.executable, "-m", "scenebook", "run", "--run", "few"])
    done = subprocess.run(
        ["sh", "-c", command], env=os.environ | {"SCENEBOOK_RUNS": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Received: ulimit -n=60" in done.stderr
    assert not list(tmp_path.iterdir())


def test_caches_go_elsewhere_where_home_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCENEBOOK_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/dev/null/nobody")
    monkeypatch.setenv("USERPROFILE", "/dev/null/nobody")
    folder = cache_dir()
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0 or os.name != "posix"


def test_a_kernel_by_hand_with_other_settings_of_keras_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    check_surroundings()
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float16", "epsilon": 1e-7, "backend": "tensorflow"}))
    with pytest.raises(InputError, match=r"floatx in .*keras\.json='float16'"):
        check_surroundings()
    (tmp_path / "keras.json").unlink()
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    with pytest.raises(InputError, match="KERAS_MAX_EPOCHS='1'"):
        check_surroundings()


def test_a_checkout_inside_another_repository_has_no_commit_of_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    me = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    (tmp_path / "tracked").write_text("x")
    for command in (["init", "-q"], ["add", "tracked"], [*me, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)
    (tmp_path / "inside").mkdir()
    assert git_commit(tmp_path / "inside") == "unknown"
    os.utime(tmp_path / "tracked", (1, 1))
    index = (tmp_path / ".git" / "index").read_bytes()
    assert len(git_commit(tmp_path)) == 40
    assert (tmp_path / ".git" / "index").read_bytes() == index, "looking at a checkout has changed it"
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))  # as git sets it for hooks
    assert git_commit(project_root()) != git_commit(tmp_path)


@pytest.mark.parametrize("variable", [None, "DASK_ROOT_CONFIG"])
def test_dask_settings_that_are_no_yaml_are_refused_before_a_study_runs(tmp_path: Path, variable: str | None) -> None:
    folder = tmp_path / "etc" if variable else tmp_path / ".config" / "dask"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("distributed: [\n", encoding="utf-8")
    around = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "SCENEBOOK_RUNS": str(tmp_path / "runs")}
    words = ["--set", "ablations=claims"]
    if variable:  # which only a scheduler that was named makes a run heed
        around, words = {**around, variable: str(folder)}, ["--scheduler", "tcp://127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-m", "scenebook", "run", "--profile", "sample", *words],
        env=os.environ | around, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "mine.yaml" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals, and locks on folders")
def test_temporary_files_go_with_the_command_and_those_of_a_killed_one_with_the_next(tmp_path: Path) -> None:
    def start(end: str) -> subprocess.Popen[str]:
        code = "from scenebook.core.environment import clean_process as clean; clean(); import os, sys, tempfile; "
        code += "tempfile.mkstemp(dir=os.environ['TMPDIR']); print('made', flush=True); " + end
        command = [sys.executable, "-X", "scenebook", "-c", code]
        process = subprocess.Popen(
            command, env=os.environ | {"TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        return process

    with start("sys.stdin.read()") as lives, start("os.kill(os.getpid(), 9)") as killed:
        killed.wait()
        assert len([*tmp_path.iterdir()]) == 2
        with start("pass") as next_one:
            next_one.wait()
        assert len([*tmp_path.iterdir()]) == 1
        assert lives.poll() is None
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
def test_a_clock_that_was_never_set_is_told_before_anything_runs(tmp_path: Path) -> None:
    command = ["faketime", "1970-01-03 00:00:00", sys.executable, "-X", "scenebook", "-m", "scenebook", "run"]
    environment = os.environ | {"SCENEBOOK_RUNS": str(tmp_path / "runs")}
    done = subprocess.run([*command, "--run", "x"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "time='1970-01-03" in done.stderr
    assert not (tmp_path / "runs").exists()
