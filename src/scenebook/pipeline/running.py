"""Runs the stages that have to run, in order, and writes down what happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import psutil

from scenebook.core.errors import StageError
from scenebook.core.provenance import sha256_file, tell_time
from scenebook.core.run_directory import RunDirectory, write_bytes
from scenebook.core.run_files import SETTINGS
from scenebook.core.settings import Settings
from scenebook.core.stages import STAGES
from scenebook.pipeline.execution import execute_notebook, explain_os_error
from scenebook.pipeline.manifest import Manifest, StageOutcome, StageStatus
from scenebook.pipeline.notebooks import read_notebook, renew_prose
from scenebook.pipeline.planning import Decision, Planner, check_stages, join_reasons
from scenebook.pipeline.run_lock import hold_run


class Listener(Protocol):
    """Hears what the pipeline does, to show it."""

    def stage_started(self, stage: str, number: int, total: int, reason: str) -> None: ...

    def stage_skipped(self, stage: str, number: int, total: int) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None: ...


def explain_pipeline(
    settings: Settings,
    run_dir: RunDirectory,
    *,
    profile: str,
    notebooks_dir: Path | None = None,
    force: Collection[str] = (),
) -> list[Decision]:
    """Returns what `run_pipeline` with the same arguments would run, and why, without running anything."""
    return Planner(settings, Manifest(run_dir, profile), notebooks=notebooks_dir, force=force).decide_all()


def run_pipeline(
    settings: Settings,
    run_dir: RunDirectory,
    *,
    profile: str,
    listener: Listener,
    notebooks_dir: Path | None = None,
    force: Collection[str] = (),
    time_limit: int | None = None,
) -> None:
    """Runs the stages whose key has changed, in order; the first one that fails ends the run.

    Args:
        settings: With absolute paths.
        run_dir: The run.
        profile: The profile's name, kept in the manifest.
        listener: Is told what happens.
        notebooks_dir: The folder of the notebooks, for tests.
        force: Stages that run in any case; `all` names every one.
        time_limit: How long a cell may take, in seconds; `None`: as long as it takes.

    Raises:
        StageError: A stage failed.
        RunHeldError: Another command is writing to this run.
        InputError: The run's folder cannot be written to, or its manifest is of a newer version.
    """
    check_stages(force)
    with hold_run(run_dir):
        manifest = Manifest(run_dir, profile)
        planner = Planner(settings, manifest, notebooks=notebooks_dir, force=force)
        runner = _Runner(planner, manifest, run_dir, listener, time_limit)
        runner.mend_settings()
        for number, stage in enumerate(STAGES, start=1):
            runner.pass_stage(stage, number)


@dataclass
class _Runner:
    """Runs or skips stage after stage of one run."""

    planner: Planner
    manifest: Manifest
    run_dir: RunDirectory
    listener: Listener
    time_limit: int | None
    _begun: bool = False

    def pass_stage(self, stage: str, number: int) -> None:
        """Runs a stage, or skips it."""
        decision = self.planner.decide(stage)
        if not decision.run:
            if decision.prose:
                self._renew_prose(stage)
            self.listener.stage_skipped(stage, number, len(STAGES))
            return
        self._begin()
        reason = join_reasons(decision.reasons)
        notebook = f"{STAGES[stage].notebook}.ipynb"
        outcome = StageOutcome(stage, notebook, StageStatus.RUNNING, reason, started=tell_time())
        # Before its kernel starts, so that whatever happens nobody takes an earlier run's results for this one's.
        self.manifest.record(outcome)
        if decision.forced:
            # Whoever forces a training wants it done again, not loaded.
            for path in [path for files in STAGES[stage].forgotten for path in self.run_dir.root.glob(files)]:
                path.unlink(missing_ok=True)
        try:
            self.listener.stage_started(stage, number, len(STAGES), reason)
            outcome, error = self._run(stage, outcome)
        except KeyboardInterrupt:
            self.manifest.record(replace(outcome, status=StageStatus.INTERRUPTED))
            raise
        self.manifest.record(outcome)
        self.listener.stage_ended(outcome)
        if error:
            raise error

    def mend_settings(self) -> None:
        """Writes the settings of a finished run again where they are missing or damaged, or none that a stage reads."""
        if self.manifest.content["stages"] and self.manifest.digest_of(SETTINGS) != self.planner.settings_digest:
            self._begin()
            self.manifest.write()

    def _begin(self) -> None:
        """Notes the settings, before the first stage that runs."""
        if not self._begun:
            self._begun = True
            self.manifest.begin()
            write_bytes(self.run_dir.path(SETTINGS), self.planner.settings_text.encode())
            self.manifest.register(SETTINGS, "settings")

    def _run(self, stage: str, outcome: StageOutcome) -> tuple[StageOutcome, StageError | None]:
        notebook = self.planner.notebook_of(stage)
        source, key = sha256_file(notebook.path), self.planner.prepare_key(stage)
        for folder in {stage, "figures", "notebooks", *(file.split("/")[0] for file in STAGES[stage].elsewhere)}:
            # What a killed command has not given its name.
            for path in self.run_dir.path(folder).glob(".*"):
                if path.is_file():
                    path.unlink(missing_ok=True)
        before = self.manifest.snapshot()
        started = time.monotonic()
        error: StageError | None = None
        touched: set[str] = set()
        log = self.run_dir.path(f"log/{stage}.txt")
        with PeakMemory() as memory:
            try:
                touched = execute_notebook(
                    stage,
                    notebook.path,
                    self.run_dir.path(f"notebooks/{outcome.notebook}"),
                    self.planner.parameters_of(stage),
                    log,
                    lambda text: self.listener.progress(stage, text),
                    runs_dir=self.run_dir.root.parent,
                    time_limit=self.time_limit,
                )
            except StageError as caught:
                error = caught
            except OSError as caught:
                error = StageError(stage, explain_os_error(caught), notebook=None, log=log, cell=None)
        if error and error.was_killed:
            total = psutil.virtual_memory().total / 2**20
            error.reason += f" (Its processes had taken {memory.peak_mb:,.0f} of {total:,.0f} MB.)"
        self.manifest.collect(stage, before, touched, whole=error is None)
        outcome = replace(
            outcome,
            status=StageStatus.FAILED if error else StageStatus.DONE,
            reason=error.reason if error else outcome.reason,
            seconds=round(time.monotonic() - started, 2),
            memory_mb=memory.peak_mb,
            key={} if error else self.planner.complete_key(stage, key, touched),
            source=source,
        )
        return outcome, error

    def _renew_prose(self, stage: str) -> None:
        """Gives the executed notebook the prose that its source has by now."""
        source, entry = self.planner.notebook_of(stage), self.manifest.content["stages"][stage]
        name = f"notebooks/{entry['notebook']}"
        renew_prose(source, read_notebook(self.run_dir.path(name)))
        self.manifest.register(name, stage)
        entry["source"] = sha256_file(source.path)
        self.manifest.write()


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
