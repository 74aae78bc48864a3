"""Text that may come from anywhere: made safe to write, and written as Typst string literals."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from scenebook.core.sentences import as_utf8

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_TYPST_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def clean_text(text: str) -> str:
    """Returns text that can be written as UTF-8 and shown.

    What is no UTF-8 in a file's name becomes replacement signs, control characters other than newline and tab go, and
    line ends become newlines.
    """
    text = as_utf8(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROLS.sub("", text)


def strip_terminal_codes(text: str) -> str:
    """Returns what a terminal would show: no colours, and of a line that was overwritten the last state."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def typst_literal(value: Any) -> Markup:
    """Writes a value as a Typst literal, for code mode. Nothing in it can be read as markup or code.

    Args:
        value: str, int, float, bool, None, or `Markup`, which is Typst source already and passes.
    """
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup("none")
    if isinstance(value, bool):
        return Markup("true" if value else "false")
    if isinstance(value, (int, float)):
        return Markup(repr(value))
    return Markup('"' + clean_text(str(value)).translate(_TYPST_ESCAPES) + '"')


def typst_text(text: str) -> str:
    """Writes text as it stands within Typst markup: a string expression, closed so that nothing can follow it."""
    return f"#{typst_literal(text)};"


def wrap_lines(text: str, width: int, most: int) -> str:
    """Breaks preformatted text so that it fits a column, and says where lines were left out.

    Args:
        text: Lines of any length.
        width: Characters that fit a line.
        most: Lines that are kept.
    """
    lines: list[str] = []
    for line in text.expandtabs(4).split("\n"):
        lines.extend(line[start : start + width] for start in range(0, max(len(line), 1), width))
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... {len(lines) - most + 1} more lines"]
    return "\n".join(lines)
