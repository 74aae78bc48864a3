from __future__ import annotations

from typing import Any

import pytest

from scenebook.core.errors import InputError
from scenebook.core.sentences import Sourced, clean_text, escape, fill, has_fields, join_sentences, without_marks

SCORES: dict[str, Any] = {"n": 600, "name": "a*b", "accuracy": {"value": 0.8815, "low": 0.85, "high": 0.91}}


def filled(sentence: str, *sources: dict[str, Any]) -> str:
    return without_marks(fill(sentence, sources or (SCORES,)).markdown)


def test_values_and_bounds_are_formatted_and_text_is_escaped() -> None:
    assert filled("{accuracy:.1%} ({accuracy.low:.0%}) of {n:,} {name} {{x}}") == r"88.1% (85%) of 600 a\*b {x}"


def test_the_first_source_that_knows_a_name_gives_the_value() -> None:
    assert filled("{n} {m}", {"n": 1}, {"n": 2, "m": 3}) == "1 3"


def test_what_was_used_is_told_in_the_order_of_the_sentence() -> None:
    used = fill("{accuracy.high:.2f} {n}", [SCORES]).used
    assert [(one.text, one.field) for one in used] == [("0.91", "accuracy.high"), ("600", "n")]


@pytest.mark.parametrize(
    ("sentence", "match"),
    [
        ("{acuracy}", r"names a value.*field='acuracy'.*Known: accuracy, n, name\."),
        ("{n.low}", r"field='n\.low'"),
        ("{accuracy.__class__}", r"field='accuracy\.__class__'"),
        ("{accuracy.value}", r"field='accuracy\.value'"),
        ("{n!r}", "without a conversion"),
        ("{name:.1%}", r"a format that fits.*field='name', format='\.1%', value='a\*b'"),
        ("{n:{name}}", "a format that fits"),
        ("{n", "opened and closed"),
        ("n}", "opened and closed"),
        ("{}", "names a value"),
    ],
)
def test_nothing_else_can_be_reached_and_the_error_says_what_can(sentence: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        fill(sentence, [SCORES])


def test_a_score_without_a_value_is_no_value() -> None:
    with pytest.raises(InputError, match="names a value"):
        fill("{x}", [{"x": {"low": 1}}])


def test_braces_that_are_text_are_no_fields() -> None:
    assert not has_fields(r"$\frac{{1}}{{2}}$")
    assert has_fields("{n}")


def test_a_number_at_the_start_of_a_line_begins_no_list() -> None:
    assert escape("1. first") == r"1\. first"


def test_bytes_that_were_no_utf8_become_replacement_signs() -> None:
    assert clean_text(b"caf\xe9.jpg".decode("utf-8", "surrogateescape")) == "caf\ufffd.jpg"
    assert clean_text("\ud83d lone \udce9") == "\ufffd lone \ufffd"


def test_control_characters_go_and_line_ends_become_newlines() -> None:
    assert clean_text("a\x00b\x1b\r\nc\rd\te") == "ab\nc\nd\te"


def test_joined_sentences_find_each_their_values() -> None:
    first, second = ("It is {one}.", Sourced({"one": 1}, "a.json")), ("That is {two}.", Sourced({"two": 2}, "b.json"))
    text, *sources = join_sentences([first, second])
    told = fill(str(text), [source for source in sources if isinstance(source, Sourced)])
    assert without_marks(told.markdown) == "It is 1. That is 2."
    assert [used.source for used in told.used] == ["a.json: one", "b.json: two"]
