from __future__ import annotations

import json
from pathlib import Path

import typst
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from scenebook.rendering.text import clean_text, strip_terminal_codes, typst_literal, typst_text, wrap_lines


def test_bytes_that_were_no_utf8_become_replacement_signs() -> None:
    assert clean_text(b"caf\xe9.jpg".decode("utf-8", "surrogateescape")) == "caf\ufffd.jpg"
    assert clean_text("\ud83d lone \udce9") == "\ufffd lone \ufffd"


def test_control_characters_go_and_line_ends_become_newlines() -> None:
    assert clean_text("a\x00b\x1b\r\nc\rd\te") == "ab\nc\nd\te"


def test_a_progress_bar_keeps_its_last_state_and_colours_go() -> None:
    assert strip_terminal_codes("\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\r\n") == "red\n100%\n"


def test_markup_passes_and_values_become_literals() -> None:
    assert [typst_literal(value) for value in (Markup("#x"), None, True, 3, 0.5, 'a"\\')] == [
        "#x", "none", "true", "3", "0.5", '"a\\"\\\\"',
    ]  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=40), min_size=8, max_size=30))
def test_typst_reads_any_text_back_as_it_was(tmp_path: Path, texts: list[str]) -> None:
    source = "".join(f"#metadata({typst_literal(text)}) <x>\n{typst_text(text)}\n" for text in texts)
    (tmp_path / "main.typ").write_text(source, encoding="utf-8", newline="\n")
    compiler = typst.Compiler(str(tmp_path / "main.typ"), root=str(tmp_path))
    assert json.loads(compiler.query("<x>", field="value")) == [clean_text(text) for text in texts]


def test_printed_lines_are_broken_and_the_rest_is_counted() -> None:
    assert wrap_lines("abcdef\n\ng\nh", 4, 4) == "abcd\nef\n\n... 2 more lines"
