from __future__ import annotations

from typing import Any

import pytest

from scenebook.core.errors import InputError
from scenebook.core.fields import collect_fields, fill_markdown, read_fields, write_fields
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import Sourced, without_marks

SCORES = Sourced({"accuracy": {"value": 0.85, "low": 0.8, "high": 0.9}, "n": 1200, "rows": [1]}, "metrics.json")
FACTS = Sourced({"better": False, "name": "*a*"}, origins={"better": "baselines.json: gain"})
SENTENCES = {"finding": "Right for {accuracy:.1%} of {n:,}."}
FIELDS = collect_fields([SCORES, FACTS], SENTENCES)


def show(text: str) -> tuple[str, list[str]]:
    filled, warnings = fill_markdown(text, FIELDS)
    return without_marks(filled.markdown), warnings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**{finding}** My own words.", "**Right for 85.0% of 1,200.** My own words."),
        ("{accuracy.low:.0%} of {name}", r"80% of \*a\*"),
        (r"$\frac{n}{2}$ and {n} of $5", r"$\frac{n}{2}$ and 1200 of $5"),
        ("`{n}` ``{n} ` `` {n}", "`{n}` ``{n} ` `` 1200"),
        ("```\n{n}\n```\n{n}", "```\n{n}\n```\n1200"),
        ("{{n}} {see below} {}", "{n} {see below} {}"),
    ],
)
def test_fields_are_filled_and_mathematics_and_code_are_left_alone(text: str, shown: str) -> None:
    assert show(text) == (shown, [])


@pytest.mark.parametrize(
    ("text", "shown", "warned"),
    [
        ("It pays.{better=true}", "It pays.", "better = true, and in this run it is false"),
        ("It does not pay.{better=false}", "It does not pay.", ""),
        ("{accuracy > 0.9:.1%}", "85.0%", "accuracy > 0.9, and in this run it is 85.0%"),
        ("{accuracy>84%:.1%}{n<=1200}", "85.0%", ""),
        ("{accuracy.low>=80%}", "", ""),
    ],
)
def test_a_bound_that_no_longer_holds_is_warned_of(text: str, shown: str, warned: str) -> None:
    told, warnings = show(text)
    assert told == shown
    assert len(warnings) == bool(warned)
    assert warned in "".join(warnings)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{acuracy:.1%}", r"field='acuracy'.*Did you mean accuracy.*finding"),
        ("{rows}", "field='rows'"),
        ("{accuracy>high}", "bound='high'"),
        ("{accuracy:.1z}", "format"),
    ],
)
def test_a_wrong_field_is_answered_with_those_that_are_known(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        show(text)


def test_fields_of_a_run_are_read_as_they_were_written(run_dir: RunDirectory) -> None:
    assert read_fields(run_dir) is None
    write_fields(run_dir, FIELDS)
    found: Any = read_fields(run_dir)
    assert (found.values, found.sentences) == (FIELDS.values, SENTENCES)
    filled, _ = fill_markdown("{accuracy.low} {better}", found)
    assert [used.source for used in filled.used] == ["metrics.json: accuracy.low", "baselines.json: gain"]
