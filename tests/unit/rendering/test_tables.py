from __future__ import annotations

import pytest

from scenebook.rendering.document import Fragment, Origin, Table
from scenebook.rendering.tables import column_widths


def table_of(header: list[str], *rows: list[str], wide: bool = False) -> Table:
    origin = Origin("n", 1)
    return Table(origin, "tbl:x", Fragment("", origin), header, ["left"] * len(header), list(rows), wide)


def shares(table: Table, layout: str = "ieee") -> list[float]:
    return [float(width.removesuffix("fr")) for width in column_widths(table, layout).strip("(), ").split(", ")]


def test_a_table_that_fits_is_as_wide_as_its_text() -> None:
    assert column_widths(table_of(["class", "why"], ["sea", "1"])) == "(auto, auto, )"


def test_digests_of_files_fit_a_page_unbroken() -> None:
    row = ["samples/pictures/1-buildings.jpg", "304,753,613", "cd6e80c9b8db7355" * 4]
    table = table_of(["file", "bytes", "SHA-256"], row, wide=True)
    assert column_widths(table) == "(auto, auto, auto, )"


def test_short_columns_keep_their_line_and_long_ones_share_the_rest() -> None:
    reason = "a reason that goes on for longer than any column is wide " * 2
    first, second, third = shares(table_of(["class", "n", "why"], ["buildings", "1,210", reason]))
    assert 30 < first < 60
    assert second < 40
    assert third > 2.5 * first
    assert first + second + third <= 241


def test_the_width_goes_where_it_saves_most_lines() -> None:
    rows = [["a claim of some words", "not tested in this run", "takes runs that change one setting"] for _ in range(9)]
    rows.append(["a claim that is very long, " * 9, "reproduced", "equal"])
    _, verdict, _ = shares(table_of(["claim", "verdict", "why"], *rows))
    assert verdict > 70, "nine verdicts on one line save more than a long claim"


@pytest.mark.parametrize("layout", ["ieee", "article"])
def test_many_columns_share_the_line_by_their_longest_words(layout: str) -> None:
    table = table_of([f"class_{n}" for n in range(24)], [str(n) for n in range(24)], wide=True)
    widths = shares(table, layout)
    assert len(widths) == 24
    assert min(widths) > 10


def test_a_word_of_255_letters_does_not_take_the_line() -> None:
    first, second = shares(table_of(["file", "why"], ["x" * 255, "two or three words of a reason " * 3]))
    assert second > 60
    assert first > 40


def test_a_table_without_rows_or_text_has_columns() -> None:
    assert column_widths(table_of(["", ""])) == "(auto, auto, )"
