"""Runs the notebooks in order, through papermill, and writes down what happened."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import io
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

import nbformat
import psutil
import yaml

import scenebook
from scenebook.artifacts import (
    MANIFEST,
    SETTINGS,
    STAGE_NOTEBOOKS,
    RunDirectory,
    project_root,
    write_bytes,
)
from scenebook.config import DRAWN_SCENES, INTEL, Settings, check_names
from scenebook.dataset import check_folder
from scenebook.errors import InputError, ScenebookError, SettingsError, StageError, WeightsError
from scenebook.progress import MARK
from scenebook.provenance import git_commit, library_versions, machine, sha256_file

MANIFEST_FORMAT = 1
NAMED_WEIGHTS = ("imagenet", "embedded", "random")
WEIGHTS_SUFFIXES = (".weights.h5", ".keras")


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage: `done`, `failed` or `not run`, why it ran, how long it took, its peak memory."""

    name: str
    notebook: str
    status: str
    reason: str
    seconds: float | None = None
    memory_mb: float | None = None


class Listener(Protocol):
    """Hears what the pipeline does, to show it."""

    def stage_started(self, stage: str, number: int, total: int) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None: ...


def resolve_paths(settings: Settings, base: Path) -> Settings:
    """Returns settings whose folders and files are absolute, and checks that they are there.

    Args:
        settings: The settings; relative paths in them start at `base`.
        base: Where the command was typed.

    Raises:
        InputError: A folder or a file is missing, or the backbone is unknown.
    """
    changes: dict[str, Any] = {}
    if settings.dataset not in (DRAWN_SCENES, INTEL):
        changes["dataset"] = str(check_folder(base / Path(settings.dataset).expanduser()))
    if settings.samples_dir is not None:
        changes["samples_dir"] = str(check_folder(base / Path(settings.samples_dir).expanduser()))
    if settings.weights not in NAMED_WEIGHTS:
        changes["weights"] = str(_check_weights(base / Path(settings.weights).expanduser()))
    known = ["embedded", *list_keras_backbones()]
    if settings.backbone not in known:
        near = difflib.get_close_matches(settings.backbone, known, n=1, cutoff=0.3)
        raise SettingsError(
            "Expected backbone to be embedded or the name of a model in keras.applications.",
            received={"backbone": settings.backbone},
            advice=f"Did you mean {near[0]}?" if near else "",
        )
    return settings.updated(changes)


def _check_weights(path: Path) -> Path:
    if not path.name.endswith(WEIGHTS_SUFFIXES) or not path.is_file():
        raise WeightsError(
            f"Expected weights to be one of {', '.join(NAMED_WEIGHTS)}, or an existing .weights.h5 or .keras file.",
            received={"weights": str(path)},
        )
    return path.resolve()


def list_keras_backbones() -> list[str]:
    """Returns the names of all models in `keras.applications`, read from its source: importing it costs seconds."""
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        raise ScenebookError("Expected keras to be installed. Run `make setup`.")
    source = (Path(spec.origin).parent / "applications" / "__init__.py").read_text(encoding="utf-8")
    imported = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom))
    names = {alias.asname or alias.name for node in imported for alias in node.names}
    return sorted(name for name in names if name[0].isupper())


def read_parameters(notebook: Path) -> dict[str, Any]:
    """Returns the names and default values of a notebook's `parameters` cell.

    Raises:
        InputError: The notebook has no such cell, or a value in it is no literal.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise InputError(
            "Expected one cell with the tag `parameters`.", received={"notebook": notebook.name, "cells": len(tagged)}
        )
    try:
        return {
            target.id: ast.literal_eval(node.value)
            for node in ast.parse(tagged[0]).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
    except (SyntaxError, ValueError) as error:
        raise InputError(
            "Expected a parameters cell of `name = literal` lines.",
            received={"notebook": notebook.name},
            advice=str(error),
        ) from None


def run_pipeline(
    settings: Settings, run_dir: RunDirectory, *, profile: str, listener: Listener, notebooks_dir: Path | None = None
) -> list[StageOutcome]:
    """Runs all stages; the first one that fails ends the run.

    Args:
        settings: With absolute paths.
        run_dir: The run.
        profile: The profile's name, kept in the manifest.
        listener: Is told what happens.
        notebooks_dir: The folder of the notebooks, for tests.

    Returns:
        An outcome a stage, in order. The manifest holds the same.
    """
    folder = notebooks_dir or project_root() / "notebooks"
    parameters = {stage: _parameters_for(stage, folder, settings, run_dir) for stage in STAGE_NOTEBOOKS}
    manifest = Manifest(run_dir, profile)
    before = manifest.snapshot()
    yaml_text = yaml.safe_dump(settings.model_dump(), sort_keys=False, allow_unicode=True)
    write_bytes(run_dir.path(SETTINGS), yaml_text.encode())
    manifest.collect("settings", before)
    outcomes: list[StageOutcome] = []
    failed: StageError | None = None
    for number, (stage, name) in enumerate(STAGE_NOTEBOOKS.items(), start=1):
        if failed:
            outcome = StageOutcome(stage, f"{name}.ipynb", "not run", f"stage {failed.stage} failed before it")
        else:
            listener.stage_started(stage, number, len(STAGE_NOTEBOOKS))
            outcome, failed = _run_stage(
                stage, folder / f"{name}.ipynb", parameters[stage], run_dir, listener, manifest
            )
            listener.stage_ended(outcome)
        outcomes.append(outcome)
        manifest.record(outcome)
    if failed:
        raise PipelineFailedError(failed, outcomes)
    return outcomes


class PipelineFailedError(ScenebookError):
    """A stage failed; `outcomes` says what became of all of them."""

    def __init__(self, error: StageError, outcomes: list[StageOutcome]) -> None:
        super().__init__(error, outcomes)
        self.error = error
        self.outcomes = outcomes

    def __str__(self) -> str:
        return str(self.error)


def _parameters_for(stage: str, folder: Path, settings: Settings, run_dir: RunDirectory) -> dict[str, Any]:
    names = [name for name in read_parameters(folder / f"{STAGE_NOTEBOOKS[stage]}.ipynb") if name != "run"]
    check_names(names)
    return {"run": run_dir.name, **{name: getattr(settings, name) for name in names}}


def _run_stage(
    stage: str,
    notebook: Path,
    parameters: Mapping[str, Any],
    run_dir: RunDirectory,
    listener: Listener,
    manifest: Manifest,
) -> tuple[StageOutcome, StageError | None]:
    target = run_dir.path(f"notebooks/{notebook.name}")
    log = run_dir.path(f"log/{stage}.txt")
    before = manifest.snapshot()
    started = time.monotonic()
    error: StageError | None = None
    with PeakMemory() as memory:
        try:
            execute_notebook(
                stage,
                notebook,
                target,
                parameters,
                log,
                lambda text: listener.progress(stage, text),
                runs_dir=run_dir.root.parent,
            )
        except StageError as caught:
            error = caught
    seconds = round(time.monotonic() - started, 2)
    manifest.collect(stage, before)
    status, reason = ("failed", error.reason) if error else ("done", "asked for")
    return StageOutcome(stage, notebook.name, status, reason, seconds, memory.peak_mb), error


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
    transport = {"KernelManager": {"transport": "ipc"}} if os.name == "posix" else {}
    failure: tuple[str, int | None] | None = None
    with log.open("w", encoding="utf-8", errors="replace") as log_file, _kernel_environment(runs_dir):
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
                config=Config(transport),
                kernel_manager_class=_logging_kernel_manager(log_file),
            )
        except PapermillExecutionError as error:
            log_file.write("\n" + "\n".join(error.traceback) + "\n")
            failure = (_explain(error.ename, error.evalue), _find_failed(partial))
        except (DeadKernelError, CellTimeoutError) as error:
            failure = (" ".join(str(error).split()) or type(error).__name__, None)
    kept = partial if partial.exists() else None
    if failure is None:
        failure = _find_unexecuted(partial)
    if kept:
        kept.replace(target)
    if failure:
        raise StageError(stage, failure[0], notebook=target if kept else None, log=log, cell=failure[1])


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
            "SCENEBOOK_RUNS": str(runs_dir),
            "TF_CPP_MIN_LOG_LEVEL": "2",
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


class Manifest:
    """`manifest.json`: every file of a run with its digest, size and stage; every stage with its outcome.

    Args:
        run_dir: The run. An earlier manifest's files stay listed until the stage that made them runs again.
        profile: The profile's name.
    """

    def __init__(self, run_dir: RunDirectory, profile: str) -> None:
        self.run_dir = run_dir
        earlier = load_manifest(run_dir)
        self.content: dict[str, Any] = {
            "format": MANIFEST_FORMAT,
            "scenebook": scenebook.__version__,
            "profile": profile,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": git_commit(project_root()),
            "versions": library_versions(),
            "machine": machine(),
            "stages": {},
            "files": earlier.get("files", {}),
        }

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Returns size and modification time of every file in the run."""
        root = self.run_dir.root
        return {
            path.relative_to(root).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in root.rglob("*")
            if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
        }

    def collect(self, stage: str, before: Mapping[str, tuple[int, int]]) -> None:
        """Registers what a stage wrote, and forgets and removes what it wrote in an earlier run but not now."""
        after = self.snapshot()
        written = [name for name, facts in after.items() if before.get(name) != facts]
        files = self.content["files"]
        for name in written:
            files[name] = {
                "sha256": sha256_file(self.run_dir.path(name)),
                "bytes": after[name][0],
                "stage": stage,
            }
        for name in [name for name, entry in files.items() if entry["stage"] == stage and name not in written]:
            self.run_dir.path(name).unlink(missing_ok=True)
            del files[name]
        for name in [name for name in files if name not in after]:
            files.pop(name, None)

    def record(self, outcome: StageOutcome) -> None:
        """Adds a stage's outcome and writes the manifest."""
        entry = asdict(outcome)
        self.content["stages"][entry.pop("name")] = entry
        self.content["files"] = dict(sorted(self.content["files"].items()))
        self.run_dir.write_json(MANIFEST, self.content)


def load_manifest(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the manifest of a run, or an empty one where there is none.

    Raises:
        InputError: It cannot be read, or a newer version of scenebook wrote it.
    """
    path = run_dir.path(MANIFEST)
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            "Expected a manifest in JSON.", received={"manifest": str(path)}, advice=f"{error}. Choose another RUN."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format", 0) > MANIFEST_FORMAT:
        raise InputError(
            "Expected a manifest of this version of scenebook, or of an older one.",
            received={"manifest": str(path)},
            advice="Update scenebook, or choose another RUN.",
        )
    return manifest


def stored_outcomes(run_dir: RunDirectory) -> list[StageOutcome]:
    """Returns the outcomes that a run's manifest holds.

    Raises:
        InputError: There is no such run.
    """
    stages = load_manifest(run_dir).get("stages")
    if not stages:
        raise InputError(
            "Expected a run that was started before.",
            received={"run": run_dir.name},
            advice="`python -m scenebook report` makes one.",
        )
    return [StageOutcome(name=name, **entry) for name, entry in stages.items()]
