"""One comparison of a run with its repetition, and what is needed to make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from scenebook.core.run_directory import RunDirectory
from scenebook.pipeline.compare.reading import read_table
from scenebook.pipeline.compare.tolerances import Rule


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
    """A run and its repetition.

    Attributes:
        first: The run.
        second: Its repetition.
        rule: How far the two may be apart.
    """

    first: RunDirectory
    second: RunDirectory
    rule: Rule

    def read_tables(self, relative: str, *columns: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Returns a table of both, with at least these columns.

        Raises:
            ScenebookError: One cannot be read, or lacks a column.
        """
        return read_table(self.first, relative, columns), read_table(self.second, relative, columns)

    def has_same_bytes(self, relative: str) -> bool:
        """Tells whether a file is the same in both, byte for byte."""
        return self.first.path(relative).read_bytes() == self.second.path(relative).read_bytes()

    @staticmethod
    def make_exact_row(what: str, texts: Sequence[str], status: str) -> Row:
        """Returns a row of what has no tolerance on any machine; arguments as of `make_row`."""
        return Row(what, texts[0], texts[1], "none", status)

    def make_row(self, what: str, texts: Sequence[str], tolerance: str, status: str) -> Row:
        """Returns a row of what has a tolerance on another machine, and none on the same.

        Args:
            what: As in `Row`.
            texts: What is expected, what was found.
            tolerance: That of another machine.
            status: As in `Row`.
        """
        return Row(what, texts[0], texts[1], "none" if self.rule.same_machine else tolerance, status)
