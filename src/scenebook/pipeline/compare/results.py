"""All results of a run against those of its repetition, a row a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import (
    CLASSES,
    CLASSIFICATION_REPORT,
    CONFUSION_MATRIX,
    HISTORY,
    METRICS,
    PREDICTIONS,
    SPLITS,
    TEST_PREDICTIONS,
)
from scenebook.core.wording import count_noun
from scenebook.pipeline.compare.read import COLUMNS, as_number, is_number, is_score, read_mapping, read_table
from scenebook.pipeline.compare.tolerances import (
    BOUNDS,
    DIFFERENT,
    EQUAL,
    FEWEST,
    LEAST_LOSS,
    LOSS,
    MISSING,
    SCHEDULED,
    SHARE,
    Rule,
    compare_tables,
    judge,
    list_differences,
    worst,
)

REPEATED = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
"""Columns of `training/history.csv` that a repetition gives again: all but the epoch's number and the seconds."""
LOSS_TOLERANCE = f"{LOSS:.0%}, or {LEAST_LOSS:g}"
_PARTS = ("value", "low", "high")
_OTHERS = f"{SHARE:.0%} of the rows, or {FEWEST}; numbers {SHARE:g} on average"


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: The file and what of it.
        expected: What the run says.
        found: What its repetition gave, and how far that is off.
        tolerance: How far it may be off.
        status: `equal`, `within` (not equal, but within the tolerance), `different`, or `missing` in one of the two.
    """

    what: str
    expected: str
    found: str
    tolerance: str
    status: str


@dataclass(frozen=True)
class Pair:
    """A run, its repetition, and how far the two may be apart."""

    first: RunDirectory
    second: RunDirectory
    rule: Rule

    def read_tables(self, relative: str, *columns: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Returns a table of both, with at least these columns, or raises `ScenebookError`."""
        return read_table(self.first, relative, columns), read_table(self.second, relative, columns)

    def has_same_bytes(self, relative: str) -> bool:
        """Tells whether a file is the same in both, byte for byte."""
        return self.first.path(relative).read_bytes() == self.second.path(relative).read_bytes()

    @staticmethod
    def make_exact_row(what: str, texts: Sequence[str], status: str) -> Row:
        """Returns a row of what has no tolerance on any machine."""
        return Row(what, texts[0], texts[1], "none", status)

    def make_row(self, what: str, texts: Sequence[str], tolerance: str, status: str) -> Row:
        """Returns a row of what has a tolerance on another machine, and none on the same; `texts`: expected, found."""
        return Row(what, texts[0], texts[1], "none" if self.rule.same_machine else tolerance, status)


Compare = Callable[[Pair, str], list[Row]]


def compare_results(pair: Pair) -> list[Row]:
    """Returns a row a comparison: data, training, then evaluation.

    What cannot be read, whoever made it, is `different`; what one of the two lacks is `missing`. Tables of the
    evaluation that only the repetition has are not asked for.
    """
    named: dict[str, Compare] = {
        CLASSES: compare_digests,
        SPLITS: compare_splits,
        HISTORY: compare_histories,
        TEST_PREDICTIONS: compare_predictions,
        METRICS: compare_scores,
        PREDICTIONS: compare_predictions,
        CONFUSION_MATRIX: compare_confusions,
        CLASSIFICATION_REPORT: compare_reports,
    }
    others = [file for file in list_evaluated(pair.first) if file not in named]
    compares = named | dict.fromkeys(others, compare_others)
    return [row for file, compare in compares.items() for row in _compare_file(pair, file, compare)]


def _compare_file(pair: Pair, relative: str, compare: Compare) -> list[Row]:
    there = [(run_dir.root / relative).is_file() for run_dir in (pair.first, pair.second)]
    if not all(there):
        texts = ["there" if one else "missing" for one in there]
        return [pair.make_exact_row(relative, texts, MISSING)]
    try:
        return compare(pair, relative)
    except (ScenebookError, ValueError, TypeError, ArithmeticError) as error:
        return [Row(relative, "files that can be compared", str(error), "", DIFFERENT)]


def compare_digests(pair: Pair, relative: str) -> list[Row]:
    """Compares the digests of the data: bytes, splits and paths of all images."""
    digests = [str(read_mapping(run_dir, relative).get("digest")) for run_dir in (pair.first, pair.second)]
    status = EQUAL if digests[0] == digests[1] else DIFFERENT
    return [pair.make_exact_row(f"{relative}: digest", [digest[:16] for digest in digests], status)]


def compare_splits(pair: Pair, relative: str) -> list[Row]:
    """Compares the lists of images byte for byte: nothing in them depends on how a machine rounds."""
    texts = [count_noun(len(table), "image") for table in pair.read_tables(relative, *COLUMNS)]
    if pair.has_same_bytes(relative):
        return [pair.make_exact_row(relative, texts, EQUAL)]
    one, other = (set(run_dir.path(relative).read_bytes().splitlines()) for run_dir in (pair.first, pair.second))
    texts[1] += f"; {len(one - other):,} lines only in the run, {len(other - one):,} only in its repetition"
    return [pair.make_exact_row(relative, texts, DIFFERENT)]


def list_evaluated(run_dir: RunDirectory) -> list[str]:
    """Returns the tables of a run's evaluation, sorted."""
    found = sorted(run_dir.root.glob("evaluation/*.csv"))
    return [path.relative_to(run_dir.root).as_posix() for path in found if not path.name.startswith(".")]


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
        allowed, tolerance = _allow_epochs(
            pair, name, pd.to_numeric(first[name], errors="coerce").to_numpy(float), sizes
        )
        off = list_differences(first[name], second[name])
        texts = [f"{table[name].iloc[-1]}" for table in (first, second)]
        if off.any():
            texts[1] += f"; off by {off.max():.2g} in epoch {int(off.argmax()) + 1} of {len(off)}"
        rows.append(pair.make_row(f"{relative}: {name}", texts, tolerance, judge(off, allowed)))
    return rows


def _allow_epochs(pair: Pair, name: str, expected: np.ndarray, sizes: pd.Series) -> tuple[np.ndarray, str]:
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
        allowed, tolerance = _allow_score(pair, name, one, first)
        off = np.abs(one - other)
        if off.any():
            texts[1] += f"; off by {off.max():.2g}"
        rows.append(pair.make_row(f"{relative}: {name}", texts, tolerance, judge(off, allowed)))
    new = {name: as_number(value) for name, value in second.items() if name not in first}
    return rows + [pair.make_exact_row(f"{relative}: {name}", ["–", text], MISSING) for name, text in new.items()]


def _allow_score(pair: Pair, name: str, expected: np.ndarray, scores: Mapping[str, Any]) -> tuple[np.ndarray, str]:
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
