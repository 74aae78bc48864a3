"""Test images that a reader wants to see because of what was predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.sentences import Sourced
from scenebook.core.wording import say_share

KINDS = ("right and sure", "right and unsure", "wrong and sure")
"""The kinds of cases, in the order in which they are shown."""
HEADINGS = ("Right and sure", "Right but unsure", "Wrong, the largest losses first")
FILE = "samples/rows.csv"
CERTAIN = 0.9
"""A right prediction with at least this probability is called sure, however it ranks."""
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


def read_cases(cases: pd.DataFrame, n: int) -> tuple[str, Sourced]:
    """Returns the sentences that read a table of cases, and the values of their fields, for `say`.

    Args:
        cases: As `select_cases` returns them.
        n: Test images in all.
    """
    sure, unsure, wrong = (cases[cases["row"] == kind] for kind in KINDS)
    values: dict[str, Any] = {"n": n, "errors": len(wrong)}
    for name, part in (("sure", sure), ("unsure", unsure), ("wrong", wrong)):
        if len(part):
            values[f"{name}_low"] = say_share(part["confidence"].min())
            values[f"{name}_high"] = say_share(part["confidence"].max())
    if len(wrong):
        worst = wrong.iloc[0]
        values |= {"label": worst["label"], "predicted": worst["predicted"]}
        values |= {"share": say_share(worst["confidence"]), "own": say_share(worst[f"p_{worst['label']}"])}
    sentence = f"{_read_right(len(sure), unsure, values)} {_read_wrong(values)}"
    return sentence, Sourced(values, origins=dict.fromkeys(values, FILE) | {"n": "training/test_predictions.csv"})


def _read_right(sure: int, unsure: pd.DataFrame, values: Mapping[str, Any]) -> str:
    if not sure:
        return "No test image is classified correctly."
    if not len(unsure):
        if values["n"] == 1:
            return "The one test image is classified correctly; its class is given {sure_high}."
        return "Of {n:,} test images one is classified correctly; its class is given {sure_high}."
    if unsure["confidence"].min() >= CERTAIN:
        return "The network is sure whenever it is right: even the least sure right prediction is given {unsure_low}."
    surely, barely = _range("sure", values), _range("unsure", values)
    return f"Where the network is right and sure, it gives the class {surely}; where it is right but unsure, {barely}."


def _read_wrong(values: Mapping[str, Any]) -> str:
    if not values["errors"]:
        return "No test image is classified wrongly, so there is no third row."
    if values["errors"] == 1:
        return "The one error calls an image of {label} {predicted} with {share}, and its own class gets {own}."
    return (
        f"The {{errors}} wrong predictions with the largest losses are given {_range('wrong', values)}: in the worst, "
        "an image of {label} is called {predicted} with {share}, and its own class gets {own}."
    )


def _range(name: str, values: Mapping[str, Any]) -> str:
    low, high = values[f"{name}_low"], values[f"{name}_high"]
    # Where the lowest is more than 99%, the highest says no more.
    return f"{{{name}_low}}" if low == high or low.startswith("more") else f"{{{name}_low}} to {{{name}_high}}"
