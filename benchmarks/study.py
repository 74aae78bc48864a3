"""The study of the claims by notebook 05 and in plain Keras: the recipe and its variants, each on several folds."""

from __future__ import annotations

import time

import keras
import numpy as np

from benchmarks.job import Job
from benchmarks.keras_plain import build_base_model, build_classifier, build_generator, read_arrays
from benchmarks.machine import read_memory_peak
from benchmarks.whole import clear_folders, run_command
from scenebook.core.profiles import load_profile
from scenebook.core.settings import Settings, make_settings
from scenebook.pipeline.manifest import load_manifest
from scenebook.study.plan import CLAIMS, LAYERS, choose_variants, load_plan, plan_path
from scenebook.study.variants import count_last_layers


def measure_ours(job: Job) -> dict[str, float]:
    """Notebook 05 as a whole, with an empty feature cache, in a run that has a report without it."""
    clear_folders(job, "runs", "build", "cache")
    run_command(job, "report")
    clear_folders(job, "cache")
    run_dir, memory = run_command(job, "ablations", f"ablations={CLAIMS}")
    return {"seconds": float(load_manifest(run_dir)["stages"]["ablations"]["seconds"]), "memory": memory}


def measure_plain(job: Job) -> dict[str, float]:
    """The same trainings, without any evaluation: building, and two epochs on one fold of each variant.

    The second epoch counts for all that follow it, and one fold for all folds.
    """
    settings = make_settings(load_profile(job.profile))
    x, y = read_arrays(job.load_train(), job.num_classes)
    seconds = 0.0
    for variant in choose_variants(load_plan(plan_path(None), settings), CLAIMS):
        layers = variant.change.get(LAYERS, settings.trainable_base_layers)
        if not isinstance(layers, int):
            layers = count_last_layers(build_base_model(settings), layers)
        changed = variant.apply_to(settings).updated({LAYERS: layers})
        seconds += variant.seeds * _estimate_training(changed, x, y, job.num_classes)
    return {"seconds": seconds, "memory": read_memory_peak()}


def _estimate_training(settings: Settings, x: np.ndarray, y: np.ndarray, num_classes: int) -> float:
    keras.backend.clear_session()
    ends = [time.perf_counter()]
    note_end = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    model = build_classifier(settings, num_classes)
    batches = build_generator(settings).flow(x, y, batch_size=settings.batch_size)
    model.fit(batches, epochs=min(2, settings.epochs), callbacks=[note_end], verbose=0)
    further = settings.epochs - (len(ends) - 1)
    return ends[-1] - ends[0] + further * (ends[-1] - ends[-2])
