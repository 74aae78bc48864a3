"""Where the numbers in sentences come from: a title on each of them, and one table for those who see no titles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from scenebook.core.sentences import NUMBER_DIGITS, VALUE_BEGINS, VALUE_ENDS, without_marks
from scenebook.rendering.document import Fragment, Heading, Origin, Prose, Report, Table
from scenebook.rendering.pandoc import Node, string

TITLE = "Where the numbers come from"
EARLIER = " (earlier run)"
"""Behind the source of a number in a stale notebook: this run's file of that name may hold another, or not be there."""
LONGEST_TEXT = 40
"""Characters of a value in the table: a sentence as a value, with numbers in it, is shortened."""
_BOUND = re.compile(r"(?<=\w)\.(low|high)(?=$|,)")
_PIECES = re.compile(f"({VALUE_BEGINS}[{NUMBER_DIGITS}]{{0,6}}|{VALUE_ENDS})")


def mark_values(report: Report) -> None:
    """Turns the marks around values into spans with a title, and removes marks where a span cannot stand."""
    prose = [block for block in report.blocks() if isinstance(block, Prose)]
    titles = {
        id(block.body): [source + EARLIER * bool(report.earlier_run(block)) for _, source in block.sources]
        for block in prose
    }
    for fragment in report.fragments():
        fragment.tree = _mark(fragment.tree, titles.get(id(fragment), []))


def _mark(part: Any, titles: Sequence[str]) -> Any:
    if isinstance(part, str):
        return without_marks(part)
    if isinstance(part, dict):
        return {name: _mark(inner, titles) for name, inner in part.items()}
    return _mark_list(part, titles) if isinstance(part, list) else part


def _mark_list(parts: list[Any], titles: Sequence[str]) -> list[Any]:
    done: list[Any] = []
    begin: int | None = None
    title: str | None = None
    for part in parts:
        if not (isinstance(part, dict) and part.get("t") == "Str"):
            done.append(_mark(part, titles))
            continue
        for piece in _PIECES.split(part["c"]):
            if piece.startswith(VALUE_BEGINS):
                begin, title = len(done), _title_of_value(piece, titles)
            elif piece == VALUE_ENDS:
                if begin is not None and done[begin:] and title is not None:
                    done[begin:] = [_span(done[begin:], title)]
                begin = None
            elif text := without_marks(piece):
                done.append(string(text))
    return done


def _title_of_value(mark: str, titles: Sequence[str]) -> str | None:
    """Returns the title of the value that a mark begins; `None` where somebody typed the mark."""
    digits = "".join(str(NUMBER_DIGITS.index(sign)) for sign in mark[1:])
    return titles[int(digits)] if digits and int(digits) < len(titles) else None


def _span(nodes: list[Node], title: str) -> Node:
    return {"t": "Span", "c": [["", ["value"], [["title", title]]], nodes]}


def tabulate_sources(report: Report) -> Table | None:
    """Returns the table of all numbers in sentences, a row for each source; `None` if there are none.

    A score and the bounds of its interval have one source; what an earlier run told has another.
    """
    # Dictionaries as sets that keep their order.
    rows: dict[tuple[str, str], tuple[dict[str, None], dict[str, None], dict[str, None]]] = {}
    for place, prose in _sentences(report):
        earlier = EARLIER * bool(report.earlier_run(prose))
        for text, source in prose.sources:
            if any(character.isdigit() for character in text):
                score, bound = _split_bound(source)
                texts, bounds, places = rows.setdefault((score, earlier), ({}, {}, {}))
                texts[_shorten(text)] = None
                bounds |= {bound: None} if bound else {}
                places[place] = None
    if not rows:
        return None
    words = (
        "The numbers in this report's sentences: which file or setting of the run, or which cell of a notebook, "
        "they are from."
    )
    origin = Origin("report", 0)
    return Table(
        origin,
        label="",
        caption=Fragment(words, origin, inline=True, tree=[string(words)]),
        header=["numbers", "source", "stand in"],
        align=["left", "left", "left"],
        rows=[
            [", ".join(texts), source + f" ({' and '.join(bounds)})" * bool(bounds) + earlier, "; ".join(places)]
            for (source, earlier), (texts, bounds, places) in rows.items()
        ],
        wide=True,
    )


def _split_bound(source: str) -> tuple[str, str]:
    """Splits `metrics.json: accuracy.low` into the score and the bound; what is no bound has none."""
    match = _BOUND.search(source)
    return (source[: match.start()] + source[match.end() :], match[1]) if match else (source, "")


def _sentences(report: Report) -> Iterator[tuple[str, Prose]]:
    """Yields the report's prose, each with the headings above it."""
    yield from (("Abstract", prose) for prose in report.abstract)
    for section in report.sections:
        place = section.heading.plain
        for block in section.blocks:
            if isinstance(block, Heading) and block.level == 2:
                place = f"{section.heading.plain}: {block.plain}"
            elif isinstance(block, Prose):
                yield place, block


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1].rstrip() + "…"
