"""Passes over a whole report: its numbering, for the page and the PDF alike; where numbers in sentences are from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scenebook.core.errors import ReportError
from scenebook.core.sentences import NUMBER_DIGITS, VALUE_BEGINS, VALUE_ENDS, without_marks
from scenebook.core.wording import tell_nearest
from scenebook.rendering.document import Figure, Fragment, Heading, Origin, Prose, Report, Table
from scenebook.rendering.pandoc import each_node, string

_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
NO_BREAK = "\u00a0"
_NAMES = {"fig": "Fig.", "tbl": "Table", "eq": "Eq.", "sec": "Section"}
EARLIER = " (earlier run)"
"""Behind the source of a number in a stale notebook: this run's file of that name may hold another, or not be there."""
LONGEST_TEXT = 40
"""Characters of a value in the table: a sentence as a value, with numbers in it, is shortened."""
_BOUND = re.compile(r"(?<=\w)\.(low|high)(?=$|,)")
_PIECES = re.compile(f"({VALUE_BEGINS}[{NUMBER_DIGITS}]{{0,6}}|{VALUE_ENDS})")


@dataclass(frozen=True)
class Target:
    """What a label names: how a reference to it reads, its id on the page and label in Typst, and where it stands.

    `part` is the name of the section with letters that it stands in, if any; without an anchor it is named, not linked.
    """

    text: str
    anchor: str
    origin: Origin
    part: str = ""

    @property
    def is_section(self) -> bool:
        return self.anchor.startswith("sec:")


def roman(number: int) -> str:
    """Returns a number from 1 on as a roman one."""
    digits = []
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        digits.append(sign * count)
    return "".join(digits)


def letter(number: int) -> str:
    """Returns A to Z, then AA, AB and so on."""
    digits = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        digits = chr(ord("A") + rest) + digits
    return digits


class _Pass:
    def __init__(self, report: Report) -> None:
        self.ieee = report.front.layout == "ieee"
        self.stale = report.stale
        self.targets: dict[str, Target] = {}
        self.taken: set[str] = set()
        self.counts = {"fig": 0, "tbl": 0, "eq": 0}
        self.levels = [0, 0, 0]
        self.part = ""

    def section(self, heading: Heading) -> None:
        """Numbers a heading, and gives it an anchor, to which its label and the slug of its text lead."""
        if heading.level == 1:
            self.part = heading.plain.casefold() if heading.is_lettered else ""
        self.levels[heading.level - 1] += 1
        self.levels[heading.level :] = [0] * (3 - heading.level)
        # There is one appendix only, so it has no number; its parts have letters in any layout. So has the supplement.
        first = int(bool(self.part))
        with_letters = self.ieee or bool(self.part)
        styles: list[Callable[[int], str]] = [roman, letter, str] if with_letters else [str, str, str]
        styled = [style(part) for style, part in zip(styles[first:], self.levels[first : heading.level], strict=False)]
        if styled:
            shown = styled[-1] + ("." if heading.level < 3 else ")")
            heading.number = shown if self.ieee else ".".join(styled)
        slug = "sec:" + slug_of(heading.plain)
        heading.anchor = self._anchor(heading.label or slug)
        kind = self.part.capitalize() or "Section"
        text = f"{kind}{NO_BREAK}{('-' if self.ieee else '.').join(styled)}".strip()
        target = Target(text, heading.anchor, heading.origin, self.part)
        if heading.label:
            self.targets[heading.label] = target
        self.targets.setdefault(slug, target)

    def figure(self, figure: Figure) -> None:
        count, figure.anchor = self._count("fig", figure.label)
        figure.number = str(count)
        self._add(figure.label, figure.number, figure.anchor, figure.origin)

    def table(self, table: Table) -> None:
        table.ordinal, table.anchor = self._count("tbl", table.label)
        table.number = roman(table.ordinal) if self.ieee else str(table.ordinal)
        self._add(table.label, table.number, table.anchor, table.origin)

    def equation(self, content: dict[str, Any], origin: Origin) -> None:
        if content["numbered"]:
            count, content["anchor"] = self._count("eq", content["label"])
            content["number"] = str(count)
            self._add(content["label"], f"({count})", content["anchor"], origin)

    def _count(self, kind: str, label: str) -> tuple[int, str]:
        self.counts[kind] += 1
        return self.counts[kind], self._anchor(label or f"{kind}:{self.counts[kind]}")

    def _anchor(self, wanted: str) -> str:
        """Returns an id that nothing else has: a heading may come twice, and so may its slug."""
        anchor, number = wanted, 1
        while anchor in self.taken:
            number += 1
            anchor = f"{wanted}-{number}"
        self.taken.add(anchor)
        return anchor

    def _add(self, label: str, number: str, anchor: str, origin: Origin) -> None:
        known = self.targets.get(label)
        if not label or (known is not None and origin.notebook in self.stale):
            # It has no label, or has moved to another notebook since the earlier run.
            return
        if known is not None and known.origin.notebook not in self.stale:
            raise ReportError(
                "Expected every label to be given once.",
                received={"label": label, "first": str(known.origin), "again": str(origin)},
                advice="Give the second one another label.",
            )
        name = _NAMES.get(label.split(":")[0], "")
        self.targets[label] = Target(f"{name}{NO_BREAK}{number}".strip(), anchor, origin, self.part)


def slug_of(text: str) -> str:
    """Returns a heading's text as part of a label: lower case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"


def number_report(report: Report) -> dict[str, Target]:
    """Numbers everything in reading order, as Typst's own counters do. Returns what each label names.

    Raises:
        ReportError: Two things of this run have one label.
    """
    counters = _Pass(report)
    for block in report.blocks():
        if isinstance(block, Heading):
            counters.section(block)
        elif isinstance(block, Figure):
            counters.figure(block)
        elif isinstance(block, Table):
            counters.table(block)
        elif isinstance(block, Prose):
            for node in each_node(block.body.tree):
                if node["t"] == "Equation":
                    counters.equation(node["c"], block.origin)
    return counters.targets


def check_references(report: Report, targets: dict[str, Target]) -> None:
    """Makes sure that every reference leads somewhere.

    Raises:
        ReportError: One does not; the error names it, the notebook and the cell.
    """
    for fragment, node in report.nodes("Reference"):
        for label in node["c"]["labels"]:
            if label not in targets and "form" not in node["c"]:
                raise ReportError(
                    "Expected a reference to a figure, table, equation or section of the report.",
                    received={"reference": f"[@{label}]", **fragment.origin.received()},
                    advice=tell_nearest(label, targets, "[@{}]").strip() or "Give its target this label.",
                )


def text_without_target(label: str) -> str:
    """Returns how a reference reads whose target is not in this document: a notebook rendered alone."""
    kind, _, name = label.partition(":")
    return f"{_NAMES.get(kind, kind)}{NO_BREAK}“{name}”"


def mark_values(report: Report) -> None:
    """Turns the marks around values into spans with a title, and removes marks where a span cannot stand."""
    titles = {
        id(block.body): [source + EARLIER * bool(report.earlier_run(block)) for _, source in block.sources]
        for block in report.blocks()
        if isinstance(block, Prose)
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
                    done[begin:] = [{"t": "Span", "c": [["", ["value"], [["title", title]]], done[begin:]]}]
                begin = None
            elif text := without_marks(piece):
                done.append(string(text))
    return done


def _title_of_value(mark: str, titles: Sequence[str]) -> str | None:
    """Returns the title of the value that a mark begins; `None` where somebody typed the mark."""
    digits = "".join(str(NUMBER_DIGITS.index(sign)) for sign in mark[1:])
    return titles[int(digits)] if digits and int(digits) < len(titles) else None


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
                bound = _BOUND.search(source)
                score = _BOUND.sub("", source, count=1)
                texts, bounds, places = rows.setdefault((score, earlier), ({}, {}, {}))
                texts[text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1].rstrip() + "…"] = None
                bounds |= {bound[1]: None} if bound else {}
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


def _sentences(report: Report) -> Iterator[tuple[str, Prose]]:
    yield from (("Abstract", prose) for prose in report.abstract)
    for section in report.sections:
        place = section.heading.plain
        for block in section.blocks:
            if isinstance(block, Heading) and block.level == 2:
                place = f"{section.heading.plain}: {block.plain}"
            elif isinstance(block, Prose):
                yield place, block
