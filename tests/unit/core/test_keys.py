from __future__ import annotations

import pytest

from scenebook.core.keys import Key, list_changes


def cells(text: str) -> dict[str, dict[str, str]]:
    return {"cells": {str(number): letter for number, letter in enumerate(text, start=1)}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("abcdefghijklm", "abcdefghijklm", []),
        ("abc", "abXc", ["code cell 3: new"]),
        ("abc", "ac", ["code cell 2: gone"]),
        ("abcdefghijklm", "aBcdefghijklm", ["code cell 2: b -> B"]),
        ("abcd", "aXYd", ["code cell 2: b -> X", "code cell 3: c -> Y"]),
    ],
)
def test_a_cell_that_was_put_in_is_the_only_one_that_is_named(old: str, new: str, expected: list[str]) -> None:
    assert list_changes(cells(old), cells(new)) == expected


def test_values_are_written_as_one_would_type_them_and_digests_are_cut() -> None:
    old: Key = {"settings": {"a": None, "b": True, "c": 0.001, "d": "x"}, "inputs": {"data/a.csv": "0" * 64}}
    new: Key = {"settings": {"a": 3, "b": False, "c": 0.01, "e": "[red]y"}, "inputs": {"data/a.csv": "absent"}}
    assert list_changes(old, new) == [
        "a: none -> 3", "b: true -> false", "c: 0.001 -> 0.01", "d: gone", "e: new",
        "data/a.csv: 000000000000 -> absent",
    ]  # fmt: skip


def test_a_section_that_is_asked_for_only_now_is_new() -> None:
    assert list_changes({}, {"versions": {"keras": "3"}}) == ["version of keras: new"]
