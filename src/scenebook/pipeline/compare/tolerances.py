"""Results of a run against those of its repetition: equal on the same type of machine, else within a tolerance.

The tolerances are for another processor, system or version of a library: there sums are rounded in another order, and
training makes more of that with every step. Measured on the sample profile between two runtimes of the frozen layers,
OpenVINO and TensorFlow: no predicted class differs, no probability by more than 2e-6, no loss by more than 4e-7. They
are far wider than that because longer trainings of larger heads amplify more, and far narrower than what other data,
another seed or another recipe would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from scenebook.core import run_files
from scenebook.core.errors import ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.wording import count_noun
from scenebook.pipeline.compare.read import (
    SPLIT_COLUMNS,
    as_number,
    compare_tables,
    is_number,
    is_score,
    list_differences,
    read_mapping,
    read_table,
)

SHARE = 0.02
"""Of what lies between 0 and 1, an accuracy or a probability: the largest absolute difference."""
MIN_IMAGES = 2
"""So many of the images may go the other way in any case: of 20 test images, one is 0.05 of the accuracy."""
LOSS = 0.05
"""Of a loss, which has no upper bound: the largest difference as a share of what is expected."""
LEAST_LOSS = 0.01
"""A loss may differ by this in any case: near 0, a share of it would be less than rounding."""
SCHEDULED = 1e-6
"""Of the learning rate, which is computed and not trained: the largest relative difference."""
EQUAL, WITHIN, DIFFERENT, MISSING = "equal", "within", "different", "missing"
REPEATED = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
"""Columns of `training/history.csv` that a repetition gives again: all but the epoch's number and the seconds."""
_PARTS = ("value", "low", "high")
_BOUNDS = np.array([1.0, 2.0, 2.0])
"""The bounds of an interval may differ by twice the tolerance of their score: near 0 and 1 they move faster."""
_LOSSES = f"{LOSS:.0%}, or {LEAST_LOSS:g}"
_OTHERS = f"{SHARE:.0%} of the rows, or {MIN_IMAGES}; numbers {SHARE:g} on average"


class ResultRow(NamedTuple):
    """A comparison of the run, `expected`, with its repetition in words.

    Its status is `equal`, `within` the tolerance, `different`, or `missing` in one of the two.
    """

    what: str
    expected: str
    found: str
    tolerance: str
    status: str


def compare_results(first: RunDirectory, second: RunDirectory, *, same_machine: bool) -> list[ResultRow]:
    """Compares a run with its repetition: data, training, then evaluation.

    What cannot be read, whoever made it, is `different`; what one of the two lacks is `missing`. Tables of the
    evaluation that only the repetition has are not asked for.

    Args:
        same_machine: Whether the machine and all versions are those of the run: then no difference is accepted.
    """
    pair = _Pair(first, second, same_machine)
    compares: dict[str, Callable[[str], Iterator[ResultRow]]] = {
        run_files.CLASSES: pair.compare_digests,
        run_files.SPLITS: pair.compare_splits,
        run_files.HISTORY: pair.compare_histories,
        run_files.TEST_PREDICTIONS: pair.compare_predictions,
        run_files.METRICS: pair.compare_scores,
        run_files.PREDICTIONS: pair.compare_predictions,
        run_files.CONFUSION_MATRIX: pair.compare_derived,
        run_files.CLASSIFICATION_REPORT: pair.compare_derived,
    }
    for file in list_evaluated(first):
        compares.setdefault(file, pair.compare_others)
    return [row for file, compare in compares.items() for row in pair.compare_file(file, compare)]


def list_evaluated(run_dir: RunDirectory) -> list[str]:
    """Returns the tables of a run's evaluation, sorted."""
    return sorted(f"evaluation/{path.name}" for path in run_dir.root.glob("evaluation/[!.]*.csv"))


@dataclass(frozen=True)
class _Pair:
    """A run and its repetition. `compare_` methods yield the rows of a file that both have."""

    first: RunDirectory
    second: RunDirectory
    same_machine: bool

    def compare_file(self, file: str, compare: Callable[[str], Iterator[ResultRow]]) -> list[ResultRow]:
        there = [(run_dir.root / file).is_file() for run_dir in (self.first, self.second)]
        if not all(there):
            return [_exact(file, ["there" if one else "missing" for one in there], MISSING)]
        try:
            return list(compare(file))
        except (ScenebookError, ValueError, TypeError, ArithmeticError) as error:
            return [ResultRow(file, "files that can be compared", str(error), "", DIFFERENT)]

    def compare_digests(self, file: str) -> Iterator[ResultRow]:
        """Compares the digests of the data: bytes, splits and paths of all images."""
        digests = [str(read_mapping(run_dir, file).get("digest")) for run_dir in (self.first, self.second)]
        status = EQUAL if digests[0] == digests[1] else DIFFERENT
        yield _exact(f"{file}: digest", [digest[:16] for digest in digests], status)

    def compare_splits(self, file: str) -> Iterator[ResultRow]:
        """Compares the lists of images byte for byte: nothing in them depends on how a machine rounds."""
        texts = [count_noun(len(table), "image") for table in self._read_tables(file, *SPLIT_COLUMNS)]
        one, other = self._read_bytes(file)
        if one != other:
            ours, theirs = set(one.splitlines()), set(other.splitlines())
            texts[1] += f"; {len(ours - theirs):,} lines only in the run, {len(theirs - ours):,} only in its repetition"
        yield _exact(file, texts, EQUAL if one == other else DIFFERENT)

    def compare_histories(self, file: str) -> Iterator[ResultRow]:
        """Compares each epoch, each with its own tolerance; the last one is shown."""
        first, second = self._read_tables(file, *REPEATED)
        if len(first) != len(second) or not len(first):
            yield _exact(file, [count_noun(len(table), "epoch") for table in (first, second)], DIFFERENT)
            return
        sizes = read_table(self.first, run_files.SPLITS, SPLIT_COLUMNS)["split"].value_counts()
        for name in REPEATED:
            expected = pd.to_numeric(first[name], errors="coerce").to_numpy(float)
            split = "validation" if name.startswith("val_") else "train"
            allowed, tolerance = _allow_score(name, expected, float(sizes.get(split, 1)))
            off = list_differences(first[name], second[name])
            texts = [f"{table[name].iloc[-1]}" for table in (first, second)]
            if off.any():
                texts[1] += f"; off by {off.max():.2g} in epoch {int(off.argmax()) + 1} of {len(off)}"
            yield self._judge(f"{file}: {name}", texts, tolerance, off, allowed)

    def compare_predictions(self, file: str) -> Iterator[ResultRow]:
        """Compares which images were asked about, the predicted classes, and the probabilities."""
        first, second = self._read_tables(file, "path", "label", "predicted", "confidence")
        texts = [count_noun(len(table), "image") for table in (first, second)]
        if not _have_same_rows(first, second, ["path", "label"]):
            yield _exact(f"{file}: images", [texts[0], f"{texts[1]}, others or with other classes"], DIFFERENT)
            return
        yield _exact(f"{file}: images", texts, EQUAL)
        if not len(first):
            return
        others, allowed = int((first["predicted"] != second["predicted"]).sum()), _allow_images(len(first))
        found = f"{others:,} predicted otherwise" if others else texts[1]
        tolerance = count_noun(int(allowed), "image")
        yield self._judge(f"{file}: predicted", [texts[0], found], tolerance, others, allowed)
        columns = [name for name in map(str, first.columns) if name.startswith("p_")]
        # Half the sum of an image's differences is the probability that went from one class to another.
        moved = np.stack([list_differences(first[name], second[name]) for name in columns], axis=1).sum(axis=1) / 2
        off = np.array([moved.mean(), list_differences(first["confidence"], second["confidence"]).mean()])
        shown = f"{len(columns)} an image"
        found = f"{moved.mean():.2g} on average of another class, {moved.max():.2g} at most" if off.any() else shown
        yield self._judge(f"{file}: probabilities", [shown, found], f"{SHARE:g} on average", off, SHARE)

    def compare_scores(self, file: str) -> Iterator[ResultRow]:
        """Compares each score, with the bounds of its interval; counts have to be equal."""
        first, second = (read_mapping(run_dir, file) for run_dir in (self.first, self.second))
        for name in {**first, **second}:
            one, other = first.get(name), second.get(name)
            texts = [as_number(one), as_number(other)]
            if not (is_score(one) and is_score(other)):
                same = EQUAL if one == other else DIFFERENT
                yield _exact(f"{file}: {name}", texts, same if name in first and name in second else MISSING)
                continue
            expected, found = (np.array([score[part] for part in _PARTS], dtype=float) for score in (one, other))
            n = first.get("n_without_duplicates" if "without_duplicates" in name else "n")
            allowed, tolerance = _allow_score(name, expected, float(n) if is_number(n) else 1.0)
            off = np.abs(expected - found)
            if off.any():
                texts[1] += f"; off by {off.max():.2g}"
            yield self._judge(f"{file}: {name}", texts, tolerance, off, _BOUNDS * allowed)

    def compare_derived(self, file: str) -> Iterator[ResultRow]:
        """Compares the classes of a table that follows from the predictions, which have tolerances of their own."""
        first, second = self._read_tables(file)
        texts = [count_noun(len(table), "row") for table in (first, second)]
        off = np.inf
        if _have_same_rows(first, second, [first.columns[0]]):
            off = max(list_differences(first[name], second[name]).max() for name in first.columns[1:])
        if np.isinf(off):
            yield _exact(file, [texts[0], f"{texts[1]}, others"], DIFFERENT)
            return
        found = f"{texts[1]}; off by {off:.2g} at most" if off else texts[1]
        yield self._judge(file, [texts[0], found], "that of the predictions", off, np.inf)

    def compare_others(self, file: str) -> Iterator[ResultRow]:
        """Compares tables of any columns: which rows are there, what text is in them, and the means of numbers."""
        first, second = self._read_tables(file)
        texts = [count_noun(len(table), "row") for table in (first, second)]
        one, other = self._read_bytes(file)
        if one == other:
            yield self._judge(file, texts, _OTHERS, 0.0, 0.0)
        elif list(first.columns) != list(second.columns):
            yield _exact(file, [texts[0], f"{texts[1]}, with other columns"], DIFFERENT)
        else:
            rows, numbers = compare_tables(first, second)
            texts[1] += f"; {rows:,} others; numbers off by {numbers:.2g} on average"
            # On the same machine the order of the rows, and how a number is written, are to be the same too.
            off = np.array([rows, numbers, self.same_machine])
            yield self._judge(file, texts, _OTHERS, off, np.array([_allow_images(len(first)), SHARE, 0]))

    def _read_tables(self, file: str, *columns: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        return read_table(self.first, file, columns), read_table(self.second, file, columns)

    def _read_bytes(self, file: str) -> tuple[bytes, bytes]:
        return self.first.path(file).read_bytes(), self.second.path(file).read_bytes()

    def _judge(
        self, what: str, texts: Sequence[str], tolerance: str, off: np.ndarray | float, allowed: np.ndarray | float
    ) -> ResultRow:
        """Returns the row of absolute differences, each with its tolerance, which is none on the same machine."""
        # Two of 20 images are 0.1 but for rounding.
        within = not self.same_machine and np.all(off <= np.asarray(allowed) * (1 + 1e-9))
        status = EQUAL if not np.any(off) else WITHIN if within else DIFFERENT
        return ResultRow(what, texts[0], texts[1], "none" if self.same_machine else tolerance, status)


def _exact(what: str, texts: Sequence[str], status: str) -> ResultRow:
    """Returns a row of what has no tolerance on any machine; `texts`: expected, found."""
    return ResultRow(what, texts[0], texts[1], "none", status)


def _have_same_rows(first: pd.DataFrame, second: pd.DataFrame, keys: list[str]) -> bool:
    return list(first.columns) == list(second.columns) and first[keys].equals(second[keys])


def _allow_share(n: float) -> float:
    """Returns the largest difference of a score between 0 and 1 that was counted on n images."""
    return max(SHARE, min(1.0, MIN_IMAGES / max(n, 1)))


def _allow_images(n: int) -> float:
    return _allow_share(n) * n


def _allow_score(name: str, expected: np.ndarray, n: float) -> tuple[np.ndarray | float, str]:
    """Returns how far what is called so, a score of n images say, may be off each expected value, and that as text."""
    if name == "learning_rate":
        return SCHEDULED * np.abs(expected), f"relative {SCHEDULED:g}"
    if "loss" in name:
        return np.maximum(LOSS * np.abs(expected), LEAST_LOSS), _LOSSES
    return _allow_share(n), f"{_allow_share(n):.3g}"
