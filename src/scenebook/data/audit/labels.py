"""Likely wrong labels: images whose features speak for another class, by confident learning."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from scenebook.data.audit.shortcuts import FOLDS
from scenebook.data.stored_pixels import release_pages

ISSUE_COLUMNS = ["path", "split", "label", "suggested", "p_label", "p_suggested", "score", "row"]
COMPONENTS = 128
STRENGTHS = (1e-3, 1e-2, 1e-1)  # what `C` of the logistic regression is chosen from
MOST_FOR_PCA = 10_000


@dataclass(frozen=True)
class LabelIssues:
    """Images that look mislabelled, of so many `judged`; classes that are `left_out` are too small.

    Attributes:
        table: `ISSUE_COLUMNS`, the most suspicious first: `p_label` and `p_suggested` are the probabilities that a
            model which never saw the image gives its label and the suggested class; `score` is
            `(p_label - p_suggested + 1) / 2`, from 0 to 0.5.
        agreement: The share of a class's images to which that model gives their label, averaged over the classes. A
            model that is nearer to guessing than to certainty may not contradict anybody: then nothing is judged.
    """

    table: pd.DataFrame
    judged: int
    left_out: list[str]
    agreement: float | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "judged": self.judged,
            "found": len(self.table),
            "in_test": int((self.table["split"] == "test").sum()),
            "left_out": self.left_out,
            "agreement": self.agreement,
        }


def find_label_issues(splits: pd.DataFrame, vectors: np.ndarray, *, seed: int = 0) -> LabelIssues:
    """Finds images whose label is likely wrong.

    A logistic regression on the standardised features gives each training and validation image its probabilities
    from the four fifths of them that do not hold it, and each test image from all of them, or, where it has a copy
    among them, from the four fifths without that. Copies, rows with the same `group`, are never on both sides.
    cleanlab's confident learning then compares these with the labels (Northcutt, Jiang and Chuang, 2021, Journal of
    Artificial Intelligence Research 70, 1373-1411); what both of its prunings, by class and by noise rate, name is
    returned. Features are float32 `(n, d)`, a row a row of `splits`.
    """
    splits = splits.reset_index(drop=True)
    # The same number for copies of one image; one that has no copy (-1) has its own.
    groups = splits.get("group", pd.Series(-1, splits.index)).fillna(-1).to_numpy(dtype=np.int64)
    groups = np.where(groups >= 0, groups + len(splits), np.arange(len(splits)))
    held = (splits["split"] != "test").to_numpy()
    units = pd.Series(groups[held]).groupby(splits.loc[held, "label"].to_numpy()).nunique()
    names = sorted(units.index[units >= FOLDS])
    left_out = sorted(set(splits["label"]) - set(names))
    used = splits["label"].isin(names).to_numpy()
    if len(names) < 2:
        return LabelIssues(pd.DataFrame(columns=ISSUE_COLUMNS), 0, left_out)
    rows = splits[used].reset_index(drop=True)
    labels = rows["label"].map({name: index for index, name in enumerate(names)}).to_numpy(dtype=np.int64)
    # One thread: two of them wait for each other longer than they compute on matrices so small, and round differently.
    with threadpool_limits(1):
        probs = _compute_probabilities(
            vectors if used.all() else vectors[used], labels, groups[used], held[used], seed=seed
        )
    agreement = float(np.mean([(probs[labels == label].argmax(axis=1) == label).mean() for label in range(len(names))]))
    if agreement < (1 + 1 / len(names)) / 2:
        return LabelIssues(pd.DataFrame(columns=ISSUE_COLUMNS), 0, left_out, agreement)
    return LabelIssues(_make_table(rows, labels, probs, names), len(rows), left_out, agreement)


def _compute_probabilities(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, held: np.ndarray, *, seed: int
) -> np.ndarray:
    """Returns class probabilities of every image by a model that saw neither it nor a copy of it, one of its group.

    The model learns from the held images, bool `(n,)`, and is regularised as gives their labels the highest likelihood.
    """
    points = _reduce(vectors, held, seed)
    folds = np.full(len(labels), -1)
    folds[held] = assign_folds(labels[held], groups[held], seed=seed)
    # A ready-made test split may hold copies of training images; their labels must not answer for them.
    fold_of = dict(zip(groups[held].tolist(), folds[held].tolist(), strict=True))
    folds[~held] = [fold_of.get(group, -1) for group in groups[~held].tolist()]
    best, probs = max(
        ((strength, _cross_predict(points, labels, held, folds, held, strength)) for strength in STRENGTHS),
        key=lambda found: float(np.log(_of_label(found[1], labels)[held].clip(1e-12)).mean()),
    )
    probs[~held] = _cross_predict(points, labels, held, folds, ~held, best)[~held]
    return probs


def _of_label(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probs[np.arange(len(labels)), labels]


def _reduce(vectors: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
    """Standardises features and keeps their first principal components: `(n, min(d, COMPONENTS))`, no labels needed."""
    known = draw_known(held, MOST_FOR_PCA, seed)
    varying = np.flatnonzero(vectors[known].std(axis=0) > 0)
    if not len(varying):
        return np.zeros((len(vectors), 1))  # nothing is known of any image: all of them look alike
    scaler = StandardScaler()
    points = scaler.fit_transform(vectors[known][:, varying])
    if points.shape[1] <= COMPONENTS or len(known) <= COMPONENTS:
        return transform_in_parts(vectors, varying, scaler)
    pca = PCA(COMPONENTS, svd_solver="randomized", random_state=seed).fit(points)
    return transform_in_parts(vectors, varying, scaler, pca)


def draw_known(known: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Returns the positions of at most so many of the images that are known, bool `(n,)`, drawn at random, sorted."""
    positions = np.flatnonzero(known)
    if len(positions) <= most:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, most, replace=False))


def transform_in_parts(
    vectors: np.ndarray, columns: np.ndarray, *steps: Any, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """Returns what fitted transformers of scikit-learn's, one after the other, make of some columns of float `(n, d)`.

    Only some rows at a time are copied: copies of all would take several times the memory of what is given.
    """
    parts = []
    for start in range(0, len(vectors), MOST_FOR_PCA):
        part = vectors[start : start + MOST_FOR_PCA, columns].astype(dtype, copy=False)
        for step in steps:
            part = step.transform(part)
        parts.append(part)
        release_pages(vectors)
    return np.concatenate(parts)


def assign_folds(labels: np.ndarray, groups: np.ndarray, *, seed: int) -> np.ndarray:
    """Deals images, given by `labels` and `groups`, to folds, class by class; those of a group go to the same fold.

    Returns:
        int `(n,)` in `[0, FOLDS)`. A class with at least `FOLDS` groups of its own is in every fold.
    """
    rng = np.random.default_rng(seed)
    numbers, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    fold = np.zeros(len(numbers), dtype=np.int64)
    start = 0
    for label in np.unique(labels):
        # A group that straddles classes is dealt once, with the class of its first image.
        own = rng.permutation(np.flatnonzero(labels[first] == label))
        fold[own] = (start + np.arange(len(own))) % FOLDS
        start += len(own)
    return fold[inverse]


def _cross_predict(
    points: np.ndarray, labels: np.ndarray, held: np.ndarray, folds: np.ndarray, judged: np.ndarray, strength: float
) -> np.ndarray:
    probs = np.zeros((len(labels), int(labels.max()) + 1))
    for fold in np.unique(folds[judged]):
        fair, asked = held & (folds != fold), judged & (folds == fold)
        probs[asked] = _predict(points[fair], labels[fair], points[asked], strength, probs.shape[1])
    return probs


def _predict(
    points: np.ndarray, labels: np.ndarray, others: np.ndarray, strength: float, num_classes: int
) -> np.ndarray:
    probs = np.zeros((len(others), num_classes))
    present = np.unique(labels)
    if len(present) < 2:
        probs[:, present] = 1
        return probs
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        # The loss is convex: what is not quite at its minimum after 200 steps is still a usable probability.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points, labels)
    probs[:, present] = model.predict_proba(others)
    return probs


def _make_table(rows: pd.DataFrame, labels: np.ndarray, probs: np.ndarray, names: list[str]) -> pd.DataFrame:
    with warnings.catch_warnings():
        # cleanlab loads a progress bar, of no use here, which warns in notebooks that ipywidgets are missing.
        warnings.filterwarnings("ignore", "IProgress not found")
        from cleanlab.filter import find_label_issues as prune
        from cleanlab.rank import get_label_quality_scores
    suspicious = prune(labels, probs, filter_by="both", n_jobs=1) & (probs.argmax(axis=1) != labels)
    scores = get_label_quality_scores(labels, probs, method="normalized_margin")
    chosen = np.flatnonzero(suspicious)
    chosen = chosen[np.argsort(scores[chosen], kind="stable")]
    suggested = probs[chosen].argmax(axis=1)
    table = rows.loc[chosen, ["path", "split", "label", "row"]].assign(
        suggested=[names[index] for index in suggested],
        p_label=_of_label(probs[chosen], labels[chosen]),
        p_suggested=_of_label(probs[chosen], suggested),
        score=scores[chosen],
    )
    return table[ISSUE_COLUMNS].reset_index(drop=True)
