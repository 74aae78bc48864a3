"""What the simple classifiers learn from, and how: always the training images, regularised by the validation ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import RANDOM
from scenebook.network.features import RANDOM_FEATURES, RENORMALISED_FEATURES, load_features

SIDE = 12
"""Height and width of the images whose pixels are learned from."""
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of regularisation, the strongest first."""
RANDOM_KINDS = ("random_untouched", "random_renormalised")
"""The random backbone's features with its batch normalisation as it came, and estimated on training images."""


@dataclass(frozen=True)
class Baselines:
    """What the simple classifiers say.

    Attributes:
        predictions: A row a test image: path, label, and the predicted class of each classifier but the network.
        strengths: The inverse strength of regularisation that each logistic regression was given.
        random_kind: Which of `RANDOM_KINDS` the column `random_features` is: the one that suited the validation
            images better, so that random weights are given their best chance. `None` where there was no choice.
    """

    predictions: pd.DataFrame
    strengths: dict[str, float]
    random_kind: str | None = None


def load_inputs(run_dir: RunDirectory, splits: pd.DataFrame) -> dict[str, np.ndarray]:
    """Returns what each logistic regression learns from, float32 `(n, d)`, a row a row of `splits`.

    The features of a run whose weights are random are `random_features`; there are no others then.

    Args:
        run_dir: The run.
        splits: The content of `data/splits.csv`.
    """
    stored = np.load(run_dir.require("data/images.npy"), mmap_mode="r", allow_pickle=False)
    inputs = {"pixels": shrink(stored, splits["row"].to_numpy())}
    features = load_features(run_dir).align(splits["row"])
    if run_dir.read_json("training/recipe.json")["weights"] == RANDOM:
        return inputs | {"random_features": features}
    for kind, file in zip(RANDOM_KINDS, (RANDOM_FEATURES, RENORMALISED_FEATURES), strict=True):
        inputs[kind] = load_features(run_dir, file).align(splits["row"])
    return inputs | {"pretrained_features": features}


def shrink(stored: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns images of `SIDE` by `SIDE` pixels, each the mean of what it covers: float32 `(n, SIDE * SIDE * 3)`.

    Args:
        stored: uint8 `(images, height, width, 3)`, perhaps memory-mapped.
        rows: int `(n,)`: which of them.
    """
    small = np.empty((len(rows), SIDE, SIDE, 3), dtype=np.float32)
    for place, row in enumerate(rows):
        image = Image.fromarray(np.asarray(stored[row]))
        small[place] = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))
    return small.reshape(len(rows), -1)


def predict_baselines(splits: pd.DataFrame, inputs: Mapping[str, np.ndarray], class_names: Sequence[str]) -> Baselines:
    """Fits each simple classifier on the training images and asks it about the test images.

    Args:
        splits: path, label, split.
        inputs: From `load_inputs`.
        class_names: The classes.
    """
    parts = {split: (splits["split"] == split).to_numpy() for split in ("train", "validation", "test")}
    names = np.array(class_names, dtype=object)
    labels = splits["label"].map({name: index for index, name in enumerate(class_names)}).to_numpy(dtype=np.int64)
    predictions = splits.loc[parts["test"], ["path", "label"]].reset_index(drop=True)
    predictions["majority"] = names[np.bincount(labels[parts["train"]]).argmax()]
    strengths, losses = {}, {}
    for name, points in inputs.items():
        known = [(points[parts[split]], labels[parts[split]]) for split in ("train", "validation")]
        # One thread: with two, matrices so small are rounded differently from time to time.
        with threadpool_limits(1):
            model = fit_linear(*known[0], *known[1])
            predictions[name] = names[model.predict(points[parts["test"]])]
            losses[name] = _mean_log_loss(model, *known[1])
        strengths[name] = float(model[-1].C)
    kinds = [kind for kind in RANDOM_KINDS if kind in inputs]
    best = min(kinds, key=lambda kind: losses[kind]) if kinds else None
    if best:
        predictions["random_features"] = predictions[best]
    return Baselines(predictions, strengths, best)


def fit_linear(points: np.ndarray, labels: np.ndarray, val_points: np.ndarray, val_labels: np.ndarray) -> Pipeline:
    """Returns a logistic regression on standardised points, regularised as suits the validation images best.

    Args:
        points: float `(n, d)`, of the training images.
        labels: int `(n,)`, at least two different ones.
        val_points: float `(m, d)`, of the validation images.
        val_labels: int `(m,)`.
    """
    models = []
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200, tol=1e-3))
        with warnings.catch_warnings():
            # The loss is convex: what is not quite at its minimum after 200 steps is still a usable classifier.
            warnings.simplefilter("ignore", ConvergenceWarning)
            models.append(model.fit(points, labels))
    return min(models, key=lambda model: _mean_log_loss(model, val_points, val_labels))


def _mean_log_loss(model: Pipeline, points: np.ndarray, labels: np.ndarray) -> float:
    of_label = model.predict_proba(points)[model.classes_ == labels[:, None]]
    return float(-np.log(of_label.clip(1e-12)).mean()) if len(of_label) else 0.0
