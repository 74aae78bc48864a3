"""Classes that give themselves away: by the average colour or the size of an image, without looking at it.

A network finds such shortcuts, and then recognises a camera, a background or a website instead of what is shown
(Geirhos et al., 2020, Shortcut learning in deep neural networks, Nature Machine Intelligence 2, 665-673). So a
classifier is trained that sees nothing but three numbers of colour, or two of size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

FOLDS = 5
FEWEST = 20
"""Images a class. Of fewer, a rank statistic says little."""
MOST_IMAGES = 10_000
SAME_SIZE_SHARE = 0.99
_KINDS = {"colour": ["red", "green", "blue"], "size": ["width", "height"]}
LIMITS = {"colour": 0.95, "size": 0.75}
"""Area under the curve above which, with its 95 % interval, a class is named. Colour belongs to what is shown: forests
are green, so only a class that outranks 19 of 20 others by it is remarkable. Size has nothing to do with what is shown:
three of four is remarkable already."""


def find_giveaways(splits: pd.DataFrame, *, seed: int) -> list[dict[str, Any]]:
    """Cross-validates a classifier of each kind of feature on the training images.

    Args:
        splits: label, split, width, height, red, green, blue, and perhaps group. Of copies, one a class counts: the
            others would be recognised by it.
        seed: Of the folds and of the trees.

    Returns:
        A record a kind, for `data/audit.json`; none for sizes that hardly differ, and none at all where no two classes
        have enough images. It holds feature (`colour` or `size`), balanced_accuracy (the share of right answers, each
        class counting alike, in `[0, 1]`), chance (what guessing reaches), and classes: the AUC, the area under the
        receiver operating characteristic, of each class that is above the limit.
    """
    table = splits[splits["split"] == "train"]
    if "group" in table.columns:
        table = table[(table["group"] < 0) | ~table.duplicated(["label", "group"])]
    counts = table["label"].value_counts()
    table = table[table["label"].isin(counts.index[counts >= FEWEST])]
    if table["label"].nunique() < 2:
        return []
    if len(table) > MOST_IMAGES:
        share = MOST_IMAGES / len(table)
        shuffled = table.sample(frac=1, random_state=seed)
        rank = shuffled.groupby("label").cumcount()
        table = shuffled[rank < np.maximum(FEWEST, shuffled["label"].map(counts) * share)].sort_index()
    found = []
    for feature, columns in _KINDS.items():
        if table.groupby(columns).size().max() < SAME_SIZE_SHARE * len(table):
            found.append(_classify(feature, table[columns].to_numpy(dtype=float), table["label"].to_numpy(), seed))
    return found


def _classify(feature: str, values: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, Any]:
    # Importing scikit-learn takes most of a second, which the command line does not have.
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    trees = ExtraTreesClassifier(25, min_samples_leaf=5, class_weight="balanced", random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    probs = cross_val_predict(trees, values, labels, cv=folds, method="predict_proba")
    names, counts = np.unique(labels, return_counts=True)
    classes = {}
    for index, name in enumerate(names):
        area = float(roc_auc_score(labels == name, probs[:, index]))
        if area - 1.96 * _auc_error(area, counts[index], len(labels) - counts[index]) >= LIMITS[feature]:
            classes[str(name)] = round(area, 4)
    accuracy = float(balanced_accuracy_score(labels, names[probs.argmax(axis=1)]))
    scores = {"balanced_accuracy": round(accuracy, 4), "chance": 1 / len(names)}
    return {"feature": feature, **scores, "classes": classes}


def _auc_error(area: float, positives: int, negatives: int) -> float:
    """Returns the standard error of an AUC (Hanley and McNeil, 1982, Radiology 143, 29-36)."""
    both = area / (2 - area) - area**2
    other = 2 * area**2 / (1 + area) - area**2
    variance = area * (1 - area) + (positives - 1) * both + (negatives - 1) * other
    return float(np.sqrt(variance / (positives * negatives)))
