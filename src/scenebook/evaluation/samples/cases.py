"""Test images that a reader wants to see because of what was predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd

KINDS = ("right and sure", "right and unsure", "wrong and sure")
"""The kinds of cases, in the order in which they are shown."""
HEADINGS = ("Right and sure", "Right but unsure", "Wrong, the largest losses first")
SMALLEST = 1e-12
"""What a probability of 0 counts as in a loss: single precision can round to it."""


def select_cases(predictions: pd.DataFrame, *, each: int = 6) -> pd.DataFrame:
    """Selects the surest and the least sure of the right predictions, and the wrong ones with the largest losses.

    The surest ones are taken from the classes in turn, since the easiest class would otherwise fill the row; all belong
    to the surer half of the right ones, so that no image is taken twice.

    Args:
        predictions: The columns path, label, predicted, confidence and `p_<class>` for each class.
        each: Images of a kind, at most.

    Returns:
        The columns row (one of `KINDS`), path, label, predicted, confidence, loss (negative natural logarithm of the
        true class's probability) and `p_<class>`; of a kind that has no images, no rows.
    """
    own = [row[f"p_{row['label']}"] for row in predictions.to_dict("records")]
    loss = -np.log(np.maximum(np.array(own, dtype=float), SMALLEST))
    columns = ["path", "label", "predicted", "confidence"]
    table = predictions[columns].assign(loss=loss).join(predictions.filter(regex="^p_"))
    is_right = table["label"] == table["predicted"]
    right = table[is_right].sort_values(["confidence", "path"], ascending=[False, True])
    surer = right[: -(-len(right) // 2)]
    turn = surer.groupby("label").cumcount().sort_values(kind="stable")
    sure = surer.loc[turn.index[:each]]
    unsure = right.drop(index=sure.index)[::-1][:each]
    wrong = table[~is_right].sort_values(["loss", "confidence", "path"], ascending=[False, False, True])[:each]
    rows = [part.assign(row=kind) for kind, part in zip(KINDS, (sure, unsure, wrong), strict=True)]
    found = pd.concat(rows, ignore_index=True)
    return found[["row", *table.columns]]


def count_rows(cases: pd.DataFrame) -> list[tuple[str, int]]:
    """Returns the heading of each row and how many images stand in it, for `show_pictures`."""
    counts = cases["row"].value_counts()
    return [(heading, int(counts[kind])) for kind, heading in zip(KINDS, HEADINGS, strict=True) if kind in counts]
