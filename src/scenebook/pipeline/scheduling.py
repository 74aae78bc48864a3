"""Which stage may start now: what it needs is done, and cores and memory are left for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from subprocess import Popen
from typing import Any

import psutil

from scenebook.core.settings import Settings
from scenebook.core.stages import STAGES, find_needed, find_producer
from scenebook.data.pools import count_cores
from scenebook.pipeline.manifest import Manifest

_UNKNOWN_MB = 3000.0
"""Of memory that a stage may need of which nothing is known."""
_SPARED = 0.1
"""Share of the free memory that is left to other programs."""


class Schedule:
    """Says which stage comes next. Stages that do not need one another run side by side.

    The manifest knows what earlier runs have found out: memory, seconds, and which files a stage reads. `planned` are
    the stages that will be run, as far as that is known.
    """

    def __init__(self, settings: Settings, manifest: Manifest, planned: Collection[str]) -> None:
        entries: Mapping[str, Mapping[str, Any]] = manifest.content["stages"]
        self.waiting = list(STAGES)
        self._running: dict[str, float] = {}
        self._cores = count_cores()
        self._free_mb = 0.0
        self._memory = {name: float(entry["memory_mb"]) for name, entry in entries.items() if entry.get("memory_mb")}
        self._seconds = {stage: entries.get(stage, {}).get("seconds") for stage in planned}
        self._needed: dict[str, set[str]] = {stage: {*find_needed(stage)} for stage in STAGES}
        for stage in STAGES:
            # A notebook that somebody has edited may read more than the table says.
            self.add_needs(stage, map(manifest.producer_of, entries.get(stage, {}).get("key", {}).get("inputs", ())))
        on_all = {stage: row.on_all_cores for stage, row in STAGES.items() if row.on_all_cores}
        self._alone = {stage for stage, setting in on_all.items() if getattr(settings, setting) != "none"}

    def list_ready(self) -> list[str]:
        """Returns the waiting stages of which all that they need is done, in the order of the table."""
        unfinished = {*self.waiting, *self._running}
        return [stage for stage in self.waiting if not self._needed[stage] & unfinished]

    def list_next(self) -> list[str]:
        """Returns the waiting stages that may start when those that run have ended."""
        return [stage for stage in self.waiting if not self._needed[stage] & {*self.waiting}]

    def has_room(self, stage: str) -> bool:
        """Tells whether a stage may start beside those that run."""
        if not self._running:
            self._free_mb = psutil.virtual_memory().available / 2**20
            return True
        together = [*self._running, stage]
        if len(together) > self._cores or self._alone & {*together}:
            return False
        largest = max(self._memory.values(), default=_UNKNOWN_MB)
        return sum(self._memory.get(one, largest) for one in together) <= self._free_mb * (1 - _SPARED)

    def start(self, stage: str) -> None:
        """Notes that a stage runs now."""
        self.waiting.remove(stage)
        self._running[stage] = time.monotonic()

    def end(self, stage: str, memory_mb: float = 0.0) -> None:
        """Notes that a stage has ended, or need not run."""
        self._running.pop(stage, None)
        self._seconds.pop(stage, None)
        if stage in self.waiting:
            self.waiting.remove(stage)
        if memory_mb:
            self._memory[stage] = memory_mb

    def put_back(self, stage: str, needs: Collection[str]) -> None:
        """Notes that a stage that has ended has to run again, after others that it turned out to need."""
        del self._running[stage]
        self.waiting.insert(0, stage)
        self.add_needs(stage, needs)

    def add_needs(self, stage: str, others: Any) -> None:
        """Notes that a stage runs after others; those that come later in the table do not count."""
        names = list(STAGES)
        earlier = {*others} & {*names[: names.index(stage)]}
        self._needed[stage] |= earlier.union(*(self._needed[name] for name in earlier))

    def find_beside(self, stage: str, touched: Collection[str], beside: Collection[str]) -> set[str]:
        """Returns which of the stages `beside` one write files that it has asked for, without waiting for them."""
        producers = {producer.name for producer in map(find_producer, touched) if producer}
        return producers & {*beside} - self._needed[stage] - {stage}

    def estimate_seconds(self) -> float | None:
        """Returns how long the rest takes if every stage takes as long as the last time; `None` where that is unknown.

        That is the longest way through what waits for what, or all work on all cores, whichever takes longer.
        """
        if any(seconds is None for seconds in self._seconds.values()):
            return None
        now = time.monotonic()
        rest = {
            stage: max(0.0, float(seconds or 0) - (now - self._running.get(stage, now)))
            for stage, seconds in self._seconds.items()
        }
        ends: dict[str, float] = {}
        for stage in STAGES:
            ends[stage] = rest.get(stage, 0.0) + max((ends[name] for name in self._needed[stage]), default=0.0)
        return max([*ends.values(), sum(rest.values()) / self._cores])


class PeakMemory:
    """Measures the largest memory of processes with all that they have started: twice a second, at first more often.

    Of one process it is the resident memory. Where there are several, and the system is Linux, pages that they share,
    those of libraries above all, are divided between those that have them (proportional set size).

    Args:
        processes: May grow while it measures. `None`: all that this process has started.
    """

    def __init__(self, processes: Sequence[Popen[bytes]] | None = None) -> None:
        self.peak_mb = 0.0
        self._cpu_seconds: dict[tuple[int, float], float] = {}
        self._processes, self._resident = processes, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def cpu_seconds(self) -> float:
        return round(sum(self._cpu_seconds.values()), 1)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = 0.1  # a stage may take less than half a second
        while not self._stop.wait(pause):
            pause = min(0.5, pause * 1.2)
            resident, processes = 0, self._list()
            for process in processes:
                with suppress(psutil.Error):  # it ended between the two calls
                    resident += process.memory_info().rss
                    times = process.cpu_times()
                    # A process number may be given again; one that has been waiting had times before.
                    self._cpu_seconds[process.pid, process.create_time()] = times.user + times.system
            if resident > self._resident:
                self._resident = resident
                self.peak_mb = max(self.peak_mb, round(_share_out(processes, resident) / 2**20, 1))

    def _list(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        with suppress(psutil.Error):  # it has just ended
            if self._processes is None:
                return psutil.Process().children(recursive=True)
            for process in [psutil.Process(started.pid) for started in self._processes]:
                found += [process, *process.children(recursive=True)]
        return found


def _share_out(processes: Sequence[psutil.Process], resident: int) -> int:
    """Returns the memory of processes in bytes, with what they share counted once.

    It takes 10 ms of CPU for each that has TensorFlow: so it is not asked for unless resident memory has grown.
    """
    if len(processes) == 1 or not psutil.LINUX:
        return resident
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total
