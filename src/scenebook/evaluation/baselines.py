"""Simple classifiers, learned from the training images, and by how much the network and these differ."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from scenebook.core.backbones import RANDOM
from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import IMAGES, RANDOM_FEATURES, RENORMALISED_FEATURES, SPLITS, SUMMARY
from scenebook.core.wording import signed
from scenebook.data.stored_pixels import read_stored, take_rows
from scenebook.evaluation.metrics.intervals import compare_paired, compute_proportion
from scenebook.network.features import load_features

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_ROWS = 10_000
_SIDE = 12  # height and width of the images whose pixels are learned from
RANDOM_KINDS = ("random_untouched", "random_renormalised")
"""The random backbone's features with its batch normalisation as it came, and estimated on training images."""
NAMES = {
    "majority": "the most frequent class, always",
    "pixels": f"linear classifier on {_SIDE} × {_SIDE} pixels",
    "random_features": "linear classifier on random features",
    "pretrained_few": "linear classifier on pretrained features",
    "pretrained_features": "linear classifier on pretrained features",
    "network": "the network",
}
"""What each classifier is called in the report; the order is that of its tables. `pretrained_few` is fitted and asked
about the images of which there are random features, where these are not all."""
OF_FEW = ("random_features", "pretrained_few")
COMPARISONS = {
    "transfer": ("pretrained_features", "random_features"),
    "network_gain": ("network", "pretrained_features"),
    "features_gain": ("pretrained_features", "pixels"),
    "pixels_gain": ("network", "pixels"),
}
"""Which classifiers are compared image by image: the first less the second."""


@dataclass(frozen=True)
class Baselines:
    """What the simple classifiers say.

    Attributes:
        predictions: A row a test image: path, label, and the predicted class of each classifier but the network; empty
            where it was not asked.
        strengths: The inverse strength of regularisation that each logistic regression was given.
        random_kind: Which of `RANDOM_KINDS` the column `random_features` is: the one that suited the validation images
            better, so that random weights are given their best chance. `None` where there was no choice.
        few: How many training and test images have random features, by the names of the splits; empty: all have.
    """

    predictions: pd.DataFrame
    strengths: dict[str, float]
    random_kind: str | None = None
    few: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Points:
    """What a logistic regression learns from: float32 `(m, d)`, a row for each known image, bool `(n,)`."""

    known: np.ndarray
    vectors: np.ndarray

    def take(self, chosen: np.ndarray) -> np.ndarray:
        """Returns the vectors of those of the images, bool `(n,)`, that are known; a copy."""
        return take_rows(self.vectors, np.flatnonzero(chosen[self.known]))


def load_inputs(run_dir: RunDirectory, splits: pd.DataFrame) -> dict[str, Points]:
    """Returns what each logistic regression learns from; images are the rows of `splits`.

    The features of a run whose weights are random are `random_features`; there are no others then.
    """
    stored = np.load(run_dir.require(IMAGES), mmap_mode="r", allow_pickle=False)
    everything = np.ones(len(splits), dtype=bool)
    inputs = {"pixels": Points(everything, shrink(stored, splits["row"].to_numpy()))}
    features = Points(everything, load_features(run_dir).align(splits["row"]))
    if run_dir.read_json(SUMMARY)["weights"] == RANDOM:
        return inputs | {"random_features": features}
    for kind, file in zip(RANDOM_KINDS, (RANDOM_FEATURES, RENORMALISED_FEATURES), strict=True):
        inputs[kind] = Points(*load_features(run_dir, file).select(splits["row"]))
    inputs["pretrained_features"] = features
    known = inputs[RANDOM_KINDS[0]].known
    if not known.all():
        inputs["pretrained_few"] = Points(known, features.take(known))
    return inputs


def shrink(stored: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns rows of stored images, uint8 `(m, height, width, 3)`, as `_SIDE` by `_SIDE` means: float32 `(n, d)`."""
    small = np.empty((len(rows), _SIDE, _SIDE, 3), dtype=np.float32)
    for place, image in enumerate(read_stored(stored, rows)):
        small[place] = np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX))
    return small.reshape(len(rows), -1)


def predict_baselines(splits: pd.DataFrame, inputs: Mapping[str, Points], class_names: Sequence[str]) -> Baselines:
    """Fits each simple classifier on the training images and asks it about the test images.

    `splits` is the content of `data/splits.csv`, `inputs` what `load_inputs` returned.
    """
    from threadpoolctl import threadpool_limits

    parts = {split: (splits["split"] == split).to_numpy() for split in ("train", "validation", "test")}
    names = np.array(class_names, dtype=object)
    labels = splits["label"].map({name: index for index, name in enumerate(class_names)}).to_numpy(dtype=np.int64)
    predictions = splits.loc[parts["test"], ["path", "label"]].reset_index(drop=True)
    predictions["majority"] = names[np.bincount(labels[parts["train"]]).argmax()]
    strengths, losses, few = {}, {}, {}
    for name, points in inputs.items():
        known = points.known
        if not known.all():
            few = {split: int((known & parts[split]).sum()) for split in ("train", "test")}
        train, validation = (
            (points.take(parts[split]), labels[known & parts[split]]) for split in ("train", "validation")
        )
        asked = known[parts["test"]]
        # One thread: with two, matrices so small are rounded differently from time to time.
        with threadpool_limits(1):
            model = fit_linear(*train, *validation)
            predictions[name] = ""
            predictions.loc[asked, name] = names[model.predict(points.take(parts["test"]))]
            losses[name] = _mean_log_loss(model, *validation)
        strengths[name] = float(model[-1].C)
    kinds = [kind for kind in RANDOM_KINDS if kind in inputs]
    best = min(kinds, key=lambda kind: losses[kind]) if kinds else None
    if best:
        predictions["random_features"] = predictions[best]
    return Baselines(predictions, strengths, best, few)


def fit_linear(points: np.ndarray, labels: np.ndarray, val_points: np.ndarray, val_labels: np.ndarray) -> Pipeline:
    """Returns a logistic regression on standardised points, regularised as suits the validation images best.

    The log loss on these falls as the regularisation gets weaker, and then rises: the first rise ends the search. The
    points, float `(n, d)`, are overwritten; at least two of the labels, int `(n,)`, differ.
    """
    # Imported here: sentences on the results need none of it, and it takes a second.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Some rows at a time: the scaler takes twice the memory of what it is given.
    scaler = StandardScaler(copy=False).fit(points[:_ROWS])
    for start in range(_ROWS, len(points), _ROWS):
        scaler.partial_fit(points[start : start + _ROWS])
    points = scaler.transform(points)
    scaler.set_params(copy=True)
    best, least = None, np.inf
    for strength in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):  # inverse, the strongest first
        model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
        with warnings.catch_warnings():
            # The loss is convex: what is not quite at its minimum after 200 steps is still a usable classifier.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(points, labels)
        loss = _mean_log_loss(make_pipeline(scaler, model), val_points, val_labels)
        if best is not None and loss > least:
            break
        if best is None or loss < least:
            best, least = make_pipeline(scaler, model), loss
    assert best is not None
    return best


def _mean_log_loss(model: Pipeline, points: np.ndarray, labels: np.ndarray) -> float:
    of_label = model.predict_proba(points)[model.classes_ == labels[:, None]]
    return float(-np.log(of_label.clip(1e-12)).mean()) if len(of_label) else 0.0


def score_baselines(baselines: Baselines, predictions: pd.DataFrame, *, is_linear: bool = False) -> dict[str, Any]:
    """Returns the content of `evaluation/baselines.json`.

    That is the accuracy of each classifier by its key in `NAMES`; by its key in `COMPARISONS` each difference, with the
    p-value as `<key>_p` and the whole comparison in `tests`; `n`, `strengths`, `random_kind` and `is_linear`.

    The network's predictions, path and predicted, are of the same images, in any order. `is_linear` says whether it is
    itself a linear classifier on frozen features.

    Raises:
        ScenebookError: The images are others: they were split anew since notebook 02.
    """
    table = baselines.predictions
    network = predictions.set_index("path")["predicted"].reindex(table["path"])
    if len(predictions) != len(table) or network.isna().any():
        raise ScenebookError(
            f"Expected predictions of the test images in {SPLITS}. Received: images={len(table)}, "
            f"predictions={len(predictions)}. Run notebook 02 again."
        )
    said = {name: table[name] for name in (*NAMES, *RANDOM_KINDS) if name in table} | {"network": network}
    asked = {name: column.to_numpy() != "" for name, column in said.items()}
    right = {name: table["label"].to_numpy() == column.to_numpy() for name, column in said.items()}
    tests = {}
    for name in COMPARISONS:
        first, second = list_compared(name, said)
        if first in said and second in said:
            both = asked[first] & asked[second]
            tests[name] = compare_paired(right[first][both], right[second][both])
    return {
        "n": len(table),
        **{f"few_{split}": count for split, count in baselines.few.items()},
        **{name: compute_proportion(int(ones.sum()), int(asked[name].sum())) for name, ones in right.items()},
        **{name: test["difference"] for name, test in tests.items()},
        **{f"{name}_p": test["p"] for name, test in tests.items()},
        "tests": tests,
        "strengths": baselines.strengths,
        "random_kind": baselines.random_kind,
        "is_linear": is_linear,
    }


def list_compared(comparison: str, results: Collection[str]) -> tuple[str, str]:
    """Returns which two classifiers a comparison is of: with random features of few images, both learned from these."""
    first, second = COMPARISONS[comparison]
    return ("pretrained_few" if comparison == "transfer" and "pretrained_few" in results else first), second


def is_few(results: Mapping[str, Any]) -> bool:
    """Tells whether random features are those of some of the images, and compared with pretrained ones of the same."""
    return "pretrained_few" in results


def tabulate_scores(results: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the accuracy of each classifier with its interval, a row each, for the report."""
    few = f" ({results['few_train']:,} training images, {results['few_test']:,} test images)" if is_few(results) else ""
    known = [(text + few * (name in OF_FEW), results[name]) for name, text in NAMES.items() if name in results]
    rows = [(text, score["value"], f"{score['low']:.3f} to {score['high']:.3f}") for text, score in known]
    return pd.DataFrame(rows, columns=["classifier", "accuracy", "95% interval"])


def tabulate_tests(results: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the paired comparisons, a row each, for the report."""
    rows = []
    for name, test in results["tests"].items():
        value, low, high = (signed(test["difference"][key], 3) for key in ("value", "low", "high"))
        p = "below 0.001" if test["p"] < 0.001 else f"{test['p']:.3f}"
        few = f" ({results['few_train']:,} training images)" if is_few(results) else ""
        names = (NAMES[key] + few * (key in OF_FEW) for key in list_compared(name, results))
        rows.append((*names, test["only_first"], test["only_second"], value, f"{low} to {high}", p))
    columns = ["first", "second", "only first right", "only second right", "difference", "95% interval", "p"]
    return pd.DataFrame(rows, columns=columns)
