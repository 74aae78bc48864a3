"""Runs the stages that have to run, side by side where they may, and writes down what happened."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import psutil

from scenebook.core.errors import StageError
from scenebook.core.keys import Key
from scenebook.core.provenance import sha256_file, tell_time
from scenebook.core.published_cells import list_edits
from scenebook.core.run_directory import RunDirectory, write_bytes
from scenebook.core.run_files import SETTINGS
from scenebook.core.settings import Settings
from scenebook.core.stages import STAGES
from scenebook.core.wording import join_names
from scenebook.pipeline.execution import execute_notebook, explain_os_error
from scenebook.pipeline.kernels import Kernel, make_kernel_environment
from scenebook.pipeline.manifest import Manifest, StageOutcome, StageStatus
from scenebook.pipeline.notebooks import read_notebook, renew_prose
from scenebook.pipeline.planning import Decision, Planner, join_reasons
from scenebook.pipeline.prewarming import PrewarmedKernels
from scenebook.pipeline.run_lock import hold_run
from scenebook.pipeline.scheduling import PeakMemory, Schedule

_PATIENCE = 8.0
"""Seconds that interrupted stages have to end by themselves."""


class Listener(Protocol):
    """Hears what the pipeline does, to show it. Several stages may run at once; `progress` comes from their threads."""

    def stage_started(self, stage: str, reason: str) -> None: ...

    def stage_skipped(self, stage: str) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None: ...

    def time_left(self, seconds: float | None) -> None: ...


def run_pipeline(
    settings: Settings,
    run_dir: RunDirectory,
    *,
    profile: str,
    listener: Listener,
    notebooks_dir: Path | None = None,
    force: Collection[str] = (),
    time_limit: int | None = None,
    prewarmed: PrewarmedKernels | None = None,
) -> None:
    """Runs the stages whose key has changed; when one fails, those that run beside it end, and no other starts.

    Args:
        settings: With absolute paths.
        notebooks_dir: The folder of the notebooks, for tests.
        force: Stages that run in any case; `all` names every one.
        time_limit: How long a cell may take, in seconds; `None`: as long as it takes.
        prewarmed: Kernels that wait already; none of them does so afterwards.

    Raises:
        StageError: A stage failed; of several, the one that comes first in the table.
        ScenebookError: Another command is writing to this run.
        InputError: The run's folder cannot be written to, or its manifest is of a newer version.
    """
    with hold_run(run_dir):
        manifest = Manifest(run_dir, profile)
        planner = Planner(settings, manifest, notebooks=notebooks_dir, force=force)
        decisions = {decision.stage: decision for decision in planner.decide_all()}
        planned = [stage for stage, decision in decisions.items() if decision.run]
        schedule = Schedule(settings, manifest, planned)
        runner = _Runner(planner, manifest, schedule, run_dir, listener, time_limit, prewarmed or PrewarmedKernels())
        runner.mend_settings()
        # What one writes decides whether the next has to run.
        runner.pass_all({} if planned else decisions)


@dataclass
class _Execution:
    """A stage that runs: its notebook is executed by a thread of its own."""

    outcome: StageOutcome
    key: Key
    before: dict[str, list[int]]
    beside: set[str]
    kernel: Kernel = field(default_factory=Kernel)
    started: float = field(default_factory=time.monotonic)
    thread: threading.Thread = field(default_factory=threading.Thread)
    used: PeakMemory = field(default_factory=PeakMemory)
    error: BaseException | None = None


@dataclass
class _Runner:
    """Runs or skips the stages of one run. Threads execute notebooks; all else is done by the thread that calls."""

    planner: Planner
    manifest: Manifest
    schedule: Schedule
    run_dir: RunDirectory
    listener: Listener
    time_limit: int | None
    prewarmed: PrewarmedKernels
    _begun: bool = False
    _running: dict[str, _Execution] = field(default_factory=dict)
    _ended: queue.SimpleQueue[_Execution] = field(default_factory=queue.SimpleQueue)

    def pass_all(self, decisions: dict[str, Decision]) -> None:
        """Runs or skips every stage, unless one fails; `decisions` are those that are known."""
        failures: dict[str, StageError] = {}
        try:
            while True:
                while not failures and self._pass_next(decisions):
                    pass
                if not self._running:
                    break
                self.listener.time_left(self.schedule.estimate_seconds())
                self._prewarm(decisions)
                try:
                    ended = self._ended.get(timeout=0.5)  # without a limit, Windows would not hear Ctrl-C
                except queue.Empty:
                    continue
                stage = ended.outcome.name
                decisions.pop(stage)
                if early := self.schedule.find_beside(stage, ended.kernel.touched, ended.beside):
                    decisions[stage] = self._put_back(ended, early)
                elif error := self._finish(ended):
                    failures[stage] = error
        except BaseException:
            self._interrupt()
            raise
        finally:
            self.prewarmed.close()
        for stage in filter(failures.get, STAGES):
            raise failures[stage]

    def _pass_next(self, decisions: dict[str, Decision]) -> bool:
        """Skips or starts the next stage; tells whether there was one for which there is room."""
        for stage in self.schedule.list_ready():
            decision = decisions[stage] = decisions.get(stage) or self.planner.decide(stage)
            if not decision.run:
                if decision.prose:
                    self._renew_prose(stage)
                self.schedule.end(stage)
                self.listener.stage_skipped(stage)
                return True
            if self.schedule.has_room(stage):
                self._start(decision)
                return True
        return False

    def _prewarm(self, decisions: dict[str, Decision]) -> None:
        """Has kernels wait for the next stages that will run, as far as that is known."""
        expected = (stage for stage in self.schedule.list_next() if stage not in decisions or decisions[stage].run)
        notebooks = {stage: self.planner.notebook_of(stage) for stage in expected}
        self.prewarmed.prepare(notebooks, make_kernel_environment(self.run_dir.root.parent))

    def mend_settings(self) -> None:
        """Writes the settings of a finished run again where they are missing or damaged, or none that a stage reads."""
        if self.manifest.content["stages"] and self.manifest.digest_of(SETTINGS) != self.planner.settings_digest:
            self._begin()
            self.manifest.write()

    def _begin(self) -> None:
        """Notes the settings, before the first stage that runs, and removes what a killed command has left."""
        if not self._begun:
            self._begun = True
            self.manifest.begin()
            write_bytes(self.run_dir.path(SETTINGS), self.planner.settings_text.encode())
            self.manifest.register(SETTINGS, "settings")
            for folder in (*STAGES, "figures", "notebooks"):
                for path in filter(Path.is_file, self.run_dir.path(folder).glob(".*")):
                    path.unlink(missing_ok=True)

    def _start(self, decision: Decision) -> None:
        stage = decision.stage
        self._begin()
        reason = join_reasons(decision.reasons)
        notebook = self.planner.notebook_of(stage)
        outcome = StageOutcome(stage, notebook.path.name, StageStatus.RUNNING, reason, started=tell_time())
        # Before its kernel starts, so that whatever happens nobody takes an earlier run's results for this one's.
        self.manifest.record(outcome)
        if decision.forced:
            # Whoever forces a training wants it done again, not loaded.
            for path in [path for files in STAGES[stage].forgotten for path in self.run_dir.root.glob(files)]:
                path.unlink(missing_ok=True)
        outcome = replace(outcome, source=sha256_file(notebook.path))
        one = _Execution(outcome, self.planner.prepare_key(stage), self.manifest.snapshot(), {*self._running})
        for other in self._running.values():
            other.beside.add(stage)
        self._running[stage] = one
        self.schedule.start(stage)
        self.listener.stage_started(stage, reason)
        self.prewarmed.check(stage, notebook, make_kernel_environment(self.run_dir.root.parent))
        one.thread = threading.Thread(target=self._execute, args=(one, notebook.path), daemon=True)
        one.thread.start()

    def _execute(self, one: _Execution, notebook: Path) -> None:
        stage = one.outcome.name
        log = self.run_dir.path(f"log/{stage}.txt")
        try:
            with PeakMemory(one.kernel.processes) as one.used:
                execute_notebook(
                    stage,
                    notebook,
                    self.run_dir.path(f"notebooks/{one.outcome.notebook}"),
                    self.planner.parameters_of(stage),
                    log,
                    lambda text: self.listener.progress(stage, text),
                    runs_dir=self.run_dir.root.parent,
                    time_limit=self.time_limit,
                    kernel=one.kernel,
                    prewarmed=self.prewarmed,
                )
        except OSError as caught:
            one.error = StageError(stage, explain_os_error(caught), notebook=None, log=log, cell=None)
        except BaseException as caught:  # is raised again by the thread that waits
            one.error = caught
        finally:
            self._ended.put(one)

    def _finish(self, one: _Execution) -> StageError | None:
        """Writes down how a stage has ended; returns why it failed, if it did."""
        stage, error, touched = one.outcome.name, one.error, one.kernel.touched
        if error is not None and not isinstance(error, StageError):
            raise error
        if error and error.was_killed:
            error.reason += f" (It had taken {one.used.peak_mb:,.0f} of {psutil.virtual_memory().total >> 20:,} MB.)"
        if error and error.notebook:
            error.edited = list_edits(error.notebook)
        self.manifest.collect(stage, one.before, touched, whole=error is None)
        outcome = replace(
            one.outcome,
            status=StageStatus.FAILED if error else StageStatus.DONE,
            reason=error.reason if error else one.outcome.reason,
            seconds=round(time.monotonic() - one.started, 2),
            cpu_seconds=one.used.cpu_seconds,
            memory_mb=one.used.peak_mb,
            key={} if error else self.planner.complete_key(stage, one.key, touched),
        )
        self.manifest.record(outcome)
        self.schedule.end(stage, one.used.peak_mb)
        del self._running[stage]
        self.listener.stage_ended(outcome)
        return error

    def _put_back(self, one: _Execution, early: set[str]) -> Decision:
        """Has a stage run again that may have read what others were about to write; returns that decision."""
        stage, reason = one.outcome.name, f"reads what {join_names(sorted(early))} writes, which ran beside it"
        self.manifest.collect(stage, one.before, whole=False)
        outcome = replace(one.outcome, status=StageStatus.NOT_RUN, reason=reason)
        self.manifest.record(outcome)
        self.schedule.put_back(stage, early)
        del self._running[stage]
        self.listener.stage_ended(outcome)
        return Decision(stage, (reason,))

    def _interrupt(self) -> None:
        alive = [one for one in self._running.values() if one.thread.is_alive()]
        for one in alive:
            one.kernel.stop()
        try:
            patience = time.monotonic() + _PATIENCE
            for one in alive:
                one.thread.join(max(0.0, patience - time.monotonic()))
        finally:
            for one in self._running.values():
                one.kernel.kill()
                self.manifest.record(replace(one.outcome, status=StageStatus.INTERRUPTED, source=""))

    def _renew_prose(self, stage: str) -> None:
        source, entry = self.planner.notebook_of(stage), self.manifest.content["stages"][stage]
        name = f"notebooks/{entry['notebook']}"
        renew_prose(source, read_notebook(self.run_dir.path(name)))
        self.manifest.register(name, stage)
        entry["source"] = sha256_file(source.path)
        self.manifest.write()
