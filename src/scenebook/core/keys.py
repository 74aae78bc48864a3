"""What a result depends on, as data: with an equal key, making it again would give the same."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping
from typing import Any

from scenebook.core.wording import as_typed

Key = dict[str, dict[str, Any]]
"""Section to name to value: `settings` (values), `cells` (number among the code cells, to digest), `modules` (digests),
`versions`, `files` (setting that names a file, to the file's digest), `images` (digests), `inputs` (files of the run
to their digests), `rows` (stages to digests of their rows in the table of stages), `network` (digests)."""

DIGITS = 12
"""Of a digest in a message."""

_NOUNS = {
    "modules": "code of ",
    "versions": "version of ",
    "files": "file of ",
    "images": "images: ",
    "rows": "row of stage ",
}
"""What stands before a name; before that of a setting, an input or the network's, nothing."""


def list_changes(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns what differs between the key that a stage was run with and that which it would be run with.

    Each is `name: old -> new`; there is nothing for equal keys. Sections that the new one lacks are not compared.
    """
    changes = []
    for section in new:
        if section == "cells":
            changes += _list_changed_cells(old.get(section, {}), new[section])
            continue
        before, now, noun = old.get(section, {}), new[section], _NOUNS.get(section, "")
        for name in sorted({*before, *now}):
            if name not in before:
                changes.append(f"{noun}{name}: new")
            elif name not in now:
                changes.append(f"{noun}{name}: gone")
            elif before[name] != now[name]:
                changes.append(f"{noun}{name}: {_show(before[name])} -> {_show(now[name])}")
    return changes


def _list_changed_cells(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """A cell that was put in moves all that follow: these are the same cells as before."""
    before, now = ([cells[name] for name in sorted(cells, key=int)] for cells in (old, new))
    changes = []
    for what, start, stop, first, last in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        pairs = list(itertools.zip_longest(range(start, stop), range(first, last)))
        for mine, other in pairs if what != "equal" else []:
            if mine is None:
                changes.append(f"code cell {other + 1}: new")
            elif other is None:
                changes.append(f"code cell {mine + 1}: gone")
            else:
                changes.append(f"code cell {other + 1}: {_show(before[mine])} -> {_show(now[other])}")
    return changes


def _show(value: Any) -> str:
    """A digest is cut to what tells it from another."""
    if isinstance(value, str):
        return value[:DIGITS] if len(value) == 64 and not set(value) - set("0123456789abcdef") else value
    return as_typed(value)
