"""Runs the stages in order and writes down what happened."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from scenebook.artifacts import SETTINGS, STAGE_NOTEBOOKS, RunDirectory, project_root, write_bytes
from scenebook.config import Settings, check_names
from scenebook.errors import ScenebookError, StageError
from scenebook.pipeline.checks import read_parameters
from scenebook.pipeline.execution import PeakMemory, execute_notebook
from scenebook.pipeline.manifest import Manifest, StageOutcome, stored_outcomes


class Listener(Protocol):
    """Hears what the pipeline does, to show it."""

    def stage_started(self, stage: str, number: int, total: int) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None: ...


def run_pipeline(
    settings: Settings,
    run_dir: RunDirectory,
    *,
    profile: str,
    listener: Listener,
    notebooks_dir: Path | None = None,
    only: Collection[str] = tuple(STAGE_NOTEBOOKS),
) -> list[StageOutcome]:
    """Runs the stages in order; the first one that fails ends the run.

    Args:
        settings: With absolute paths.
        run_dir: The run.
        profile: The profile's name, kept in the manifest.
        listener: Is told what happens.
        notebooks_dir: The folder of the notebooks, for tests.
        only: Names of the stages to run; the others are done, and keep the outcome that the manifest has.

    Returns:
        An outcome a stage, in order. The manifest holds the same.
    """
    folder = notebooks_dir or project_root() / "notebooks"
    parameters = {stage: _parameters_for(stage, folder, settings, run_dir) for stage in STAGE_NOTEBOOKS}
    done = {} if set(STAGE_NOTEBOOKS) <= set(only) else {outcome.name: outcome for outcome in stored_outcomes(run_dir)}
    manifest = Manifest(run_dir, profile)
    before = manifest.snapshot()
    yaml_text = yaml.safe_dump(settings.model_dump(), sort_keys=False, allow_unicode=True)
    write_bytes(run_dir.path(SETTINGS), yaml_text.encode())
    manifest.collect("settings", before)
    # Before the first kernel starts, so that whatever happens nobody takes an earlier run's results for this one's.
    outcomes = {
        stage: StageOutcome(stage, f"{name}.ipynb", "not run", "a stage before it did not end")
        if stage in only
        else done[stage]
        for stage, name in STAGE_NOTEBOOKS.items()
    }
    for outcome in outcomes.values():
        manifest.record(outcome)
    chosen = [stage for stage in STAGE_NOTEBOOKS if stage in only]
    for number, stage in enumerate(chosen, start=1):
        name = STAGE_NOTEBOOKS[stage]
        try:
            listener.stage_started(stage, number, len(chosen))
            outcome, error = _run_stage(stage, folder / f"{name}.ipynb", parameters[stage], run_dir, listener, manifest)
        except KeyboardInterrupt:
            manifest.record(replace(outcomes[stage], status="interrupted", reason="interrupted from the keyboard"))
            raise
        listener.stage_ended(outcome)
        outcomes[stage] = outcome
        manifest.record(outcome)
        if error:
            raise PipelineFailedError(error, list(outcomes.values()), run_dir)
    return list(outcomes.values())


class PipelineFailedError(ScenebookError):
    """A stage of `run_dir` failed; `outcomes` says what became of all of them."""

    def __init__(self, error: StageError, outcomes: list[StageOutcome], run_dir: RunDirectory) -> None:
        super().__init__(error, outcomes, run_dir)
        self.error = error
        self.outcomes = outcomes
        self.run_dir = run_dir
        self.exit_code = error.exit_code

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
