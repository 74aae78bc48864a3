from __future__ import annotations

from collections.abc import Sequence

import pytest

from scenebook.rendering import pandoc
from scenebook.rendering.document import Prose
from scenebook.rendering.pandoc import PandocError, each_node, plain_text
from tests.unit.rendering.conftest import assembled


def test_a_piece_that_swallows_the_next_one_is_converted_alone() -> None:
    sources = ["one", "```\nnever closed", "two", "<!-- never closed", "three"]
    trees = pandoc.in_batches(sources, pandoc.read_markdown, lambda _: [])
    assert [len(tree) for tree in trees] == [1, 1, 1, 1, 1]
    assert trees[1] == [{"t": "CodeBlock", "c": [["", [], []], "never closed\n"]}]


def test_only_the_guilty_piece_is_given_up() -> None:
    def convert(batch: Sequence[str], seconds: float) -> list[str]:
        if "bad" in batch:
            raise PandocError("no")
        return [piece.upper() for piece in batch]

    assert pandoc.in_batches(["a", "bad", "c"], convert, lambda piece: f"({piece})") == ["A", "(bad)", "C"]


def test_nested_quotations_do_not_break_the_reader() -> None:
    assert pandoc.in_batches([">" * 3000 + " deep"], pandoc.read_markdown, lambda _: []) == [[]]


@pytest.mark.parametrize("source", ["[" * 5000, "**a " * 3000, "`" * 3001 + "$a " * 2000, "<" * 5000])
def test_pathological_markdown_is_read_in_time(source: str) -> None:
    assert len(pandoc.read_markdown([source], 4.0)) == 1


def test_a_call_that_takes_too_long_is_ended() -> None:
    with pytest.raises(PandocError, match=r"no answer within 0\.001 s"):
        pandoc.run_pandoc("text", pandoc.READER, "json", seconds=0.001)


def test_an_error_of_pandoc_is_told() -> None:
    with pytest.raises(PandocError, match="JSON"):
        pandoc.run_pandoc("no json", "json", "html")


def test_attachments_and_files_of_the_run_are_shown_and_nothing_else_is_read() -> None:
    report = assembled("images/notebooks")
    prose = next(block for block in report.blocks() if isinstance(block, Prose))
    images = [node["c"] for node in each_node(prose.body.tree) if node["t"] == "ReportImage"]
    assert [(image.alt, image.suffix) for image in images] == [("attached", "png"), ("of the run", "svg")]
    assert plain_text(prose.body.tree) == "[image: outside] [image: remote]"
    assert len(report.warnings) == 2
    assert "images, cell 1: the image '../../../outside.svg' is not part of the run" in report.warnings[0]
