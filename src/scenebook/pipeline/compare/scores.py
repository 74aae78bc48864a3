"""The scores of two runs: each with its interval, and image by image where both have the same test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.wording import join_names
from scenebook.evaluation.metrics.comparison import compare_paired
from scenebook.evaluation.metrics.intervals import Score, bootstrap_mean
from scenebook.evaluation.metrics.scores import as_arrays
from scenebook.evaluation.metrics.temperature import log_losses
from scenebook.pipeline.compare.images import COLUMNS, SPLITS, match_images
from scenebook.pipeline.compare.reading import read_mapping, read_table

METRICS = "evaluation/metrics.json"
PREDICTIONS = "evaluation/predictions.csv"
BOOTSTRAP_SEED = 0


@dataclass(frozen=True)
class PairedScores:
    """Two runs on the test images that both have under the same label. Differences are the second less the first.

    Attributes:
        n: How many images these are; all else is `None` where there are none.
        n_first: Test images of the first run.
        n_second: Test images of the second run.
        other_label: Test images of both runs that have another label in each: these are not compared.
        accuracy: The difference of the accuracy, with Tango's interval.
        p: The p-value of McNemar's test.
        method: How that was computed: `exact` or `asymptotic`.
        only_first: Images that only the first run gets right.
        only_second: Images that only the second run gets right.
        log_loss: The difference of the mean log loss, with the percentile interval of a paired bootstrap: images are
            drawn, 10,000 times and from `BOOTSTRAP_SEED`, each with the difference of its two losses.
    """

    n: int
    n_first: int
    n_second: int
    other_label: int
    accuracy: Score | None = None
    p: float | None = None
    method: str | None = None
    only_first: int | None = None
    only_second: int | None = None
    log_loss: Score | None = None


def diff_scores(first: RunDirectory, second: RunDirectory) -> list[tuple[str, Any, Any]]:
    """Returns the scores of both runs: name, value in the first, value in the second; `None` where one has it not.

    Raises:
        ScenebookError: `evaluation/metrics.json` is missing or cannot be read.
    """
    one, other = (read_mapping(run_dir, METRICS) for run_dir in (first, second))
    names = [*one, *(name for name in other if name not in one)]
    return [(name, one.get(name), other.get(name)) for name in names]


def pair_scores(first: RunDirectory, second: RunDirectory) -> PairedScores:
    """Compares two runs on the test images that both have, matched by bytes and label.

    Raises:
        ScenebookError: A file that says what the test images are, or what was predicted, is missing or cannot be
            used.
    """
    one, other = load_tested(first), load_tested(second)
    matched, _, _ = match_images(one, other)
    same = matched[matched["label_first"] == matched["label_second"]]
    counts = len(same), len(one), len(other), len(matched) - len(same)
    if not len(same):
        return PairedScores(*counts)
    right = {side: (same[f"predicted_{side}"] == same[f"label_{side}"]).to_numpy() for side in ("first", "second")}
    # Its difference is the first argument's less the second's; here it is what changed from the first run.
    test = compare_paired(right["second"], right["first"])
    changes = (same["log_loss_second"] - same["log_loss_first"]).to_numpy()
    return PairedScores(
        *counts,
        accuracy=test["difference"],
        p=test["p"],
        method=test["method"],
        only_first=test["only_second"],
        only_second=test["only_first"],
        log_loss=bootstrap_mean(changes, seed=BOOTSTRAP_SEED),
    )


def load_tested(run_dir: RunDirectory) -> pd.DataFrame:
    """Returns a row a test image: path, sha256, label, predicted, log_loss.

    Raises:
        ScenebookError: A file is missing or cannot be used.
    """
    splits = read_table(run_dir, SPLITS, COLUMNS)
    predictions = read_table(run_dir, PREDICTIONS, ("path", "label", "predicted"))
    tested = splits.loc[splits["split"] == "test", ["path", "sha256"]]
    losses = _measure_losses(run_dir, predictions)
    table = predictions[["path", "label", "predicted"]].assign(log_loss=losses).merge(tested, on="path")
    if len(table) != len(predictions) or len(table) != len(tested) or table["path"].duplicated().any():
        raise InputError(
            f"Expected in {PREDICTIONS} the test images of {SPLITS}, each once.",
            received={"run": run_dir.name, "predictions": len(predictions), "test images": len(tested)},
            advice="Make the run again: its stages are of different data.",
        )
    return table


def _measure_losses(run_dir: RunDirectory, predictions: pd.DataFrame) -> np.ndarray:
    """Returns the log loss of each image, float `(n,)`."""
    class_names = [name.removeprefix("p_") for name in predictions.columns if name.startswith("p_")]
    unknown = sorted({*predictions["label"]} - {*class_names})
    if unknown:
        raise _unusable(run_dir, f"There is none for {join_names(unknown[:3])}.")
    try:
        probs, positions = as_arrays(predictions, class_names)
    except ValueError as error:  # a probability that is no number
        raise _unusable(run_dir, str(error)) from None
    losses = log_losses(probs, positions)
    if not np.isfinite(losses).all() or not ((probs >= 0) & (probs <= 1)).all():
        raise _unusable(run_dir, "A probability lies outside 0 to 1, or is missing.")
    return losses


def _unusable(run_dir: RunDirectory, advice: str) -> InputError:
    return InputError(
        "Expected a probability for each class that occurs as a label.",
        received={"run": run_dir.name, "file": PREDICTIONS},
        advice=advice,
    )
