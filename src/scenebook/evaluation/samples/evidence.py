"""What is said of the maps of wrong predictions."""

from __future__ import annotations

import numpy as np

from scenebook.core.sentences import Sourced
from scenebook.evaluation.attribution.places import describe_place

FILE = "samples/error_maps.npz"


def read_error_maps(predicted: np.ndarray, true: np.ndarray) -> tuple[str, Sourced]:
    """Returns the sentences that read the maps of wrong predictions, and the values of their fields, for `say`.

    Args:
        predicted: float32 `(n, h, w)`, what speaks for the predicted class.
        true: As `predicted`, for the true class.
    """
    places = [(describe_place(one), describe_place(other)) for one, other in zip(predicted, true, strict=True)]
    both = [(one, other) for one, other in places if "nowhere" not in (one, other)]
    same = sum(one == other for one, other in both)
    values = {"n": len(places), "both": len(both), "same": same}
    return _read(len(places), len(both), same), Sourced(values, origins=dict.fromkeys(values, FILE))


def _read(n: int, both: int, same: int) -> str:
    if not both:
        return "In no image of [@fig:error-maps] is there evidence for both classes."
    begins = "Where [@fig:error-maps] shows evidence for both classes,"
    if both < n:
        begins = "Evidence for both classes is found in {both} of the {n} images of [@fig:error-maps]:"
    place = f"{begins} it is strongest in the same ninth of the image"
    if same == both:
        return f"{place}: either class is seen in the same place."
    if not same:
        return f"{begins} it is strongest in one place for the predicted class and in another for the true one."
    return f"{place} for {{same}} of {{both}}: there either class is seen in the same place, in the others elsewhere."
