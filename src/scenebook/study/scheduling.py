"""In which order the trainings of a study are done, what the feature cache keeps for them, and how long it takes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scenebook.core.backbones import RANDOM
from scenebook.study.plan import BASE
from scenebook.study.trials import Trial


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
class Planned:
    """A training in a round.

    Attributes:
        trial: The training.
        seconds: What it is estimated to take on a worker.
        keep_views: Whether its views are kept in the feature cache.
    """

    trial: Trial
    seconds: float
    keep_views: bool


@dataclass(frozen=True)
class Filling:
    """What is filled into the feature cache before the trainings of a round.

    Attributes:
        trial: One of the trainings that share these views.
        images: Rows of the table of splits, int64 `(n,)`.
        epochs: How many epochs, from the first.
        seconds: What it is estimated to take on one worker.
    """

    trial: Trial
    images: np.ndarray
    epochs: int
    seconds: float


@dataclass
class Round:
    """Trainings that share the feature cache's room: what they have in common is filled in first.

    Attributes:
        fillings: What is filled in.
        planned: The trainings, the longest first.
        cache_bytes: How much of the feature cache they use.
    """

    fillings: list[Filling] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    cache_bytes: float = 0.0


def network_of(trial: Trial) -> Hashable:
    """Returns what a training's speed depends on."""
    settings = trial.settings
    return trial.layers, settings.head_pooling, settings.head_units, settings.batch_size


def feature_cache_of(trial: Trial) -> Hashable:
    """Returns what the frozen layers' output for an image depends on: trainings of the same read the same rows."""
    settings = trial.settings
    # Random weights are other frozen layers for each seed.
    seed = settings.seed if settings.weights == RANDOM else None
    views = (*settings.augmentation.values(), settings.augmentation_seed)
    return *views, settings.preprocessing, trial.layers, seed


def plan_rounds(trials: Sequence[Trial], speeds: Mapping[Hashable, Speed], *, feature_cache_gb: float) -> list[Round]:
    """Divides the trainings of a study into rounds, and estimates them.

    Views that several trainings share are kept, and computed once, before the first of them; the run's own views are
    kept in any case. Each round's views fit into the feature cache together, unless those of a single variant do not:
    then as many epochs are kept as fit.

    Args:
        trials: What is to be done.
        speeds: By `network_of`.
        feature_cache_gb: The setting of that name.
    """
    groups: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(feature_cache_of(trial), []).append(trial)
    rounds, room = [Round()], feature_cache_gb * 1e9
    for group in groups.values():
        first, speed = group[0], speeds[network_of(group[0])]
        images = np.unique(np.concatenate([trial.fold.train for trial in group]))
        epoch_bytes = len(images) * speed.row_bytes
        # All images as they are, too: they are kept for the over-fitting gap.
        plain_bytes = (len(first.fold.train) + len(first.fold.validation)) * speed.row_bytes
        shared = first.settings.is_augmented and (len(group) > 1 or first.variant.name == BASE)
        fitting = max(0, int((room - plain_bytes) // epoch_bytes))
        kept = min(fitting, _count_shared_epochs(group)) if shared else 0
        needed = min(room, plain_bytes + kept * epoch_bytes)
        if rounds[-1].planned and rounds[-1].cache_bytes + needed > room:
            rounds.append(Round())
        rounds[-1].cache_bytes += needed
        if kept:
            seconds = speed.start + kept * len(images) / speed.base
            rounds[-1].fillings.append(Filling(first, images, kept, seconds))
        for trial in group:
            estimated = _estimate(trial, speeds[network_of(trial)], kept)
            rounds[-1].planned.append(Planned(trial, estimated, shared or not trial.settings.is_augmented))
    for one in rounds:
        one.planned.sort(key=lambda planned: -planned.seconds)
    return rounds


def _count_shared_epochs(group: Sequence[Trial]) -> int:
    """Returns how many epochs at least two trainings have; of one training alone, all that it has."""
    epochs = sorted((trial.settings.epochs for trial in group), reverse=True)
    return int(epochs[min(1, len(epochs) - 1)])


def _estimate(trial: Trial, speed: Speed, kept: int) -> float:
    """Returns the seconds of a training, of which `kept` epochs are in the feature cache."""
    epochs, images = trial.settings.epochs, len(trial.fold.train)
    # Without augmentation the first epoch's images are those of all others.
    computed = 1 if not trial.settings.is_augmented else max(0, epochs - kept) + 1
    passes = (epochs + 1) * images / speed.tail
    return speed.start + computed * images / speed.base + passes


def estimate_seconds(rounds: Sequence[Round], workers: int) -> float:
    """Returns how long all rounds take, workers sharing out the work evenly but for the longest training."""
    total = 0.0
    for one in rounds:
        trainings = [planned.seconds for planned in one.planned]
        total += sum(filling.seconds for filling in one.fillings) / workers
        total += max([sum(trainings) / workers, *trainings], default=0.0)
    return total


def describe_feature_cache(rounds: Sequence[Round], feature_cache_gb: float) -> str:
    """Returns how much of the disk the feature cache takes at most, as a clause."""
    needed = sum(one.cache_bytes for one in rounds) / 1e9
    if feature_cache_gb == 0:
        return "nothing is kept in the feature cache (feature_cache_gb is 0)"
    if needed <= feature_cache_gb:
        return f"the feature cache takes up to {needed:.1f} GB"
    return (
        f"the feature cache would take {needed:.1f} GB and may take "
        f"{feature_cache_gb:g} (feature_cache_gb): it is filled and "
        f"emptied in {len(rounds)} rounds"
    )
