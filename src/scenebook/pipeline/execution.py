"""One notebook in a kernel of its own, through papermill, with its log, its progress and its memory watched."""

from __future__ import annotations

import io
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import nbformat
import psutil

from scenebook.environment import compute_environment
from scenebook.errors import InputError, StageError
from scenebook.progress import MARK

INPUT_ERRORS = frozenset({InputError.__name__, *(kind.__name__ for kind in InputError.__subclasses__())})


def execute_notebook(
    stage: str,
    notebook: Path,
    target: Path,
    parameters: Mapping[str, Any],
    log: Path,
    progress: Callable[[str], None],
    *,
    runs_dir: Path,
) -> None:
    """Executes one notebook in a kernel of its own; keeps the result, whole or partial, as `target`.

    Whether it succeeded is decided here, by what the runner saw: a saved notebook may call itself completed after its
    kernel was killed or after `sys.exit()` in a cell.

    Raises:
        StageError: A cell raised, the kernel died, or cells were left out.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    log.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.stem}-partial.ipynb")
    failure: tuple[str, int | None] | None = None
    wrong_input = False
    with (
        log.open("w", encoding="utf-8", errors="replace") as log_file,
        TemporaryDirectory(prefix="kernel-") as sockets,
        _kernel_environment(runs_dir),
    ):
        stream = _StreamLog(log_file, progress)
        try:
            papermill.execute_notebook(
                # papermill reads braces in a path as fields of a template.
                nbformat.read(notebook, as_version=4),
                str(partial).replace("{", "{{").replace("}", "}}"),
                parameters=dict(parameters),
                kernel_name="python3",
                cwd=str(notebook.parent),
                progress_bar=False,
                coalesce_streams=True,
                stdout_file=stream,
                stderr_file=stream,
                config=Config({"KernelManager": _transport(sockets)}),
                kernel_manager_class=_logging_kernel_manager(log_file),
            )
        except PapermillExecutionError as error:
            log_file.write("\n" + "\n".join(error.traceback) + "\n")
            failure = (_explain(error.ename, error.evalue), _find_failed(partial))
            wrong_input = error.ename in INPUT_ERRORS
        except (DeadKernelError, CellTimeoutError) as error:
            failure = (" ".join(str(error).split()) or type(error).__name__, None)
        except Exception as error:  # a kernel can fail to start in more ways than can be listed
            log_file.write("\n" + traceback.format_exc())
            failure = (f"The notebook could not be run. {type(error).__name__}: {' '.join(str(error).split())}", None)
    kept = partial if partial.exists() else None
    if failure is None:
        failure = _find_unexecuted(partial)
    if kept:
        kept.replace(target)
    if failure:
        raise StageError(
            stage,
            failure[0],
            notebook=target if kept else None,
            log=log,
            cell=failure[1],
            wrong_input=wrong_input,
        )


def _transport(folder: str) -> dict[str, str]:
    """Returns how to talk to the kernel: through sockets in a private folder of its own, TCP where there are none.

    Without a path of its own, Jupyter puts the sockets of every run into the current folder, under the same names.
    """
    return {"transport": "ipc", "ip": f"{folder}/k"} if os.name == "posix" else {}


def _logging_kernel_manager(log: TextIO) -> type:
    """Returns a kernel manager whose kernels write to the log what does not go through Jupyter.

    TensorFlow's C++ prints notes before the kernel can catch them; they would end up between our lines of progress.
    """
    from jupyter_client.manager import AsyncKernelManager

    class LoggingKernelManager(AsyncKernelManager):
        def start_kernel(self, **options: Any) -> Any:
            return super().start_kernel(stdout=log, stderr=log, **options)

    return LoggingKernelManager


def _explain(name: str, value: str) -> str:
    """Our own errors say all in their text; of others the kind helps too."""
    own = name.endswith("Error") and "Expected " in value
    return value if own else f"{name}: {value}"


def _find_failed(notebook: Path) -> int | None:
    """Returns the number of the cell that raised; papermill's own count leaves out the banners that it adds."""
    for number, cell in enumerate(nbformat.read(notebook, as_version=4).cells, start=1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return number
    return None


def _find_unexecuted(notebook: Path) -> tuple[str, int] | None:
    for index, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        if cell.cell_type == "code" and cell.source.strip() and cell.get("execution_count") is None:
            return "the notebook ended before this cell was run (does a cell call exit?)", index + 1
    return None


class _kernel_environment:
    """Sets environment variables that a kernel inherits, and puts the old ones back."""

    def __init__(self, runs_dir: Path) -> None:
        self._values = {
            **compute_environment(),
            "SCENEBOOK_RUNS": str(runs_dir),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *error: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _StreamLog(io.TextIOBase):
    """Writes what a kernel prints to the stage's log as it comes, and hands progress lines on."""

    def __init__(self, log: TextIO, progress: Callable[[str], None]) -> None:
        self._log = log
        self._progress = progress
        self._rest = ""

    def write(self, text: str) -> int:
        self._log.write(text)
        self._log.flush()
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith(MARK):
                self._progress(line.removeprefix(MARK))
        return len(text)


class PeakMemory:
    """Measures the largest resident memory of all child processes together, twice a second."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.5):
            total = 0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:
                    continue  # it ended between the two calls
            self.peak_mb = max(self.peak_mb, round(total / 2**20, 1))
