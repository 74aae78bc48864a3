from __future__ import annotations

import json
from pathlib import Path

import typst
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from scenebook.core.sentences import clean_text
from scenebook.rendering.typst_source import typst_literal, typst_text, wrap_lines


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
    assert wrap_lines("abcdef\n\ng\nh", 4, 4, widest=5) == "abcd\nef\n\n... 2 more lines"
    assert wrap_lines("abcdef\n\ng\nh", 4, 4, widest=6) == "abcdef\n\ng\nh"
