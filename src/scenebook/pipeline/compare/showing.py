"""Values of a run as text on a terminal: whatever they hold, they colour nothing and move no cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scenebook.core.sentences import as_utf8


def as_text(value: object, style: str = "") -> Text:
    """Returns any value as plain text: no markup, and a replacement sign for each character that is not to be seen."""
    shown = "none" if value is None else str(value)
    return Text("".join(sign if sign.isprintable() else "\ufffd" for sign in as_utf8(shown)), style=style)


def as_number(value: Any) -> str:
    """Returns a score with its interval, `0.912 (0.880 to 0.940)`, or a number, or a dash for none."""
    if is_score(value):
        return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    if is_number(value):
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return "–" if value is None else str(value)


def is_number(value: object) -> TypeGuard[float]:
    """Tells whether a value of a JSON file is a number."""
    # The bounds keep out what is none, and whole numbers too large to be computed with.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300


def is_score(value: Any) -> bool:
    """Tells whether a value of a JSON file is a score with its bounds."""
    return isinstance(value, dict) and all(is_number(value.get(part)) for part in ("value", "low", "high"))


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = ""
) -> None:
    """Prints a titled table as wide as it needs to be, in the style of the command line.

    Args:
        console: Where.
        title: In bold, above it.
        columns: Their headings.
        rows: A value a column; a `Text` is printed as it is.
        right: The heading of a column whose numbers are aligned to the right.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(as_text(column), overflow="fold", justify="right" if column == right else "left")
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else as_text(value) for value in row))
    with wrapped(console):
        console.print(as_text(title, "bold"))
        console.print(table)
        console.print()


def print_lines(console: Console, lines: Iterable[object], style: str = "") -> None:
    """Prints a line each."""
    for line in lines:
        console.print(as_text(line, style))


@contextmanager
def wrapped(console: Console) -> Iterator[None]:
    """Makes the console fold what does not fit, as tables need it; the command line's does not."""
    before = console.soft_wrap
    console.soft_wrap = False
    try:
        yield
    finally:
        console.soft_wrap = before
