"""A study: every training that is not done yet goes to a worker, and what comes back is kept at once."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scenebook.core.backbones import NAMED_WEIGHTS
from scenebook.core.progress import describe_seconds, print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings
from scenebook.core.wording import count_noun
from scenebook.study.cluster import Cluster, open_cluster
from scenebook.study.fan_out import TaskResult, run_tasks
from scenebook.study.records import FAILED, Record, write_record
from scenebook.study.scheduling import Round, Speed, describe_feature_cache, estimate_seconds, network_of, plan_rounds
from scenebook.study.study_progress import SweepProgress
from scenebook.study.trials import Task, Trial

_WORKER_GB = 1.5
_BYTES_A_WEIGHT = 24
"""A trained weight, its gradient, its momentum, and as much again while a step is computed: measured with a head of 52
million weights."""


def list_pending(trials: Sequence[Trial], records: Sequence[Record]) -> list[Trial]:
    """Returns the trials that are not done.

    One whose loss diverged would diverge again; any other failure is tried again.

    Args:
        trials: All of a study.
        records: What is kept of them.
    """
    final = {record.key for record in records if record.status != FAILED or record.diverged}
    return [trial for trial in trials if trial.key not in final]


def run_study(
    run_dir: RunDirectory,
    trials: Sequence[Trial],
    settings: Settings,
    *,
    trainable_params: int,
    done: int,
    scheduler: str | None = None,
) -> None:
    """Trains variants on a cluster's workers, one each at a time, and keeps a record of each in the run.

    Args:
        run_dir: The run; its data and training stages are done.
        trials: What is to be trained.
        settings: The run's settings.
        trainable_params: Of the run's own network, to guess at the memory.
        done: How many others are done already.
        scheduler: Address of a dask scheduler; `None`: processes of this machine, which end with this one.

    Raises:
        InputError: The scheduler cannot be used.
        ScenebookError: The scheduler went away.
    """
    if not trials:
        return
    must_see = [run_dir.root, *([] if settings.weights in NAMED_WEIGHTS else [Path(settings.weights)])]
    task_gb = _WORKER_GB + _BYTES_A_WEIGHT * trainable_params / 1e9
    with open_cluster(scheduler, tasks=len(trials), task_gb=task_gb, must_see=must_see) as cluster:
        started, workers = time.monotonic(), max(1, cluster.count_workers())
        where = f"at {scheduler}" if scheduler else "of this machine"
        print_progress(f"ablations: {count_noun(workers, 'worker')} {where}")
        if cluster.dashboard:
            print_progress(f"ablations: dask's dashboard is at {cluster.dashboard}")
        speeds, broken = _measure(cluster, run_dir, trials)
        possible = [trial for trial in trials if network_of(trial) in speeds]
        for trial in trials:
            if network_of(trial) in broken:
                write_record(run_dir, trial, {"error": broken[network_of(trial)]})
                done += 1
        rounds = plan_rounds(possible, speeds, feature_cache_gb=settings.feature_cache_gb)
        print_progress(
            f"ablations: {count_noun(len(possible), 'training')} to do, {done} done; that takes about "
            f"{describe_seconds(estimate_seconds(rounds, workers))}, and "
            f"{describe_feature_cache(rounds, settings.feature_cache_gb)}"
        )
        for number, one in enumerate(rounds):
            _fill(cluster, run_dir, one, workers)
            _train(cluster, run_dir, rounds[number:], workers, done)
            done += len(one.planned)
        print_progress(f"ablations: done in {describe_seconds(time.monotonic() - started)}")


def _measure(
    cluster: Cluster, run_dir: RunDirectory, trials: Sequence[Trial]
) -> tuple[dict[Hashable, Speed], dict[Hashable, str]]:
    """Returns how fast each network is, and why those are not that cannot be built."""
    networks = {network_of(trial): trial for trial in reversed(trials)}
    print_progress(f"ablations: measuring how fast {count_noun(len(networks), 'network')} can be trained")
    speeds: dict[Hashable, Speed] = {}
    broken: dict[Hashable, str] = {}
    tasks = [_make_task(run_dir, trial) for trial in networks.values()]
    names = [f"speed of {trial.name}" for trial in networks.values()]
    for outcome in run_tasks(cluster, partial(call_on_worker, "measure_speed"), tasks, names=names):
        network = list(networks)[outcome.position]
        if outcome.error:
            _log_failure(names[outcome.position], outcome)
            broken[network] = outcome.error
        else:
            speeds[network] = Speed(**outcome.result)
    return speeds, broken


def _fill(cluster: Cluster, run_dir: RunDirectory, one: Round, workers: int) -> None:
    """Fills the feature cache with the views that several trainings of a round share; workers share the epochs."""
    tasks, names, seconds = [], [], []
    for filling in one.fillings:
        parts = [part for first in range(workers) if (part := tuple(range(first, filling.epochs, workers)))]
        for number, part in enumerate(parts, start=1):
            tasks.append(_make_task(run_dir, filling.trial, train=filling.images, epochs=part))
            names.append(f"views of {filling.trial.variant.title}, part {number}")
            seconds.append(filling.seconds * len(part) / filling.epochs)
    if tasks:
        progress = SweepProgress(names, seconds, workers, print_progress, title="feature cache", noun="part")
        for outcome in progress.follow(run_tasks, cluster, partial(call_on_worker, "fill_feature_cache"), tasks):
            if outcome.error:
                # The trainings compute then what is missing, or fail for the same reason and say so.
                _log_failure(names[outcome.position], outcome)


def _train(cluster: Cluster, run_dir: RunDirectory, rounds: Sequence[Round], workers: int, done: int) -> None:
    """Trains the first of these rounds."""
    planned = [planned for one in rounds for planned in one.planned]
    names, seconds = [one.trial.name for one in planned], [one.seconds for one in planned]
    tasks = [_make_task(run_dir, one.trial, keep_views=one.keep_views) for one in rounds[0].planned]
    progress = SweepProgress(names, seconds, workers, print_progress, done=done)
    for outcome in progress.follow(run_tasks, cluster, partial(call_on_worker, "train_variant"), tasks):
        trial = planned[outcome.position].trial
        if outcome.error:
            _log_failure(trial.name, outcome)
        write_record(run_dir, trial, {"error": outcome.error} if outcome.error else outcome.result)


def _make_task(run_dir: RunDirectory, trial: Trial, *, train: np.ndarray | None = None, **more: Any) -> Task:
    fold = trial.fold
    return Task(
        run_dir.root, trial.settings, trial.layers, fold.train if train is None else train, fold.validation, **more
    )


def _log_failure(name: str, outcome: TaskResult) -> None:
    print_progress(f"ablations: {name} failed: {outcome.error}")
    print(outcome.details, file=sys.stderr)


def call_on_worker(name: str, task: Task) -> Any:
    """Calls a function of `variants` on a worker, which imports TensorFlow; the command does not."""
    return getattr(importlib.import_module("scenebook.study.variants"), name)(task)
