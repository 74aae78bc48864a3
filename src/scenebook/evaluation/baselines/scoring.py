"""How right the simple classifiers and the network are, and by how much one is better than another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenebook.core.errors import ScenebookError
from scenebook.core.wording import signed
from scenebook.evaluation.baselines.fitting import RANDOM_KINDS, SIDE, Baselines
from scenebook.evaluation.metrics.comparison import compare_paired
from scenebook.evaluation.metrics.intervals import proportion_score

NAMES = {
    "majority": "the commonest class, always",
    "pixels": f"linear head on {SIDE} × {SIDE} pixels",
    "random_features": "linear head on random features",
    "pretrained_features": "linear head on pretrained features",
    "network": "the network",
}
"""What each classifier is called in the report; the order is that of its tables."""

COMPARISONS = {
    "transfer": ("pretrained_features", "random_features"),
    "network_gain": ("network", "pretrained_features"),
    "features_gain": ("pretrained_features", "pixels"),
    "pixels_gain": ("network", "pixels"),
}
"""Which classifiers are compared image by image: the first less the second."""


def score_baselines(baselines: Baselines, predictions: pd.DataFrame) -> dict[str, Any]:
    """Returns the content of `evaluation/baselines.json`.

    Args:
        baselines: From `predict_baselines`.
        predictions: path, predicted: what the network says of the same images, in any order.

    Returns:
        The accuracy of each classifier by its key in `NAMES`; by its key in `COMPARISONS` each difference, with the
        p-value as `<key>_p` and the whole comparison in `tests`; `n`, `strengths` and `random_kind`.

    Raises:
        ScenebookError: The images are others: they were split anew since notebook 02.
    """
    table = baselines.predictions
    network = predictions.set_index("path")["predicted"].reindex(table["path"])
    if len(predictions) != len(table) or network.isna().any():
        raise ScenebookError(
            f"Expected predictions of the test images in data/splits.csv. Received: images={len(table)}, "
            f"predictions={len(predictions)}. Run notebook 02 again."
        )
    said = {name: table[name] for name in (*NAMES, *RANDOM_KINDS) if name in table} | {"network": network}
    right = {name: table["label"].to_numpy() == column.to_numpy() for name, column in said.items()}
    tests = {
        name: compare_paired(right[first], right[second])
        for name, (first, second) in COMPARISONS.items()
        if first in right and second in right
    }
    return {
        "n": len(table),
        **{name: proportion_score(int(ones.sum()), len(ones)) for name, ones in right.items()},
        **{name: test["difference"] for name, test in tests.items()},
        **{f"{name}_p": test["p"] for name, test in tests.items()},
        "tests": tests,
        "strengths": baselines.strengths,
        "random_kind": baselines.random_kind,
    }


def tabulate_scores(results: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the accuracy of each classifier with its interval, a row each, for the report."""
    rows = [
        (text, results[name]["value"], f"{results[name]['low']:.3f} to {results[name]['high']:.3f}")
        for name, text in NAMES.items()
        if name in results
    ]
    return pd.DataFrame(rows, columns=["classifier", "accuracy", "95% interval"])


def tabulate_tests(results: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the paired comparisons, a row each, for the report."""
    rows = [
        (
            NAMES[first],
            NAMES[second],
            test["only_first"],
            test["only_second"],
            signed(test["difference"]["value"], 3),
            f"{signed(test['difference']['low'], 3)} to {signed(test['difference']['high'], 3)}",
            "below 0.001" if test["p"] < 0.001 else f"{test['p']:.3f}",
            test["method"],
        )
        for name, (first, second) in COMPARISONS.items()
        if (test := results["tests"].get(name))
    ]
    columns = ["first", "second", "only first right", "only second right", "difference", "95% interval", "p", "test"]
    return pd.DataFrame(rows, columns=columns)
