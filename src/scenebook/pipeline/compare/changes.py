"""Two mappings side by side: which values differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "(not there)"


@dataclass(frozen=True)
class Change:
    """A name whose value differs.

    Attributes:
        name: The name.
        first: Its value in the first run; `ABSENT` where that does not know the name.
        second: The same of the second run.
    """

    name: str
    first: Any
    second: Any


def list_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Change]:
    """Returns the names whose values differ, in the first mapping's order, then those that only the second knows.

    20 and 20.0 are the same; 1 and true are not.
    """
    names = [*first, *(name for name in second if name not in first)]
    return [
        Change(name, first.get(name, ABSENT), second.get(name, ABSENT))
        for name in names
        if name not in first or name not in second or not _is_same(first[name], second[name])
    ]


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
