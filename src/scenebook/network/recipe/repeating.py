"""The same training once more: from further seeds, or on folds of the images; and how far the results lie apart."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from scenebook.core.errors import MissingArtifactError
from scenebook.core.keys import Key
from scenebook.core.progress import describe_seconds, print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CROSS_VALIDATION, OTHER_SEEDS
from scenebook.core.settings import Settings
from scenebook.core.wording import count_noun
from scenebook.data.folds import Fold
from scenebook.data.splitting import SplitImages
from scenebook.network.devices import leave_devices
from scenebook.network.recipe.predicting import predict_probs, prepare_plain
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import build_seeded, describe_training, run_recipe

SEED_COLUMNS = ["seed", "loss", "accuracy", "val_loss", "val_accuracy", "test_accuracy"]
"""Of each seed: its history's row of the epoch that its weights are of, and the accuracy on the test images."""


def repeat_training(
    recipe: Recipe, settings: Settings, train: SplitImages, validation: SplitImages, test: SplitImages, *,
    num_classes: int, run_dir: RunDirectory, weights_sha256: str | None,
) -> pd.DataFrame:  # fmt: skip
    """Trains with the seeds that follow on the run's own, and then looks at the test images.

    The images, their split and their views stay as they are: what differs are the head's first weights and the order
    of the images; and the backbone, where its weights are random.

    Nothing of the test images is used before the last training is over. Until then the run keeps the state of each, so
    that none is done again after an interruption. `weights_sha256` is as for `cross_validate`.

    Returns:
        A row a further seed, the columns of `SEED_COLUMNS`; no row for `seeds` of 1.
    """
    if settings.seeds == 1:
        return pd.DataFrame(columns=SEED_COLUMNS)
    code, about = recipe.digest(), describe_training(settings, [train, validation, test])
    # With what cannot be compared in the recipe, every training is done again.
    key = {
        **about,
        "settings": {**about["settings"], **settings.model_dump(include={"seeds", "test_time_flip"})},
        "network": {"weights": weights_sha256, **code.parts},
    }
    if code.is_known and (kept := read_kept(run_dir, OTHER_SEEDS, key)) is not None:
        run_dir.write_json(OTHER_SEEDS, {"key": key, "rows": kept})  # what a stage does not write again is removed
        return pd.DataFrame(kept, columns=SEED_COLUMNS)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="scenebook-") as folder:
        for number in range(1, settings.seeds):
            changed = settings.model_copy(update={"seed": settings.seed + number})
            print_progress(f"training with seed {changed.seed}, {number + 1} of {settings.seeds}")
            options: dict[str, Any] = {"run_dir": run_dir, "file": f"training/checkpoint-{number}.npz"}
            fit = run_recipe(recipe, changed, train, validation, num_classes=num_classes, **options)
            # On disk: many models of many million weights do not fit into memory together.
            fit.model.save_weights(Path(folder) / f"{number}.weights.h5")
            rows.append({"seed": changed.seed, **_read_epoch(fit.history, fit.phases[-1].kept_epoch)})
        for number, row in enumerate(rows, start=1):
            changed = settings.model_copy(update={"seed": row["seed"]})
            model = build_seeded(recipe.build_model, changed, num_classes)
            model.load_weights(Path(folder) / f"{number}.weights.h5")
            leave_devices(model)
            images = prepare_plain(recipe, changed, test)
            probs = predict_probs(model, images, test_time_flip=changed.test_time_flip)
            row["test_accuracy"] = float((probs.argmax(axis=1) == test.labels).mean())
    run_dir.write_json(OTHER_SEEDS, {"key": key, "rows": rows})
    for path in run_dir.path("training").glob("checkpoint-*.npz"):
        path.unlink(missing_ok=True)
    return pd.DataFrame(rows, columns=SEED_COLUMNS)


def read_kept(run_dir: RunDirectory, file: str, key: Key) -> list[dict[str, Any]] | None:
    """Returns the rows of a file that was made with this key; `None` where there is none."""
    try:
        told = run_dir.read_json(file)
        return list(told["rows"]) if told["key"] == key else None
    except (MissingArtifactError, ValueError, KeyError, TypeError):
        return None


def add_first_seed(
    others: pd.DataFrame, *, seed: int, history: pd.DataFrame, kept_epoch: int, test_accuracy: float
) -> pd.DataFrame:
    """Returns the table of all seeds: the run's own first, whose weights are of `kept_epoch`, then `others`."""
    row = {"seed": seed, **_read_epoch(history, kept_epoch), "test_accuracy": test_accuracy}
    own = pd.DataFrame([row], columns=SEED_COLUMNS)
    return own if others.empty else pd.concat([own, others], ignore_index=True)


def summarize_seeds(table: pd.DataFrame) -> dict[str, Any]:
    """Returns how far seeds lie apart.

    Args:
        table: From `add_first_seed`, two rows or more.

    Returns:
        `seeds`, and for `val_accuracy` and `test_accuracy` the mean with the 95 % interval of Student's t distribution,
        `{"value", "low", "high"}` within `[0, 1]`, and under `<name>_sd`, `<name>_min` and `<name>_max` the standard
        deviation (of n - 1), the lowest and the highest value.
    """
    found: dict[str, Any] = {"seeds": len(table)}
    for name in ("val_accuracy", "test_accuracy"):
        values = table[name].to_numpy(dtype=float)
        mean, spread = float(values.mean()), float(values.std(ddof=1))
        margin = float(scipy.stats.t.ppf(0.975, len(values) - 1)) * spread / math.sqrt(len(values))
        found[name] = {"value": mean, "low": max(0.0, mean - margin), "high": min(1.0, mean + margin)}
        found |= {f"{name}_sd": spread, f"{name}_min": float(values.min()), f"{name}_max": float(values.max())}
    return found


def _read_epoch(history: pd.DataFrame, epoch: int) -> dict[str, float]:
    (row,) = history[history["epoch"] == epoch].to_dict("records")
    return {name: float(row[name]) for name in SEED_COLUMNS if name in row}


def cross_validate(
    recipe: Recipe, settings: Settings, folds: Sequence[Fold], open_rows: Callable[[np.ndarray], SplitImages], *,
    num_classes: int, run_dir: RunDirectory, weights_sha256: str | None, seconds: float = 0.0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Trains once for each fold on the others, and asks each network about the fold that it has not seen.

    Each training is the run's own, from the same seed, and reads the same feature cache. What is done is kept in
    `training/cross_validation.json`, so that an interruption costs one fold.

    Args:
        open_rows: Returns the images of rows of the table of splits.
        weights_sha256: Digest of the weights that the backbone starts from; `None` for random ones.
        seconds: What the run's own training took, to tell beforehand what this will take; 0: that is not known.

    Returns:
        A row a fold: `train`, `held_out` and `right`, numbers of images, and `seconds`.
    """
    code = recipe.digest()
    about = describe_training(settings, [])
    key = {
        **about,
        "settings": {**about["settings"], "test_time_flip": settings.test_time_flip},
        "images": {str(number): fold.digest for number, fold in enumerate(folds)},
        "network": {"weights": weights_sha256, **code.parts},
    }
    # With what cannot be compared in the recipe, every training is done again.
    rows = (read_kept(run_dir, CROSS_VALIDATION, key) if code.is_known and folds else None) or []
    left = len(folds) - len(rows)
    if left:
        about_time = f", about {describe_seconds(left * seconds)}" if seconds else ""
        print_progress(f"cross-validation: {count_noun(left, 'training')} to do{about_time}")
    for fold in folds[len(rows) :]:
        started = time.perf_counter()
        train, held_out = open_rows(fold.train), open_rows(fold.validation)
        fit = run_recipe(recipe, settings, train, held_out, num_classes=num_classes, predict=True)
        assert fit.val_probs is not None
        right = int((fit.val_probs.argmax(axis=1) == held_out.labels).sum())
        # A model and its graphs refer to one another: without this, those of all folds would be in memory together.
        del fit
        gc.collect()
        took = round(time.perf_counter() - started, 1)
        rows.append({"train": len(train), "held_out": len(held_out), "right": right, "seconds": took})
        run_dir.write_json(CROSS_VALIDATION, {"key": key, "rows": rows})
        remaining = (len(folds) - len(rows)) * took
        print_progress(
            f"cross-validation: fold {len(rows)} of {len(folds)}, {right / len(held_out):.1%} right, "
            f"{describe_seconds(took)}" + (f"; about {describe_seconds(remaining)} left" if remaining else "")
        )
    run_dir.write_json(CROSS_VALIDATION, {"key": key, "rows": rows})
    return rows
