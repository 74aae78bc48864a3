"""The same training on folds of the images that are not test images: how good the recipe is, not one network."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scenebook.core.progress import describe_seconds, print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CROSS_VALIDATION
from scenebook.core.settings import Settings
from scenebook.core.wording import count_noun
from scenebook.data.folds import Fold
from scenebook.data.splitting import SplitImages
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.running import describe_training, run_recipe
from scenebook.network.recipe.seeds import read_kept


def cross_validate(
    recipe: Recipe, settings: Settings, folds: Sequence[Fold], open_rows: Callable[[np.ndarray], SplitImages], *,
    num_classes: int, run_dir: RunDirectory, weights_sha256: str | None, seconds: float = 0.0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Trains once for each fold on the others, and asks each network about the fold that it has not seen.

    Each training is the run's own, from the same seed, and reads the same feature cache. What is done is kept in
    `training/cross_validation.json`, so that an interruption costs one fold.

    Args:
        recipe: The run's recipe.
        settings: Those of the run.
        folds: From `divide_into_folds`.
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
