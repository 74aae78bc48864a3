"""The study of the claims by notebook 05 and in plain Keras: the recipe and its variants, each on several folds."""

from __future__ import annotations

import keras

from benchmarks.job import Job
from benchmarks.keras_plain import build_base_model, build_classifier, build_generator, read_arrays
from benchmarks.machine import read_memory_peak, take_seconds
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
    """The same trainings, without any evaluation. A variant is trained on one fold, and counts for all of them."""
    settings = make_settings(load_profile(job.profile))
    x, y = read_arrays(job.load_train(), job.num_classes)
    seconds = 0.0
    for variant in choose_variants(load_plan(plan_path(None), settings), CLAIMS):
        layers = variant.change.get(LAYERS, settings.trainable_base_layers)
        if not isinstance(layers, int):
            layers = count_last_layers(build_base_model(settings), layers)
        changed = variant.apply_to(settings).updated({LAYERS: layers})

        def train(changed: Settings = changed) -> None:
            keras.backend.clear_session()
            batches = build_generator(changed).flow(x, y, batch_size=changed.batch_size)
            build_classifier(changed, job.num_classes).fit(batches, epochs=changed.epochs, verbose=0)

        seconds += variant.seeds * take_seconds(train)
    return {"seconds": seconds, "memory": read_memory_peak()}
