"""Prints what `verify_run` found: files, comparisons, and one sentence to close."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from scenebook.core.wording import count_noun, join_names
from scenebook.pipeline.compare.changes import Change
from scenebook.pipeline.compare.showing import as_text, print_lines, print_table
from scenebook.pipeline.compare.tolerances import EQUAL, FEWEST, LEAST_LOSS, LOSS, SHARE, WITHIN
from scenebook.pipeline.compare.verifying import Verification

_STYLES = {EQUAL: "", WITHIN: "cyan"}
_FAILED = "red"
_MOST_CHANGES = 3


def print_verification(console: Console, verification: Verification) -> None:
    """Prints the problems of files, the table of comparisons, notes, and the closing sentence."""
    print_lines(console, [f"run {verification.run}, and its repetition", ""], "bold")
    if verification.problems:
        rows = [(problem.path, problem.problem) for problem in verification.problems]
        print_table(console, "files that are not as the manifest says", ("file", "problem"), rows)
    else:
        print_lines(console, ["files: all are as the manifest says", ""])
    table = [
        (row.what, row.expected, row.found, row.tolerance, as_text(row.status, _STYLES.get(row.status, _FAILED)))
        for row in verification.rows
    ]
    print_table(console, "results", ("what", "expected", "found", "tolerance", "status"), table)
    if verification.failure:
        print_lines(console, verification.failure.splitlines(), _FAILED)
    print_lines(console, [f"note: {note}" for note in verification.notes], "yellow")
    print_lines(console, [write_verdict(verification)], "bold" if verification.passed else f"bold {_FAILED}")


def write_verdict(verification: Verification) -> str:
    """Returns whether the run passed, what did not hold, and which rule was applied and why, as one sentence."""
    counts = Counter(row.status for row in verification.rows)
    if verification.passed:
        within = f", {counts[WITHIN]:,} within the tolerance" if counts[WITHIN] else ""
        equal = count_noun(counts[EQUAL], "comparison is equal", "comparisons are equal")
        start = f"Passed: every file is as it was written, {equal}{within}"
    else:
        broken = []
        if verification.problems:
            broken.append(f"{count_noun(len(verification.problems), 'file is', 'files are')} not as written")
        if verification.failure:
            broken.append("the repetition did not end")
        if verification.failed_rows:
            broken.append(f"{len(verification.failed_rows):,} of {len(verification.rows):,} comparisons do not hold")
        start = f"Not passed: {join_names(broken)}"
    return f"{start}; {_name_rule(verification)}."


def _name_rule(verification: Verification) -> str:
    if verification.same_machine:
        return "all had to be equal, as the machine and all versions are those of the run"
    return (
        f"a tolerance applied (scores {SHARE:g} or {FEWEST} images, losses {LOSS:.0%} or {LEAST_LOSS:g}), as the run "
        f"was made on another machine or with other versions: {_name_changes(verification.machine)}"
    )


def _name_changes(changes: Sequence[Change]) -> str:
    named = [f"{change.name} {change.first} there, {change.second} here" for change in changes[:_MOST_CHANGES]]
    more = len(changes) - _MOST_CHANGES
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")
