"""How far a repeated run may be from the first one: not at all on the same type of machine, else a little.

The tolerances are for another processor, system or version of a library: there sums are rounded in another order, and
training makes more of that with every step. Measured on the sample profile between two runtimes of the frozen layers,
OpenVINO and TensorFlow: no predicted class differs, no probability by more than 2e-6, no loss by more than 4e-7. They
are far wider than that because longer trainings of larger heads amplify more, and far narrower than what other data,
another seed or another recipe would do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARE = 0.02
"""Of what lies between 0 and 1, an accuracy or a probability: the largest absolute difference."""
FEWEST = 2
"""So many of the images may go the other way in any case: of 20 test images, one is 0.05 of the accuracy."""
LOSS = 0.05
"""Of a loss, which has no upper bound: the largest difference as a share of what is expected."""
BOUNDS = 2.0
"""The bounds of an interval may differ by so many times the tolerance of their score: near 0 and 1 they move faster."""
LEAST_LOSS = 0.01
"""A loss may differ by this in any case: near 0, a share of it would be less than rounding."""
SCHEDULED = 1e-6
"""Of the learning rate, which is computed and not trained: the largest relative difference."""

EQUAL, WITHIN, DIFFERENT, MISSING = "equal", "within", "different", "missing"


@dataclass(frozen=True)
class Rule:
    """Which differences are accepted.

    Attributes:
        same_machine: Whether the machine and all versions are those of the run: then no difference is.
    """

    same_machine: bool

    def of_share(self, n: float) -> float:
        """Returns the largest difference of a score between 0 and 1 that was counted on n images."""
        return 0.0 if self.same_machine else max(SHARE, min(1.0, FEWEST / max(n, 1)))

    def of_images(self, n: int) -> float:
        """Returns how many of n images may have another class."""
        return self.of_share(n) * n

    def of_mean(self) -> float:
        """Returns the largest mean difference of what lies between 0 and 1."""
        return 0.0 if self.same_machine else SHARE

    def of_loss(self, expected: np.ndarray | float) -> np.ndarray:
        """Returns the largest difference of each expected loss."""
        return np.zeros_like(expected) if self.same_machine else np.maximum(LOSS * np.abs(expected), LEAST_LOSS)

    def of_schedule(self, expected: np.ndarray) -> np.ndarray:
        """Returns the largest difference of each expected learning rate."""
        return np.zeros_like(expected) if self.same_machine else SCHEDULED * np.abs(expected)


def judge(differences: np.ndarray | float, tolerances: np.ndarray | float) -> str:
    """Returns `equal`, `within` or `different`: the worst of absolute differences, each with its tolerance."""
    if not np.any(differences):
        return EQUAL
    # Two of 20 images are 0.1 but for rounding; no tolerance stays none.
    return WITHIN if np.all(differences <= np.asarray(tolerances) * (1 + 1e-9)) else DIFFERENT


def worst(*statuses: str) -> str:
    """Returns the worst of what `judge` returned."""
    return max(statuses, key=(EQUAL, WITHIN, DIFFERENT, MISSING).index)
