"""Prints what `diff_runs` found, as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from scenebook.core.wording import count_noun, signed
from scenebook.evaluation.metrics.intervals import RESAMPLES, Score
from scenebook.pipeline.compare.changes import Change
from scenebook.pipeline.compare.code import CodeDiff
from scenebook.pipeline.compare.images import ImagesDiff
from scenebook.pipeline.compare.runs import RunsDiff
from scenebook.pipeline.compare.scores import BOOTSTRAP_SEED, PairedScores
from scenebook.pipeline.compare.showing import as_number, print_lines, print_table

_MOST_NAMES = 3
_SIDES = ("A", "B")


def print_diff(console: Console, diff: RunsDiff) -> None:
    """Prints the differences of two runs: settings, data, code, scores, then what is missing."""
    print_lines(console, [f"A: {diff.first}", f"B: {diff.second}", ""], "bold")
    if diff.settings is not None:
        _print_changes(console, "settings", diff.settings)
    if diff.images is not None:
        _print_images(console, diff.images)
    _print_code(console, diff.code)
    if diff.scores is not None:
        rows = [(name, as_number(first), as_number(second)) for name, first, second in diff.scores]
        print_table(console, "scores (95% intervals)", ("score", *_SIDES), rows)
    if diff.paired is not None:
        _print_paired(console, diff.paired)
    print_lines(console, [f"note: {note}" for note in diff.notes], "yellow")


def _print_changes(console: Console, title: str, changes: Sequence[Change]) -> None:
    if not changes:
        print_lines(console, [f"{title}: no difference", ""])
        return
    print_table(console, title, ("name", *_SIDES), [(change.name, change.first, change.second) for change in changes])


def _print_images(console: Console, images: ImagesDiff) -> None:
    _print_changes(console, "data", images.facts)
    if images.counts:
        print_table(console, "images by split and class", ("split", "class", *_SIDES), images.counts)
    rows = [(what, f"{len(paths):,}", _name_some(paths)) for what, paths in images.sets.items() if paths]
    print_lines(console, [f"{count_noun(images.common, 'image')} in both"])
    if rows:
        print_table(console, "other images", ("which", "images", "such as"), rows, right="images")
    else:
        print_lines(console, ["No image is in one run only, in another split, or under another label or path.", ""])


def _print_code(console: Console, code: CodeDiff) -> None:
    _print_changes(console, "code and versions", code.made_with)
    rows = [
        (change.stage, change.section, ", ".join(names), how)
        for change in code.stages
        for names, how in (
            (change.changed, "differ"),
            (change.only_first, "only in A"),
            (change.only_second, "only in B"),
        )
        if names
    ]
    if rows:
        print_table(console, "code by stage", ("stage", "what", "names", "how"), rows)
    if code.unknown:
        stages = ", ".join(code.unknown)
        print_lines(console, [f"What code these stages ran is not kept by both runs: {stages}", ""])


def _print_paired(console: Console, paired: PairedScores) -> None:
    title = f"image by image, on the {count_noun(paired.n, 'test image')} that both runs have"
    lines = [f"A has {count_noun(paired.n_first, 'test image')}, B has {paired.n_second:,}."]
    if paired.other_label:
        lines.append(f"{paired.other_label:,} of both have another label in each: these are not compared.")
    if paired.accuracy is None or paired.log_loss is None:
        lines.append("The test sets share no image with the same label: nothing can be compared image by image.")
        print_lines(console, [*lines, ""])
        return
    rows = [
        ("accuracy, B less A", _write_difference(paired.accuracy), "Tango's score interval"),
        ("only A is right", f"{paired.only_first:,}", ""),
        ("only B is right", f"{paired.only_second:,}", ""),
        ("p", _write_p(paired.p), f"McNemar's test, {paired.method}"),
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


def _write_p(p: float | None) -> str:
    return "below 0.001" if p is not None and p < 0.001 else f"{p:.3f}"


def _name_some(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_NAMES
    return ", ".join(paths[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
