"""A study: every training that is not done yet goes to a worker, and what comes back is kept at once."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scenebook.core.backbones import NAMED_WEIGHTS
from scenebook.core.errors import InputError
from scenebook.core.progress import describe_seconds, print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import AUTO, Settings
from scenebook.core.wording import count_noun
from scenebook.study.scheduling import (
    StudyProgress,
    Task,
    describe_feature_cache,
    estimate_seconds,
    network_of,
    plan_rounds,
)
from scenebook.study.trials import Record, Trial, read_records, remove_others, write_record

if TYPE_CHECKING:
    from scenebook.study.cluster import Cluster
    from scenebook.study.fan_out import TaskResult

_WORKER_GB = 1.5
_BYTES_A_WEIGHT = 24
"""A trained weight, its gradient, its momentum, and as much again while a step is computed: measured with a head of 52
million weights."""


def list_pending(trials: Sequence[Trial], records: Sequence[Record]) -> list[Trial]:
    """Returns the trials that are not done.

    One whose loss diverged would diverge again; any other failure is tried again.
    """
    final = {record.key for record in records if not record.error or record.diverged}
    return [trial for trial in trials if trial.key not in final]


def train_missing(
    run_dir: RunDirectory,
    asked: Sequence[Trial],
    settings: Settings,
    splits: pd.DataFrame,
    *,
    trials: Sequence[Trial],
    trainable_params: int,
) -> None:
    """Trains what is asked for and not done yet on a cluster's workers, and keeps a record of each in the run.

    The workers are those of the dask scheduler that `SCENEBOOK_SCHEDULER` in the environment names, or processes of
    this machine, which end with this one. Where something is asked for, records that belong to none of `trials`, all of
    the plan, are removed.

    Args:
        run_dir: Its data and training stages are done.
        splits: The table `data/splits.csv`.
        trainable_params: Of the run's own network, to guess at the memory.

    Raises:
        InputError: The scheduler cannot be used, or its workers would decide on the precision.
        ScenebookError: The scheduler went away.
    """
    if not asked:
        return
    pending = list_pending(asked, read_records(run_dir, asked, splits))
    remove_others(run_dir, trials)
    if not pending:
        return
    done, scheduler = len(asked) - len(pending), os.environ.get("SCENEBOOK_SCHEDULER") or None
    if scheduler and settings.precision == AUTO:
        raise InputError(
            "Expected a precision that does not depend on a worker's graphics card.",
            received={"precision": AUTO, "scheduler": scheduler},
            advice="Set precision to float32 or mixed.",
        )
    # Without a training to do, nobody waits for dask, which takes a second to import.
    from scenebook.study.cluster import open_cluster

    files = {settings.weights, *(trial.settings.weights for trial in pending)} - {*NAMED_WEIGHTS}
    must_see = [run_dir.root, *(path for path in map(Path, sorted(files)) if path.is_file())]
    task_gb = _WORKER_GB + _BYTES_A_WEIGHT * trainable_params / 1e9
    with open_cluster(scheduler, tasks=len(pending), task_gb=task_gb, must_see=must_see) as cluster:
        started, workers = time.monotonic(), max(1, cluster.count_workers())
        where = f"at {scheduler}" if scheduler else "of this machine"
        print_progress(f"ablations: {count_noun(workers, 'worker')} {where}")
        if cluster.dashboard:
            print_progress(f"ablations: dask's dashboard is at {cluster.dashboard}")
        measured = _measure(cluster, run_dir, pending)
        possible = [trial for trial in pending if not measured[network_of(trial)].error]
        for trial in pending:
            if error := measured[network_of(trial)].error:
                write_record(run_dir, trial, {"error": error})
                done += 1
        speeds = {network: outcome.result for network, outcome in measured.items()}
        rounds = plan_rounds(possible, speeds, feature_cache_gb=settings.feature_cache_gb, workers=workers, plan=trials)
        print_progress(
            f"ablations: {count_noun(len(possible), 'training')} to do, {done} done; that takes about "
            f"{describe_seconds(estimate_seconds(rounds, workers))}, and "
            f"{describe_feature_cache(rounds, settings.feature_cache_gb)}"
        )
        for number, one in enumerate(rounds):
            if one.fillings:
                progress = StudyProgress(one.fillings, workers, title="feature cache", noun="part")
                # Where one fails, the trainings compute what is missing, or fail for the same reason and say so.
                list(_run(cluster, run_dir, "fill_feature_cache", one.fillings, progress))
            left = [training for later in rounds[number:] for training in later.trainings]
            progress = StudyProgress(left, workers, done=done)
            for task, outcome in _run(cluster, run_dir, "train_variant", one.trainings, progress):
                write_record(run_dir, task.trial, {"error": outcome.error} if outcome.error else outcome.result)
            done += len(one.trainings)
        print_progress(f"ablations: done in {describe_seconds(time.monotonic() - started)}")


def _measure(cluster: Cluster, run_dir: RunDirectory, trials: Sequence[Trial]) -> dict[Hashable, TaskResult]:
    """Returns how fast each network is, a `Speed`, or why it cannot be built."""
    networks = {network_of(trial): trial for trial in reversed(trials)}
    print_progress(f"ablations: measuring how fast {count_noun(len(networks), 'network')} can be trained")
    tasks = [Task(f"speed of {trial.name}", trial, trial.fold.train) for trial in networks.values()]
    return {network_of(task.trial): outcome for task, outcome in _run(cluster, run_dir, "measure_speed", tasks)}


def _run(
    cluster: Cluster, run_dir: RunDirectory, what: str, tasks: Sequence[Task], progress: StudyProgress | None = None
) -> Iterator[tuple[Task, TaskResult]]:
    """Calls a function of `variants` with each task, and yields each with its outcome; errors are told."""
    told = {"on_started": progress.started, "on_waiting": progress.tick} if progress else {}
    function = partial(call_on_worker, what, run_dir.root)
    from scenebook.study.fan_out import run_tasks

    for outcome in run_tasks(cluster, function, tasks, names=[task.name for task in tasks], **told):
        task = tasks[outcome.position]
        if progress:
            progress.ended(outcome.position, failed=bool(outcome.error))
        if outcome.error:
            print_progress(f"ablations: {task.name} failed: {outcome.error}")
            print(outcome.details, file=sys.stderr)
        yield task, outcome


def call_on_worker(name: str, run_dir: Path, task: Task) -> Any:
    """Calls a function of `variants` on a worker, which imports TensorFlow; the command does not."""
    return getattr(importlib.import_module("scenebook.study.variants"), name)(run_dir, task)
