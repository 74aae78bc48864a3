"""Prints on a terminal what `diff` and `verify` found: whatever a run holds, it colours nothing and moves no cursor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scenebook.core.sentences import as_utf8
from scenebook.core.wording import count_noun, join_names, signed
from scenebook.evaluation.metrics.intervals import RESAMPLES, Score
from scenebook.pipeline.compare.differ import BOOTSTRAP_SEED, Change, ImagesDiff, PairedScores, RunsDiff
from scenebook.pipeline.compare.read import as_number
from scenebook.pipeline.compare.repeat import Verification
from scenebook.pipeline.compare.tolerances import EQUAL, LEAST_LOSS, LOSS, MIN_IMAGES, SHARE, WITHIN, ResultRow
from scenebook.pipeline.planning import join_reasons

_MOST_NAMES = 3
_SIDES = ("A", "B")
_STYLES = {EQUAL: "", WITHIN: "cyan"}
_FAILED = "red"


def as_text(value: object, style: str = "") -> Text:
    """Returns any value as plain text: no markup, and a replacement sign for each character that is not to be seen."""
    shown = "none" if value is None else str(value)
    return Text("".join(sign if sign.isprintable() else "\ufffd" for sign in as_utf8(shown)), style=style)


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = ""
) -> None:
    """Prints a titled table as wide as it needs to be; a `Text` in it as it is. `right` heads a column of numbers."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(as_text(column), overflow="fold", justify="right" if column == right else "left")
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else as_text(value) for value in row))
    before = console.soft_wrap
    console.soft_wrap = False  # tables fold what does not fit; the command line's lines do not
    console.print(as_text(title, "bold"))
    console.print(table)
    console.print()
    console.soft_wrap = before


def print_lines(console: Console, lines: Iterable[object], style: str = "") -> None:
    """Prints a line each."""
    for line in lines:
        console.print(as_text(line, style))


def print_diff(console: Console, diff: RunsDiff) -> None:
    """Prints the differences of two runs: settings, data, code, scores, then what is missing."""
    print_lines(console, [f"A: {diff.first}", f"B: {diff.second}", ""], "bold")
    if diff.settings is not None:
        _print_changes(console, "settings", diff.settings)
    if diff.images is not None:
        _print_images(console, diff.images)
    _print_changes(console, "code and versions", diff.made_with)
    if diff.code:
        rows = [(stage, section, ", ".join(names), how) for stage, section, names, how in diff.code]
        print_table(console, "code by stage", ("stage", "what", "names", "how"), rows)
    if diff.unknown:
        print_lines(console, [f"What code these stages ran is not kept by both runs: {', '.join(diff.unknown)}", ""])
    if diff.scores is not None:
        scores = [(name, as_number(first), as_number(second)) for name, first, second in diff.scores]
        print_table(console, "scores (95% intervals)", ("score", *_SIDES), scores)
    if diff.paired is not None:
        _print_paired(console, diff.paired)
    print_lines(console, [f"note: {note}" for note in diff.notes], "yellow")


def _print_changes(console: Console, title: str, changes: Sequence[Change]) -> None:
    if not changes:
        print_lines(console, [f"{title}: no difference", ""])
        return
    print_table(console, title, ("name", *_SIDES), changes)


def _print_images(console: Console, images: ImagesDiff) -> None:
    _print_changes(console, "data", images.facts)
    if images.counts:
        print_table(console, "images by split and class", ("split", "class", *_SIDES), images.counts)
    rows = []
    for what, paths in images.sets.items():
        more = f" and {len(paths) - _MOST_NAMES:,} more" if len(paths) > _MOST_NAMES else ""
        if paths:
            rows.append((what, f"{len(paths):,}", ", ".join(paths[:_MOST_NAMES]) + more))
    print_lines(console, [f"{count_noun(images.common, 'image')} in both"])
    if rows:
        print_table(console, "other images", ("which", "images", "such as"), rows, right="images")
    else:
        print_lines(console, ["No image is in one run only, in another split, or under another label or path.", ""])


def _print_paired(console: Console, paired: PairedScores) -> None:
    title = f"image by image, on the {count_noun(paired.n, 'test image')} that both runs have"
    lines = [f"A has {count_noun(paired.n_first, 'test image')}, B has {paired.n_second:,}."]
    if paired.other_label:
        lines.append(f"{paired.other_label:,} of both have another label in each: these are not compared.")
    right = paired.right
    if right is None or paired.log_loss is None:
        lines.append("The test sets share no image with the same label: nothing can be compared image by image.")
        print_lines(console, [*lines, ""])
        return
    rows = [
        ("accuracy, B less A", _write_difference(right["difference"]), "Tango's score interval"),
        ("only A is right", f"{right['only_second']:,}", ""),
        ("only B is right", f"{right['only_first']:,}", ""),
        ("p", "below 0.001" if right["p"] < 0.001 else f"{right['p']:.3f}", f"McNemar's test, {right['method']}"),
        (
            "log loss, B less A",
            _write_difference(paired.log_loss),
            f"paired bootstrap over images, {RESAMPLES:,} resamples, seed {BOOTSTRAP_SEED}",
        ),
    ]
    print_table(console, title, ("what", "value (95% interval)", "how"), rows)
    lines.append("The intervals are about other test images; what another seed of training changes is not in them.")
    print_lines(console, [*lines, ""])


def _write_difference(score: Score) -> str:
    return f"{signed(score['value'], 3)} ({signed(score['low'], 3)} to {signed(score['high'], 3)})"


def print_verification(console: Console, verification: Verification) -> None:
    """Prints the problems of files, the table of comparisons, notes, and the closing sentence."""
    print_lines(console, [f"run {verification.run}, and its repetition", ""], "bold")
    if verification.problems:
        problems = verification.problems.items()
        print_table(console, "files that are not as the manifest says", ("file", "problem"), problems)
    else:
        print_lines(console, ["files: all are as the manifest says", ""])
    rows = [(*texts, as_text(status, _STYLES.get(status, _FAILED))) for *texts, status in verification.rows]
    print_table(console, "results", ResultRow._fields, rows)
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
    rule = "all had to be equal, as the machine and all versions are those of the run"
    if verification.machine:
        changes = [f"{name} {there} there, {here} here" for name, there, here in verification.machine]
        rule = (
            f"a tolerance applied (scores {SHARE:g} or {MIN_IMAGES} images, losses {LOSS:.0%} or {LEAST_LOSS:g}), as "
            f"the run was made on another machine or with other versions: {join_reasons(changes)}"
        )
    return f"{start}; {rule}."
