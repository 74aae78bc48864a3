"""Features of many images, computed by the workers of a dask cluster: a shard of images is a task."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scenebook.core.progress import CountProgress, print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.wording import count_noun
from scenebook.data.splitting import SplitImages

if TYPE_CHECKING:
    from scenebook.network.recipe.extracting import FeatureExtraction

_SHARD = 1000
"""Images in a task: some seconds of work, and some megabytes of features that come back."""
_WORKER_GB = 1.0


def share_out(
    extraction: FeatureExtraction,
    run_dir: RunDirectory,
    parts: Iterable[SplitImages],
    *,
    scheduler: str | None = None,
    shard: int = _SHARD,
) -> None:
    """Has workers compute the features that the feature cache lacks, and keeps them in it.

    Nothing happens without a scheduler, which `SCENEBOOK_SCHEDULER` in the environment names, where less than a shard
    is missing, or where nothing can be kept: `extraction.compute` then computes what is missing, as it does what a
    worker could not compute. What is lost with a worker is computed by another one.

    Args:
        run_dir: The run, on a file system that all workers share.
        scheduler: The address of a dask scheduler, in the place of the environment's.
        shard: Images in a task.

    Raises:
        InputError: The scheduler cannot be used.
        ScenebookError: The scheduler went away.
    """
    scheduler = scheduler or os.environ.get("SCENEBOOK_SCHEDULER") or None
    if scheduler is None or extraction.stopped:
        return
    shards = []
    for images in parts:
        missing = extraction.list_missing(images)
        shards += [images.take(missing[start : start + shard]) for start in range(0, len(missing), shard)]
    total = sum(map(len, shards))
    if total < shard:
        return
    # Who shares nothing out does not wait for dask, which takes a second to import.
    from scenebook.study.cluster import open_cluster
    from scenebook.study.fan_out import run_tasks

    report, done = CountProgress("features of all workers"), 0
    with (
        extraction.describe(run_dir) as about,
        open_cluster(scheduler, tasks=len(shards), task_gb=_WORKER_GB, must_see=[run_dir.root]) as cluster,
    ):
        workers = count_noun(cluster.count_workers(), "worker")
        print_progress(f"features: {count_noun(len(shards), 'shard')} for {workers}")
        names = [f"features {number}" for number in range(1, len(shards) + 1)]
        tasks = [(images.rows, list(images.digests)) for images in shards]
        for outcome in run_tasks(cluster, partial(_compute_shard, about), tasks, names=names):
            if outcome.error:
                print_progress(f"features: a shard is left to this process: {outcome.error}")
                continue
            extraction.keep(shards[outcome.position], outcome.result)
            done += len(shards[outcome.position])
            report(done, total)


def _compute_shard(about: Mapping[str, Any], task: tuple[np.ndarray, list[str]]) -> np.ndarray:
    """Runs on a worker; it alone imports TensorFlow, neither the scheduler nor who hands out."""
    return importlib.import_module("scenebook.network.recipe.extracting").extract_elsewhere(about, *task)
