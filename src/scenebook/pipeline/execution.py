"""One notebook in a kernel of its own, through papermill, with its log, its progress and its memory watched."""

from __future__ import annotations

import errno
import io
import signal
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scenebook.core.cache import cache_dir
from scenebook.core.errors import InputError, StageError
from scenebook.core.progress import MARK
from scenebook.core.run_directory import TOUCHED, default_build_dir, list_touched
from scenebook.core.stages import STAGES
from scenebook.pipeline.kernels import (
    Kernel,
    choose_folder,
    configure_kernel,
    make_kernel_environment,
    make_kernel_manager,
)
from scenebook.pipeline.notebooks import is_executed, read_notebook, source_of
from scenebook.pipeline.prewarming import PrewarmedKernels

_INPUT_ERRORS = {InputError.__name__, *(kind.__name__ for kind in InputError.__subclasses__())}
_MEMORY_ERRORS = ("MemoryError", "_ArrayMemoryError", "ResourceExhaustedError")
"""What Python, numpy and TensorFlow raise where memory is refused to them."""

_KILLED = -int(getattr(signal, "SIGKILL", 9))
"""The exit code of a process that was killed; Windows has no such signal."""


def execute_notebook(
    stage: str,
    notebook: Path,
    target: Path,
    parameters: Mapping[str, Any],
    log: Path,
    progress: Callable[[str], None],
    *,
    runs_dir: Path,
    time_limit: int | None = None,
    kernel: Kernel | None = None,
    prewarmed: PrewarmedKernels | None = None,
) -> None:
    """Executes one notebook in a kernel of its own; keeps the result, whole or partial, as `target`.

    Whether it succeeded is decided here, by what the runner saw: a saved notebook may call itself completed after its
    kernel was killed or after `sys.exit()` in a cell.

    Args:
        target: Where the executed notebook goes.
        parameters: What its parameters cell is overruled with.
        log: Where everything goes that it prints.
        progress: Is called with each line of progress.
        runs_dir: The folder of all runs.
        time_limit: How long a cell may take, in seconds; `None`: as long as it takes.
        kernel: Is told of the kernel, so that another thread may watch and stop it.
        prewarmed: Where a process may wait that becomes the kernel; it was checked.

    Raises:
        StageError: A cell raised or took too long, the kernel died, cells were left out, or nothing could be written.
    """
    import nbformat
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    log.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial_copy = target.with_name(f".{target.stem}-partial.ipynb")
    partial_copy.unlink(missing_ok=True)  # of a command that was killed
    failure: StageError | None = None
    fail = partial(StageError, stage, notebook=None, log=log)
    kernel = kernel or Kernel()
    with TemporaryDirectory(prefix="kernel-", dir=choose_folder()) as folder, _Log(log, progress) as written:
        touched = Path(folder) / "touched"
        environment = make_kernel_environment(runs_dir)

        try:
            papermill.execute_notebook(
                # papermill reads braces in a path as fields of a template.
                nbformat.reads(notebook.read_text(encoding="utf-8-sig"), as_version=4),
                str(partial_copy).replace("{", "{{").replace("}", "}}"),
                parameters=dict(parameters),
                engine_name=_register_engine(),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                stdout_file=written,
                stderr_file=written,
                execution_timeout=time_limit,
                config=Config({"KernelManager": configure_kernel(folder)}),
                kernel_manager_class=make_kernel_manager(
                    written.file,
                    # IPython's own folder: no start-up files, and a history that no other kernel locks.
                    {**environment, TOUCHED: str(touched), "IPYTHONDIR": f"{folder}/ipython"},
                    notebook.parent,
                    kernel,
                    take_waiting=lambda: prewarmed.take(stage) if prewarmed else None,
                ),
            )
        except PapermillExecutionError as error:
            written.write("\n" + "\n".join(error.traceback) + "\n")
            # Our own errors say all in their text; of others the kind helps too.
            own = error.ename.endswith("Error") and "Expected " in error.evalue
            reason = error.evalue if own else f"{error.ename}: {error.evalue or _find_last_error(partial_copy)}"
            if error.ename in _MEMORY_ERRORS:
                reason = f"{reason.rstrip('.')}. {_advise_on_memory(stage)}"
            cell = _find_failed(partial_copy) or _find_running(partial_copy)
            failure = fail(reason, cell=cell, wrong_input=error.ename in _INPUT_ERRORS)
        except CellTimeoutError:
            reason = f"the cell took longer than the time limit of {time_limit} s, and was stopped. Raise TIME_LIMIT, "
            failure = fail(reason + "or find out what it waits for.", cell=_find_running(partial_copy))
        except DeadKernelError:
            code = kernel.processes[-1].poll() if kernel.processes else None
            reason, killed = _explain_death(stage, code), code == _KILLED
            failure = fail(reason, cell=_find_running(partial_copy), was_killed=killed)
        except OSError as error:
            written.write("\n" + traceback.format_exc())
            failure = fail(f"what the notebook gave could not be written. {explain_os_error(error)}", cell=None)
        except Exception as error:  # a kernel can fail to start in more ways than can be listed
            written.write("\n" + traceback.format_exc())
            text = " ".join(str(error).split())
            failure = fail(f"The notebook could not be run. {type(error).__name__}: {text}", cell=None)
        finally:
            ensure_event_loop().close()  # of this thread, which papermill has left open
        kernel.touched = list_touched(touched)
    if failure is None and (cell := _find_unexecuted(partial_copy)):
        failure = fail("the notebook ended before this cell was run (does a cell call exit?)", cell=cell)
    if _read_cells(partial_copy):
        partial_copy.replace(target)
        kept = target
    else:
        # What an earlier run has left would look like this one's.
        partial_copy.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        kept = None
    if failure:
        failure.notebook = kept
        raise failure


def _register_engine() -> str:
    """Returns the name of papermill's engine, but for one thing: its own saves the notebook twice for each cell."""
    from papermill.engines import NBClientEngine, papermill_engines

    class SavingAtTheEnd(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            path, nb_man.output_path = nb_man.output_path, None
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.output_path = path  # papermill saves it now, however it has ended

    papermill_engines.register(SavingAtTheEnd.__name__, SavingAtTheEnd)
    return SavingAtTheEnd.__name__


def _advise_on_memory(stage: str) -> str:
    return f"Lower {STAGES[stage].less_memory}, or close other programs."


def explain_os_error(error: OSError) -> str:
    """Returns what kept a file from being written or read, and what to do about it, as sentences."""
    what = error.strerror or str(error)
    where = f": {error.filename}" if error.filename else ""
    path = Path(str(error.filename or "")).absolute()
    folders = {"SCENEBOOK_BUILD": default_build_dir(), "SCENEBOOK_CACHE": cache_dir()}
    variable = next((name for name, folder in folders.items() if path.is_relative_to(folder)), "SCENEBOOK_RUNS")
    advice = {
        errno.ENOSPC: " Free some room; the same command then goes on.",
        errno.EDQUOT: " Free some room; the same command then goes on.",
        errno.EFBIG: f" Files may not be as large here; choose another folder with {variable}.",
        errno.EROFS: f" Choose another folder with {variable}.",
        errno.EACCES: f" Choose another folder with {variable}, or mend its permissions.",
    }.get(error.errno or 0, "")
    return f"{what}{where}.{advice}"


def _explain_death(stage: str, code: int | None) -> str:
    if code == _KILLED:
        return f"its kernel was killed, as a system does that runs out of memory. {_advise_on_memory(stage)}"
    if code is None:
        return "its kernel died."
    return f"its kernel died, with exit code {code}." if code >= 0 else f"its kernel died, by signal {-code}."


def _read_cells(notebook: Path) -> list[dict[str, Any]]:
    try:
        return read_notebook(notebook).cells
    except InputError:
        return []  # the disk was full


def _find_failed(notebook: Path) -> int | None:
    """Returns the number of the cell that raised; papermill's own count leaves out the banners that it adds."""
    outputs = [cell.get("outputs", []) for cell in _read_cells(notebook)]
    failed = (any(output["output_type"] == "error" for output in some) for some in outputs)
    return next((number for number, it in enumerate(failed, start=1) if it), None)


def _find_last_error(notebook: Path) -> str:
    """Returns the last words of the error stream: IPython raises nothing for its own commands and exception groups."""
    outputs = [output for cell in _read_cells(notebook) for output in cell.get("outputs", [])]
    texts = [source_of({"source": it["text"]}) for it in outputs if it.get("name") == "stderr"]
    return "".join(texts).rstrip(" \n|+-").rpartition("\n")[2].lstrip(" |")


def _find_running(notebook: Path) -> int | None:
    metadata = [cell.get("metadata", {}).get("papermill", {}) for cell in _read_cells(notebook)]
    return max((number for number, told in enumerate(metadata, start=1) if told.get("start_time")), default=None)


def _find_unexecuted(notebook: Path) -> int | None:
    left_out = [is_executed(cell) and cell.get("execution_count") is None for cell in _read_cells(notebook)]
    return left_out.index(True) + 1 if True in left_out else None


class _Log(io.TextIOBase):
    """A stage's log, which hands lines of progress on. Where it cannot be written, the stage goes on without it.

    Attributes:
        file: The open file, for processes that write to it.
    """

    def __init__(self, path: Path, progress: Callable[[str], None]) -> None:
        self.file = path.open("w", encoding="utf-8", errors="replace")
        self._progress = progress
        self._rest = ""

    def write(self, text: str) -> int:
        text = text.replace("\r", "\n")  # a line in the place of another
        with suppress(OSError):
            self.file.write(text)
            self.file.flush()
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith(MARK):
                self._progress(line.removeprefix(MARK).rstrip())
        return len(text)

    def close(self) -> None:
        with suppress(OSError):
            self.file.close()
        super().close()
