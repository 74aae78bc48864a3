"""In which order the trainings of a study are done, what the feature cache keeps for them, and how far it is."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scenebook.core.backbones import RANDOM
from scenebook.core.progress import describe_seconds, update_progress
from scenebook.core.wording import count_noun
from scenebook.study.plan import BASE
from scenebook.study.trials import Trial

_NAMED = 4
_SILENCE = 10.0
"""The longest time between two lines of progress while tasks run, in seconds."""


@dataclass(frozen=True)
class Speed:
    """How fast a variant's network is, as `variants.measure_speed` found.

    Attributes:
        start: Seconds until the first batch can be trained on.
        base: Images a second through the frozen layers.
        tail: Images a second in training of the trainable layers.
        row_bytes: What the feature cache takes for an image.
    """

    start: float
    base: float
    tail: float
    row_bytes: int


@dataclass(frozen=True)
class Task:
    """A part of a study, for a worker: a training, or views that are filled into the feature cache.

    Attributes:
        trial: The training; of views, one of those that share them.
        images: Rows of the table of splits, int64 `(n,)`: those that are trained on, or whose views are filled in.
        seconds: What it is estimated to take on one worker.
        keep_views: Whether the views of a training are kept in the feature cache.
        epochs: The epochs whose views are filled in.
    """

    name: str
    trial: Trial
    images: np.ndarray
    seconds: float = 0.0
    keep_views: bool = True
    epochs: Sequence[int] = ()


@dataclass
class Round:
    """Trainings that share the feature cache's room, the longest first; before them it is filled."""

    fillings: list[Task] = field(default_factory=list)
    trainings: list[Task] = field(default_factory=list)
    cache_bytes: float = 0.0


def network_of(trial: Trial) -> Hashable:
    """Returns what a training's speed depends on, as it is measured: that of its first phase."""
    settings = trial.settings
    head = (settings.head_pooling, settings.head_units, settings.head_start)
    return settings.backbone, settings.weights, _first_phase(trial), *head, settings.optimizer, settings.batch_size


def _first_phase(trial: Trial) -> Hashable:
    """Returns which layers the first phase of a training has, for which the feature cache is filled beforehand."""
    settings = trial.settings
    if settings.epochs:
        return trial.layers
    return ("fine-tuning", settings.fine_tune_layers) if settings.fine_tune_epochs else "none"


def _count_epochs(trial: Trial) -> int:
    """Returns how many epochs the first phase of a training has at most."""
    return trial.settings.epochs or trial.settings.fine_tune_epochs


def _feature_cache_of(trial: Trial) -> Hashable:
    """Returns what the frozen layers' output for an image depends on: trainings of the same read the same rows."""
    settings = trial.settings
    # Random weights are other frozen layers for each seed.
    seed = settings.seed if settings.weights == RANDOM else None
    views = (*settings.augmentation.values(), settings.augmentation_seed)
    return settings.backbone, settings.weights, *views, settings.preprocessing, _first_phase(trial), seed


def plan_rounds(
    trials: Sequence[Trial],
    speeds: Mapping[Hashable, Speed],
    *,
    feature_cache_gb: float,
    workers: int = 1,
    plan: Sequence[Trial] = (),
) -> list[Round]:
    """Divides the trainings of a study into rounds, and estimates them.

    Views that several trainings share, or that are shown again, are kept, and computed once, before the first of them;
    the run's own views are kept in any case. Each round's views fit into the feature cache together, unless those of a
    single variant do not: then as many epochs are kept as fit. Speeds are by `network_of`; workers share the epochs
    that are filled in. Trainings of the whole plan may share views, too: they are done later, or are done.
    """
    planned = Counter(map(_feature_cache_of, plan))
    groups: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(_feature_cache_of(trial), []).append(trial)
    rounds, room = [Round()], feature_cache_gb * 1e9
    for key, group in groups.items():
        first = max(group, key=lambda trial: trial.settings.views or math.inf)
        speed = speeds[network_of(first)]
        images = np.unique(np.concatenate([trial.fold.train for trial in group]))
        epoch_bytes = len(images) * speed.row_bytes
        # All images as they are, too: they are kept for the over-fitting gap.
        plain_bytes = (len(first.fold.train) + len(first.fold.validation)) * speed.row_bytes
        repeated = any(_count_views(trial) < _count_epochs(trial) for trial in group)
        is_own = any(trial.variant.name == BASE for trial in group)
        several = max(len(group), planned[key]) > 1
        shared = first.settings.is_augmented and (several or is_own or repeated)
        fitting = max(0, int((room - plain_bytes) // epoch_bytes))
        # Views that at least two trainings have; of one training alone, all that it has.
        epochs = sorted(map(_count_views, group))[-2:][0]
        kept = min(fitting, epochs) if shared else 0
        needed = min(room, plain_bytes + kept * epoch_bytes)
        if rounds[-1].trainings and rounds[-1].cache_bytes + needed > room:
            rounds.append(Round())
        rounds[-1].cache_bytes += needed
        seconds = speed.start + kept * len(images) / speed.base
        for part in range(min(workers, kept)):
            name, mine = f"views of {first.variant.title}, part {part + 1}", range(part, kept, workers)
            rounds[-1].fillings.append(Task(name, first, images, seconds * len(mine) / kept, epochs=mine))
        for number, trial in enumerate(group):
            # What the first one computes of the images as they are, the others read. It is begun before them, as it
            # takes longest: then none of them computes the same beside it.
            is_read = number > 0 and plain_bytes <= room and not first.settings.is_augmented
            estimated = _estimate(trial, speeds[network_of(trial)], kept, is_read=is_read)
            keep_views = shared or not trial.settings.is_augmented
            rounds[-1].trainings.append(Task(trial.name, trial, trial.fold.train, estimated, keep_views))
    for one in rounds:
        one.trainings.sort(key=lambda training: -training.seconds)
    return rounds


def _count_views(trial: Trial) -> int:
    """Returns how many views the first phase of a training has of each image."""
    epochs = _count_epochs(trial)
    return min(epochs, trial.settings.views or epochs)


def _estimate(trial: Trial, speed: Speed, kept: int, *, is_read: bool) -> float:
    """Returns the seconds of a training, of which `kept` epochs are in the feature cache, and perhaps plain images."""
    settings, images = trial.settings, len(trial.fold.train)
    # A second phase is counted as if it were as fast as the first.
    epochs = range(settings.epochs + settings.fine_tune_epochs)
    views = [settings.view_of(epoch) for epoch in epochs if settings.is_augmented]
    # All images as they are, too: without augmentation they are those of every epoch.
    computed = (not is_read) + sum(view >= kept for view in views)
    return speed.start + computed * images / speed.base + (len(epochs) + 1) * images / speed.tail


def estimate_seconds(rounds: Sequence[Round], workers: int) -> float:
    """Returns how long all rounds take, workers sharing out the work evenly but for the longest training."""
    filling = sum(task.seconds for one in rounds for task in one.fillings) / workers
    return filling + sum(_share_out([task.seconds for task in one.trainings], workers) for one in rounds)


def _share_out(seconds: Sequence[float], workers: int) -> float:
    return max([sum(seconds) / max(1, workers), *seconds])


def describe_feature_cache(rounds: Sequence[Round], feature_cache_gb: float) -> str:
    """Returns how much of the disk the feature cache takes at most, as a clause."""
    needed = sum(one.cache_bytes for one in rounds) / 1e9
    if feature_cache_gb == 0:
        return "nothing is kept in the feature cache (feature_cache_gb is 0)"
    if needed <= feature_cache_gb:
        return f"the feature cache takes up to {needed:.1f} GB"
    return (
        f"the feature cache would take {needed:.1f} GB and may take {feature_cache_gb:g} (feature_cache_gb): "
        f"it is filled and emptied in {len(rounds)} rounds"
    )


class StudyProgress:
    """Tells of tasks that several workers run: a line with every change, and another when it has been quiet.

    A task takes as long as was estimated before, times what those that are done have taken more or less.

    Args:
        tasks: In the order in which they are begun.
        workers: How many tasks run at once.
        done: How many others are done already; they are counted as well.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        workers: int,
        *,
        title: str = "ablations",
        noun: str = "row",
        done: int = 0,
        report: Callable[[str], None] = update_progress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = workers
        self._tasks = tasks
        self._title, self._noun, self._before = title, noun, done
        self._report, self._clock = report, clock
        self._begun = self._told = clock()
        self._running: dict[int, float] = {}
        self._done: set[int] = set()
        self._failed = 0
        self._estimated = self._taken = 0.0

    def started(self, position: int) -> None:
        """Notes that a task runs, from now on; also when it has to be run again."""
        self._running[position] = self._clock()
        self._tell()

    def ended(self, position: int, *, failed: bool = False) -> None:
        """Notes that a task has ended."""
        started = self._running.pop(position, None)
        self._done.add(position)
        self._failed += failed
        # What failed says nothing of how long the others take: mostly it ends early.
        if started is not None and not failed:
            self._estimated += self._tasks[position].seconds
            self._taken += self._clock() - started
        self._tell()

    def tick(self, workers: int) -> None:
        """Tells again when it has been quiet for too long. There are so many workers now."""
        self.workers = workers
        if self._clock() - self._told >= _SILENCE:
            self._tell()

    def estimate_seconds(self) -> float:
        """Returns the estimated seconds until all tasks have ended."""
        now, factor = self._clock(), self._measure_factor()
        left = [
            max(0.0, task.seconds * factor - (now - self._running.get(position, now)))
            for position, task in enumerate(self._tasks)
            if position not in self._done
        ]
        return _share_out(left, self.workers)

    def _measure_factor(self) -> float:
        now, estimated, taken = self._clock(), self._estimated, self._taken
        for position, started in self._running.items():
            # One that should have ended by now is known to take at least this long.
            if now - started > self._tasks[position].seconds:
                estimated += self._tasks[position].seconds
                taken += now - started
        return taken / estimated if estimated > 0 else 1.0

    def _tell(self) -> None:
        self._told = self._clock()
        done, total = len(self._done) + self._before, len(self._tasks) + self._before
        failed = f" ({self._failed} failed)" if self._failed else ""
        line = f"{self._title}: {done:,} of {count_noun(total, self._noun)} done{failed}"
        if done == total:
            self._report(f"{line} in {describe_seconds(self._told - self._begun)}")
            return
        running, left = len(self._running), total - done - len(self._running)
        names = [self._tasks[position].name for position in sorted(self._running)[:_NAMED]]
        more = [f"{running - _NAMED} more"] if running > _NAMED else []
        told = f"{running} running" + (f" ({'; '.join(names + more)})" if running else "")
        without = "" if self.workers else "; waiting for a worker"
        self._report(f"{line}, {told}, {left} left, about {describe_seconds(self.estimate_seconds())}{without}")
