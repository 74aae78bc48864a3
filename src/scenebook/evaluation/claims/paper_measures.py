"""What a paper's own numbers make of its claims: sums, averages and shares of what it prints itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenebook.evaluation.claims.schema import Claim, Paper


@dataclass(frozen=True)
class PaperMeasure:
    """A registered measure of the paper's own numbers.

    Attributes:
        compute: From the paper's numbers and the claim to a value, or `None` where none fits.
        origin: What it is computed from, as a clause: 'its confusion matrix'.
        needs: The key of `paper` that it takes.
        of: What the claim's `of` must name: `class`, or nothing.
    """

    compute: Callable[[Any, Claim, Paper], float | int | None]
    origin: str
    needs: str = "confusion_matrix"
    of: str = ""


def measure_paper(claim: Claim, paper: Paper) -> float | int | None:
    """Returns what the paper's own numbers say about a claim that names one of `PAPER_MEASURES`."""
    measure = PAPER_MEASURES[str(claim.paper_measure)]
    return measure.compute(getattr(paper, measure.needs), claim, paper)


def _of_class(name: str) -> Callable[[Any, Claim, Paper], float | int | None]:
    def compute(matrix: Any, claim: Claim, paper: Paper) -> float | int | None:
        value = _per_class(np.array(matrix))[name][paper.classes.index(str(claim.of))]
        return int(value) if name == "support" else float(value)

    return compute


def _average(name: str, *, weighted: bool) -> Callable[[Any, Claim, Paper], float]:
    def compute(matrix: Any, claim: Claim, paper: Paper) -> float:
        scores = _per_class(np.array(matrix))
        return float(np.average(scores[name], weights=scores["support"] if weighted else None))

    return compute


def _per_class(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Returns precision, recall, f1 and support `(k,)` of counts `(k, k)`; what nothing is known of counts as 0."""
    right, true, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    shares = {"precision": (right, predicted), "recall": (right, true), "f1": (2 * right, true + predicted)}
    return {name: np.divide(a, b, out=np.zeros(len(a)), where=b > 0) for name, (a, b) in shares.items()} | {
        "support": true
    }


def _matrix_accuracy(matrix: Any, claim: Claim, paper: Paper) -> float:
    return float(np.trace(matrix) / max(np.sum(matrix), 1))


def _backbone_layers(counts: Any, claim: Claim, paper: Paper) -> int | None:
    """Returns how many layers with weights the backbone has whose parameters, with the head's, give the total."""
    return next((layers for layers, n in counts.of_backbone.items() if n == counts.total - counts.head), None)


def _trained_layers(counts: Any, claim: Claim, paper: Paper) -> int | None:
    """Returns how many of the backbone's last layers have the parameters that are trained beside the head's."""
    return next((layers for layers, n in counts.of_last_layers.items() if n == counts.trainable - counts.head), None)


_MATRIX, _COUNTS = "its confusion matrix", "its parameter counts"
PAPER_MEASURES: dict[str, PaperMeasure] = {
    "matrix_accuracy": PaperMeasure(_matrix_accuracy, _MATRIX),
    "matrix_count": PaperMeasure(lambda matrix, claim, paper: int(np.sum(matrix)), _MATRIX),
    **{f"matrix_{name}": PaperMeasure(_of_class(name), _MATRIX, of="class") for name in ("precision", "recall", "f1")},
    "matrix_support": PaperMeasure(_of_class("support"), _MATRIX, of="class"),
    **{
        f"matrix_{'weighted' if weighted else 'macro'}_{name}": PaperMeasure(_average(name, weighted=weighted), _MATRIX)
        for weighted in (False, True)
        for name in ("precision", "recall", "f1")
    },
    "sum_of_parameters": PaperMeasure(lambda n, claim, paper: n.trainable + n.frozen, _COUNTS, needs="parameters"),
    "layers_by_parameters": PaperMeasure(_backbone_layers, _COUNTS, needs="parameters"),
    "trained_layers_by_parameters": PaperMeasure(_trained_layers, _COUNTS, needs="parameters"),
}
"""Measures of the paper's own numbers, for `paper_measure:`."""
