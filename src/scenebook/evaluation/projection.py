"""A map of the test images: the two directions in which their features tell the classes apart best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from scenebook.data.audit.labels import MOST_FOR_PCA, draw_known, transform_in_parts


@dataclass(frozen=True)
class Projection:
    """Test images on a map: a row each with path, label, predicted, x, y, and the class whose centre is nearest.

    It shows a `share` of what sets the classes apart; `None` where the training images are too few to say, and it shows
    where they differ most instead.
    """

    table: pd.DataFrame
    share: float | None

    @property
    def facts(self) -> dict[str, Any]:
        """The content of `evaluation/projection.json`.

        `wrong` and `right` are how many test images the network gets so; `<one>_astray` are those of them that lie
        nearer to the middle of another class than to that of their own, and `<one>_share` their share.
        """
        wrong, astray = (self.table["label"] != self.table[other] for other in ("predicted", "nearest"))
        return {
            "n": len(self.table),
            "wrong": int(wrong.sum()),
            "right": int((~wrong).sum()),
            "wrong_astray": int((wrong & astray).sum()),
            "right_astray": int((~wrong & astray).sum()),
            "wrong_share": float(astray[wrong].mean()) if wrong.any() else None,
            "right_share": float(astray[~wrong].mean()) if not wrong.all() else None,
            "share": self.share,
        }


def project(splits: pd.DataFrame, vectors: np.ndarray, predictions: pd.DataFrame, *, seed: int) -> Projection:
    """Puts the test images on a map that the training images define.

    Its axes are Fisher's discriminants (1936, Annals of Eugenics 7, 179-188): the directions in which the classes of
    the training images lie farthest apart, measured by how far each scatters itself. It is linear, so that nearness
    means what it says, and the same for the same features. Two classes have only one such direction; the other axis is
    then what the training images differ in most otherwise.

    Features are float32 `(n, d)`, a row a row of `splits`; the seed is that of the randomised principal components.
    """
    train, test = ((splits["split"] == split).to_numpy() for split in ("train", "test"))
    labels = splits["label"].to_numpy(dtype=object)
    with threadpool_limits(1):  # with more, sums are rounded differently from time to time
        points = _reduce(vectors, train, seed)
        places, share = _find_axes(points, labels, train)
    # Which way an axis points is left open by the formulas, so the farthest training image decides.
    farthest = places[train][np.abs(places[train]).argmax(axis=0), [0, 1]]
    places *= np.where(farthest < 0, -1.0, 1.0)
    names = sorted(set(labels[train]))
    centres = np.stack([places[train & (labels == name)].mean(axis=0) for name in names])
    nearest = np.linalg.norm(places[test][:, None] - centres, axis=2).argmin(axis=1)
    where = pd.DataFrame(places[test], columns=["x", "y"]).assign(nearest=[names[index] for index in nearest])
    where.insert(0, "path", splits["path"][test].to_numpy())
    return Projection(predictions[["path", "label", "predicted"]].merge(where, on="path", validate="1:1"), share)


def _reduce(vectors: np.ndarray, train: np.ndarray, seed: int) -> np.ndarray:
    known = draw_known(train, MOST_FOR_PCA, seed)
    varying = np.flatnonzero(vectors[known].std(axis=0) > 0)
    if not len(varying):
        return np.zeros((len(vectors), 2))  # nothing is known of any image: all lie in one place
    scaler = StandardScaler()
    points = scaler.fit_transform(vectors[known][:, varying].astype(np.float64))
    most = min(64, len(known) - 1, points.shape[1])
    solver = "randomized" if 5 * most < min(len(known), points.shape[1]) else "full"
    pca = PCA(most, svd_solver=solver, random_state=seed).fit(points)
    return transform_in_parts(vectors, varying, scaler, pca, dtype=np.float64)


def _find_axes(points: np.ndarray, labels: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Returns places `(n, 2)`, and the share of the scatter between the classes that they show."""
    num_classes = len(set(labels[train]))
    if num_classes < 2 or train.sum() < 3 * num_classes or not points.any():
        return np.pad(points, ((0, 0), (0, 1)))[:, :2].copy(), None
    values, directions = _discriminate(points[train], labels[train])
    found = (points - points[train].mean(axis=0)) @ directions[:, : min(2, num_classes - 1)]
    if found.shape[1] == 1:
        found = np.hstack([found, _beside(points, found, train)])
    return found, min(1.0, float(values[:2].sum() / max(values.sum(), 1e-300)))


def _discriminate(points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns Fisher's discriminants, a column each, and how much sets the classes apart along each; most first.

    A class's own scatter is shrunk (Ledoit and Wolf, 2004, Journal of Multivariate Analysis 88, 365-411), as there may
    be fewer images than dimensions. scikit-learn's discriminant analysis shrinks the whole scatter by another factor
    and calls the rest the scatter between the classes, of which its shares then are not.
    """
    names, index = np.unique(labels.astype(str), return_inverse=True)
    centres = np.stack([points[index == number].mean(axis=0) for number in range(len(names))])
    of_class = centres[index] - points.mean(axis=0)
    within = ledoit_wolf(points - centres[index], assume_centered=True)[0]
    within += np.eye(len(within)) * 1e-9 * points.var()  # images of a class may be all alike
    values, directions = linalg.eigh(of_class.T @ of_class / len(points), within)
    return np.maximum(values[::-1], 0), directions[:, ::-1]


def _beside(points: np.ndarray, axis: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Returns the principal component `(n, 1)` of what is left of the points without what follows from one axis."""
    centred = axis - axis[train].mean(axis=0)
    slope = centred[train].T @ points[train] / max(float((centred[train] ** 2).sum()), 1e-12)
    rest = points - centred @ slope
    return np.asarray(PCA(1, svd_solver="full").fit(rest[train]).transform(rest))
