"""Sorts what notebooks show into the sections of a report, and chooses the sections that are printed."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from scenebook.core.sentences import NUMBER_DIGITS, VALUE_BEGINS
from scenebook.rendering.document import (
    LETTERED,
    SUPPLEMENT,
    Block,
    Code,
    Figure,
    Fragment,
    Heading,
    Origin,
    Prose,
    Report,
    Section,
    Table,
    Work,
)
from scenebook.rendering.numbering import Target
from scenebook.rendering.pandoc import Node, each_node, map_lists, plain_text, string

SECTION_ORDER = ("introduction", "methodology", "results", "discussion", "conclusion", "repository", *LETTERED)
"""Sections of these names come in this order. Any other follows the one that stood before it."""
ABSTRACT = "abstract"
PAGE = "report.html"  # the file that has everything
_LABEL = re.compile(r"\{#(sec:.*)\}")


class Item(NamedTuple):
    """What one cell shows. `part` is the appendix or the supplement, where the cell is tagged as belonging there."""

    content: Fragment | Block
    part: str = ""


class Collector:
    """Sorts blocks into sections, notebook after notebook."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._sections: dict[str, Section] = {}
        self._ranks: dict[str, tuple[int, int]] = {}

    def add(self, notebook: str, items: Iterable[Item]) -> None:
        """Adds one notebook. What stands before its first section goes to the top of that section's blocks."""
        waiting: list[Block] = []
        section: Section | None = None
        in_abstract = False
        heading: Heading | None = None
        above: dict[str, Heading | None] = {}
        for part, block in _blocks_of(items):
            if part and not (section is not None and section.name == part) and not in_abstract:
                self._move(block, part, heading, above, notebook)
                continue
            if isinstance(block, Heading) and block.level == 1:
                in_abstract = block.plain.casefold() == ABSTRACT
                section = None if in_abstract else self._open(block, after=section)
                if section is not None:
                    section.blocks += waiting
                    waiting = []
            elif in_abstract:
                if isinstance(block, Prose):
                    self._report.abstract.append(block)
                continue
            elif section is None:
                waiting.append(block)
            else:
                section.blocks.append(block)
            heading = block if isinstance(block, Heading) else heading
            _name_after(block, heading, notebook)
        if waiting:
            self._open(_make_heading(notebook, notebook), after=None).blocks += waiting

    def _open(self, heading: Heading, after: Section | None) -> Section:
        key = heading.plain.casefold()
        if key not in self._sections:
            self._sections[key] = Section(heading)
            self._ranks[key] = self._rank(key, after)
        return self._sections[key]

    def _rank(self, key: str, after: Section | None) -> tuple[int, int]:
        if key in SECTION_ORDER:
            return SECTION_ORDER.index(key), 0
        # Nothing follows the appendix: what stood before it counts.
        before = [name for name in self._ranks if name not in LETTERED]
        if after is not None and not after.heading.is_lettered:
            before.append(after.name)
        return self._ranks[before[-1]][0] if before else -1, len(self._sections)

    def _move(
        self, block: Block, part: str, heading: Heading | None, above: dict[str, Heading | None], notebook: str
    ) -> None:
        """Puts a block into the appendix or the supplement, below the heading of the text that it stood under.

        A heading of its own takes that one's place. `above` holds for each part the heading at its last block.
        """
        section = self._open(_make_heading(part.capitalize(), notebook), after=None)
        is_first = part not in above or above[part] is not heading
        if isinstance(block, Heading):
            block.level = max(block.level, 2)
        elif is_first and heading is not None and heading.plain:
            title = dataclasses.replace(heading.title, tree=copy.deepcopy(heading.title.tree))
            section.blocks.append(dataclasses.replace(heading, level=2, title=title, label=""))
        above[part] = heading
        section.blocks.append(block)
        headings = [one for one in section.blocks if isinstance(one, Heading)]
        _name_after(block, headings[-1] if headings else None, notebook)

    def in_order(self) -> list[Section]:
        """Returns the sections as the report shows them, their heading levels without gaps; no appendix of nothing."""
        ordered = [self._sections[key] for key in sorted(self._sections, key=lambda key: self._ranks[key])]
        sections = [section for section in ordered if not section.heading.is_lettered or _shows_something(section)]
        for section in sections:
            level = 1
            for block in section.blocks:
                if isinstance(block, Heading):
                    block.level = level = min(block.level, level + 1, 3)
        return sections


def _blocks_of(items: Iterable[Item]) -> Iterator[tuple[str, Block]]:
    """Splits Markdown cells into headings and what stands between them. A notebook's own title stays out."""
    for item, part in items:
        if not isinstance(item, Fragment):
            if isinstance(item, Prose):
                # Headings are what Markdown cells say: those of an output would be numbered by Typst alone.
                item.body.tree = map_lists(item.body.tree, _demote_headings)
            yield part, item
            continue
        for is_heading, nodes in itertools.groupby(item.tree, lambda node: bool(node["t"] == "Header")):
            if is_heading:
                headings = (_heading(item, node) for node in nodes)
                yield from ((part, heading) for heading in headings if heading.level > 0 and heading.plain)
            else:
                body = Fragment(item.source, item.origin, tree=map_lists(list(nodes), _demote_headings))
                yield part, Prose(body, _keep_used(item.sources, body))


def _keep_used(sources: list[tuple[str, str]], body: Fragment) -> list[tuple[str, str]]:
    """Returns the sources of a cell's values; those of values elsewhere in the cell are empty, so that places stay."""
    if not sources:
        return []
    marks = "".join(str(node["c"]) for node in each_node(body.tree) if node["t"] == "Str")
    numbers = ("".join(NUMBER_DIGITS[int(digit)] for digit in str(place)) for place in range(len(sources)))
    used = [re.search(f"{VALUE_BEGINS}{number}(?![{NUMBER_DIGITS}])", marks) for number in numbers]
    return [source if found else ("", "") for source, found in zip(sources, used, strict=True)]


def _demote_headings(nodes: list[Node]) -> list[Node]:
    """Makes headings within lists and quotations bold lines: they are no parts of the report."""
    bold = [{"t": "Strong", "c": node["c"][2]} if node["t"] == "Header" else None for node in nodes]
    return [{"t": "Para", "c": [line]} if line else node for node, line in zip(nodes, bold, strict=True)]


def _heading(fragment: Fragment, node: Node) -> Heading:
    level, _, inlines = node["c"]
    inlines = list(inlines)
    label = ""
    if inlines and (match := _LABEL.fullmatch(str(inlines[-1].get("c")))):
        label = match[1]
        del inlines[-1]
        while inlines and inlines[-1]["t"] == "Space":
            del inlines[-1]
    title = Fragment(fragment.source, fragment.origin, inline=True, tree=inlines)
    return Heading(level - 1, title, plain_text(inlines), label)


def _shows_something(section: Section) -> bool:
    return any(not isinstance(block, (Heading, Code)) for block in section.blocks)


def _make_heading(text: str, notebook: str) -> Heading:
    return Heading(1, Fragment(text, Origin(notebook, 0), inline=True, tree=[string(text)]), text)


def _name_after(block: Block, heading: Heading | None, notebook: str) -> None:
    """Gives a figure or table of a user's own cell the text of the heading above it as its caption.

    A figure without an alternative text has that of its caption: without any, the PDF could not be tagged.
    """
    if not isinstance(block, (Figure, Table)):
        return
    if not block.label and not block.caption.tree:
        block.caption.tree = [string(notebook)] if heading is None else copy.deepcopy(heading.title.tree)
    if isinstance(block, Figure) and not block.alt:
        where = f"shown under the heading {heading.plain!r}" if heading else f"of notebook {notebook}"
        block.alt = (plain_text(block.caption.tree) if block.label else "") or f"Figure {where}"
        block.images = [dataclasses.replace(image, alt=image.alt or block.alt) for image in block.images]


def for_paper(report: Report, targets: dict[str, Target]) -> tuple[Report, dict[str, Target]]:
    """Returns what is printed of a numbered report, and what labels name there.

    That is all of it or the short report, as the front matter has it. Numbers are the same in both, and on the page:
    the supplement comes last. A reference to something of it names it and is no link.
    """
    if report.front.length == "full":
        kept = report.sections
    else:
        kept = [section for section in report.sections if section.name != SUPPLEMENT]
        targets = {label: _name_elsewhere(target) for label, target in targets.items()}
    left_out = [section for section in report.sections if section not in kept]
    elsewhere = _tell_elsewhere(left_out, has_sources=report.sources is not None)
    paper = dataclasses.replace(report, sections=kept, sources=None, elsewhere=elsewhere)
    return dataclasses.replace(paper, references=_list_cited(paper)), targets


def find_works_of_supplement(report: Report) -> set[str]:
    """Returns the keys of the works that nothing but the supplement cites."""
    kept = [section for section in report.sections if section.name != SUPPLEMENT]
    cited = _list_cited(dataclasses.replace(report, sections=kept))
    return {work.key for work in report.references if work not in cited}


def _list_cited(report: Report) -> list[Work]:
    keys = {item["key"] for _, node in report.nodes("Citation") for item in node["c"]["items"]}
    return [work for work in report.references if work.key in keys]


def _name_elsewhere(target: Target) -> Target:
    if target.part != SUPPLEMENT:
        return target
    place = "" if target.is_section else f" of the {SUPPLEMENT}"
    return dataclasses.replace(target, text=target.text + place, anchor="")


def _tell_elsewhere(left_out: Sequence[Section], *, has_sources: bool) -> str:
    blocks = itertools.chain.from_iterable(section.blocks for section in left_out)
    parts = [block.plain for block in blocks if isinstance(block, Heading) and block.level == 2]
    told = [f"the supplement ({'; '.join(dict.fromkeys(parts))})"] if parts else ["the supplement"] if left_out else []
    told += ["the source of each number"] if has_sources else []
    return f"{PAGE} also has {' and '.join(told)}." if told else ""
