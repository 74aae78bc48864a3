"""One pass that numbers sections, figures, tables and equations, for the page and the PDF alike."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass

from scenebook.core.errors import ReportError
from scenebook.rendering.document import Figure, Fragment, Heading, Origin, Prose, Report, Table
from scenebook.rendering.pandoc import Node, each_node

_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
NO_BREAK = "\u00a0"
_NAMES = {"fig": "Fig.", "tbl": "Table", "eq": "Eq.", "sec": "Section"}


@dataclass(frozen=True)
class Target:
    """What a label names: how a reference to it reads, its id on the page and label in Typst, and where it stands."""

    text: str
    anchor: str
    origin: Origin


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
    """Counters of one walk through the report, and the labels met so far."""

    def __init__(self, layout: str, stale: Collection[str]) -> None:
        self.ieee = layout == "ieee"
        self.stale = stale
        self.targets: dict[str, Target] = {}
        self.taken: set[str] = set()
        self.counts = {"fig": 0, "tbl": 0, "eq": 0}
        self.levels = [0, 0, 0]
        self.in_appendix = False

    def section(self, heading: Heading) -> None:
        if heading.level == 1:
            self.in_appendix = heading.opens_appendix
        self.levels[heading.level - 1] += 1
        self.levels[heading.level :] = [0] * (3 - heading.level)
        parts = self.levels[: heading.level]
        if self.in_appendix:
            # There is one only, so it has no number; its parts have letters in any layout.
            styled = [*(letter(part) for part in parts[1:2]), *(str(part) for part in parts[2:])]
        elif self.ieee:
            styled = [roman(parts[0]), *(letter(part) for part in parts[1:2]), *(str(part) for part in parts[2:])]
        else:
            styled = [str(part) for part in parts]
        if styled:
            shown = styled[-1] + ("." if heading.level < 3 else ")")
            heading.number = shown if self.ieee else ".".join(styled)
        kind = "Appendix" if self.in_appendix else "Section"
        self._name_section(heading, f"{kind}{NO_BREAK}{('-' if self.ieee else '.').join(styled)}".strip())

    def _name_section(self, heading: Heading, text: str) -> None:
        """Gives a heading its anchor, to which its label and the slug of its text lead."""
        slug = "sec:" + slug_of(heading.plain)
        heading.anchor = self._anchor(heading.label or slug)
        target = Target(text, heading.anchor, heading.title.origin)
        if heading.label:
            self.targets[heading.label] = target
        self.targets.setdefault(slug, target)

    def figure(self, figure: Figure) -> None:
        figure.number = self._count("fig")
        figure.anchor = self._anchor(figure.label or f"fig:{figure.number}")
        self._add(figure.label, figure.number, figure.anchor, figure.origin)

    def table(self, table: Table) -> None:
        number = self._count("tbl")
        table.ordinal = int(number)
        table.number = roman(table.ordinal) if self.ieee else number
        table.anchor = self._anchor(table.label or f"tbl:{number}")
        self._add(table.label, table.number, table.anchor, table.origin)

    def equation(self, node: Node, origin: Origin) -> None:
        content = node["c"]
        if content["numbered"]:
            content["number"] = self._count("eq")
            content["anchor"] = self._anchor(content["label"] or f"eq:{content['number']}")
            self._add(content["label"], f"({content['number']})", content["anchor"], origin)

    def _count(self, kind: str) -> str:
        self.counts[kind] += 1
        return str(self.counts[kind])

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
        self.targets[label] = Target(f"{name}{NO_BREAK}{number}".strip(), anchor, origin)


def slug_of(text: str) -> str:
    """Returns a heading's text as part of a label: lower case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"


def number_report(report: Report) -> dict[str, Target]:
    """Numbers everything in reading order, which is also the order of Typst's own counters.

    Returns:
        Label to what it names.

    Raises:
        ReportError: Two things of this run have one label.
    """
    counters = _Pass(report.front.layout, report.stale)
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
                    counters.equation(node, block.body.origin)
    return counters.targets


def check_references(report: Report, targets: dict[str, Target]) -> None:
    """Makes sure that every reference leads somewhere.

    Raises:
        ReportError: One does not; the error names it, the notebook and the cell.
    """
    for fragment in report.fragments():
        for label in references_of(fragment):
            if label not in targets:
                near = difflib.get_close_matches(label, targets, n=1, cutoff=0.5)
                raise ReportError(
                    "Expected a reference to a figure, table, equation or section of the report.",
                    received={"reference": f"[@{label}]", **fragment.origin.received()},
                    advice=f"Did you mean [@{near[0]}]?" if near else "Give its target this label.",
                )


def references_of(fragment: Fragment) -> list[str]:
    """Returns the labels that a fragment refers to."""
    return [label for node in each_node(fragment.tree) if node["t"] == "Reference" for label in node["c"]["labels"]]


def text_without_target(label: str) -> str:
    """Returns how a reference reads whose target is not in this document: a notebook rendered alone."""
    kind, _, name = label.partition(":")
    return f"{_NAMES.get(kind, kind)}{NO_BREAK}“{name}”"
