"""Which probabilities stand under an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scenebook.notebook.grids import Bar


def bars_of(predictions: pd.DataFrame, class_names: Sequence[str], *, most: int = 3) -> list[list[Bar]]:
    """Returns the likeliest classes of each image, the likeliest first, and always the true one.

    Args:
        predictions: The columns label and `p_<class>` for each class.
        class_names: The classes.
        most: Bars of an image; where the true class is not among them, it takes the place of the last.
    """
    probs = predictions[[f"p_{name}" for name in class_names]].to_numpy(dtype=float)
    order = np.argsort(-probs, axis=1, kind="stable")
    rows = []
    for label, shares, ranked in zip(predictions["label"], probs, order, strict=True):
        shown = [int(position) for position in ranked[:most]]
        true = class_names.index(label)
        if true not in shown:
            shown[-1] = true
        rows.append([Bar(class_names[at], float(shares[at]), at == true) for at in shown])
    return rows
