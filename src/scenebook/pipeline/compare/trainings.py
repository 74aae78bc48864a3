"""What a training left, against its repetition: the history, and what was predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenebook.core.wording import count_noun
from scenebook.pipeline.compare.images import COLUMNS, SPLITS
from scenebook.pipeline.compare.rows import Pair, Row
from scenebook.pipeline.compare.tables import list_differences
from scenebook.pipeline.compare.tolerances import DIFFERENT, EQUAL, LEAST_LOSS, LOSS, SCHEDULED, SHARE, judge, worst

REPEATED = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
"""Columns of `training/history.csv` that a repetition gives again: all but the epoch's number and the seconds."""
LOSS_TOLERANCE = f"{LOSS:.0%}, or {LEAST_LOSS:g}"


def compare_histories(pair: Pair, relative: str) -> list[Row]:
    """Compares each epoch, each with its own tolerance; the last one is shown."""
    first, second = pair.read_tables(relative, *REPEATED)
    if len(first) != len(second) or not len(first):
        texts = [count_noun(len(table), "epoch") for table in (first, second)]
        return [pair.make_exact_row(relative, texts, DIFFERENT)]
    splits, _ = pair.read_tables(SPLITS, *COLUMNS)
    sizes = splits["split"].value_counts()
    rows = []
    for name in REPEATED:
        allowed, tolerance = _allow(pair, name, pd.to_numeric(first[name], errors="coerce").to_numpy(float), sizes)
        off = list_differences(first[name], second[name])
        texts = [f"{table[name].iloc[-1]}" for table in (first, second)]
        if off.any():
            texts[1] += f"; off by {off.max():.2g} in epoch {int(off.argmax()) + 1} of {len(off)}"
        rows.append(pair.make_row(f"{relative}: {name}", texts, tolerance, judge(off, allowed)))
    return rows


def _allow(pair: Pair, name: str, expected: np.ndarray, sizes: pd.Series) -> tuple[np.ndarray, str]:
    """Returns how far each epoch may be off, float `(epochs,)`, and that as text."""
    if name == "learning_rate":
        return pair.rule.of_schedule(expected), f"relative {SCHEDULED:g}"
    if "loss" in name:
        return pair.rule.of_loss(expected), LOSS_TOLERANCE
    share = pair.rule.of_share(float(sizes.get("validation" if name.startswith("val_") else "train", 1)))
    return np.full(len(expected), share), f"{share:.3g}"


def compare_predictions(pair: Pair, relative: str) -> list[Row]:
    """Compares which images were asked about, the predicted classes, and the probabilities."""
    first, second = pair.read_tables(relative, "path", "label", "predicted", "confidence")
    texts = [count_noun(len(table), "image") for table in (first, second)]
    keys = ["path", "label"]
    if list(first.columns) != list(second.columns) or not first[keys].equals(second[keys]):
        texts[1] += ", others or with other classes"
        return [pair.make_exact_row(f"{relative}: images", texts, DIFFERENT)]
    rows = [pair.make_exact_row(f"{relative}: images", texts, EQUAL)]
    if not len(first):
        return rows
    others, allowed = int((first["predicted"] != second["predicted"]).sum()), pair.rule.of_images(len(first))
    found = f"{others:,} predicted otherwise" if others else texts[1]
    tolerance = count_noun(int(allowed), "image")
    rows.append(pair.make_row(f"{relative}: predicted", [texts[0], found], tolerance, judge(others, allowed)))
    return [*rows, _compare_probabilities(pair, relative, first, second)]


def _compare_probabilities(pair: Pair, relative: str, first: pd.DataFrame, second: pd.DataFrame) -> Row:
    columns = [name for name in map(str, first.columns) if name.startswith("p_")]
    # Half the sum of an image's differences is the probability that went from one class to another, of however many.
    moved = np.stack([list_differences(first[name], second[name]) for name in columns], axis=1).sum(axis=1) / 2
    confidence = list_differences(first["confidence"], second["confidence"])
    status = worst(*(judge(float(off.mean()), pair.rule.of_mean()) for off in (moved, confidence)))
    found = f"{moved.mean():.2g} on average of another class, {moved.max():.2g} at most"
    texts = [f"{len(columns)} an image", f"{len(columns)} an image" if status == EQUAL else found]
    return pair.make_row(f"{relative}: probabilities", texts, f"{SHARE:g} on average", status)
