"""What an evaluation wrote, against its repetition: scores, confusions, the report of the classes, other tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.wording import count_noun
from scenebook.pipeline.compare.reading import read_mapping
from scenebook.pipeline.compare.rows import Pair, Row
from scenebook.pipeline.compare.showing import as_number, is_number, is_score
from scenebook.pipeline.compare.tables import compare_tables, list_differences
from scenebook.pipeline.compare.tolerances import BOUNDS, DIFFERENT, EQUAL, FEWEST, MISSING, SHARE, judge, worst
from scenebook.pipeline.compare.trainings import LOSS_TOLERANCE

_PARTS = ("value", "low", "high")
_OTHERS = f"{SHARE:.0%} of the rows, or {FEWEST}; numbers {SHARE:g} on average"


def compare_scores(pair: Pair, relative: str) -> list[Row]:
    """Compares each score, with the bounds of its interval; counts have to be equal."""
    first, second = (read_mapping(run_dir, relative) for run_dir in (pair.first, pair.second))
    rows = []
    for name, expected in first.items():
        texts = [as_number(expected), as_number(second.get(name))]
        if not (is_score(expected) and is_score(second.get(name))):
            same = EQUAL if expected == second.get(name) else DIFFERENT
            rows.append(pair.make_exact_row(f"{relative}: {name}", texts, same if name in second else MISSING))
            continue
        one, other = (np.array([score[part] for part in _PARTS], float) for score in (expected, second[name]))
        allowed, tolerance = _allow(pair, name, one, first)
        off = np.abs(one - other)
        if off.any():
            texts[1] += f"; off by {off.max():.2g}"
        rows.append(pair.make_row(f"{relative}: {name}", texts, tolerance, judge(off, allowed)))
    new = {name: as_number(value) for name, value in second.items() if name not in first}
    return rows + [pair.make_exact_row(f"{relative}: {name}", ["–", text], MISSING) for name, text in new.items()]


def _allow(pair: Pair, name: str, expected: np.ndarray, scores: Mapping[str, Any]) -> tuple[np.ndarray, str]:
    """Returns how far a score and its bounds may be off, float `(3,)`, and that of the score as text."""
    times = np.array([1.0, BOUNDS, BOUNDS])
    if "loss" in name:
        return times * pair.rule.of_loss(expected), LOSS_TOLERANCE
    n = scores.get("n_without_duplicates" if "without_duplicates" in name else "n")
    share = pair.rule.of_share(float(n) if is_number(n) else 1.0)
    return times * share, f"{share:.3g}"


def compare_confusions(pair: Pair, relative: str) -> list[Row]:
    """Compares how many images stand in another cell."""
    first, second = pair.read_tables(relative, "label")
    if list(first.columns) != list(second.columns) or list(first["label"]) != list(second["label"]):
        texts = [count_noun(len(table), "class", "classes") for table in (first, second)]
        return [pair.make_exact_row(relative, [texts[0], f"{texts[1]}, others"], DIFFERENT)]
    one, other = (table.iloc[:, 1:].to_numpy(dtype=float) for table in (first, second))
    n, moved = int(one.sum()), float(np.abs(one - other).sum()) / 2
    shown, allowed = count_noun(n, "image"), pair.rule.of_images(n)
    found = f"{moved:g} of them in another cell" if moved else shown
    return [pair.make_row(relative, [shown, found], count_noun(int(allowed), "image"), judge(moved, allowed))]


def compare_reports(pair: Pair, relative: str) -> list[Row]:
    """Compares each class by itself, with a tolerance for the number of its own test images."""
    first, second = pair.read_tables(relative, "class", "support")
    texts = [count_noun(len(table), "row") for table in (first, second)]
    keys = ["class", "support"]
    if list(first.columns) != list(second.columns) or not first[keys].equals(second[keys]):
        return [pair.make_exact_row(relative, [texts[0], f"{texts[1]}, others"], DIFFERENT)]
    names = [name for name in first if name not in keys]
    off = np.stack([list_differences(first[name], second[name]) for name in names], axis=1)
    allowed = np.array([[pair.rule.of_share(float(n))] for n in pd.to_numeric(first["support"])])
    if off.any():
        texts[1] += f"; off by {off.max():.2g} at most, for {first['class'].iloc[int(off.max(axis=1).argmax())]}"
    return [pair.make_row(relative, texts, f"{SHARE:g}, or {FEWEST} images of a class", judge(off, allowed))]


def compare_others(pair: Pair, relative: str) -> list[Row]:
    """Compares tables of any columns: which rows are there, what text is in them, and the means of numbers."""
    first, second = pair.read_tables(relative)
    texts = [count_noun(len(table), "row") for table in (first, second)]
    if pair.has_same_bytes(relative):
        return [pair.make_row(relative, texts, _OTHERS, EQUAL)]
    if list(first.columns) != list(second.columns):
        return [pair.make_exact_row(relative, [texts[0], f"{texts[1]}, with other columns"], DIFFERENT)]
    off = compare_tables(first, second)
    texts[1] += f"; {off.unmatched + off.texts:,} others; numbers off by {off.numbers:.2g} on average"
    status = worst(
        judge(off.unmatched + off.texts, pair.rule.of_images(off.rows)),
        judge(off.numbers, pair.rule.of_mean()),
        # On the same machine the order of the rows, and how a number is written, are to be the same too.
        DIFFERENT if pair.rule.same_machine else EQUAL,
    )
    return [pair.make_row(relative, texts, _OTHERS, status)]
