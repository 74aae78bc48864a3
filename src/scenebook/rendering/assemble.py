"""From executed notebooks to one report: what stays out, what goes where."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode

from scenebook.core.sentences import Filled, clean_text
from scenebook.rendering import markdown
from scenebook.rendering.document import (
    APPENDIX,
    Block,
    Code,
    EarlierRun,
    Figure,
    Fragment,
    Heading,
    Origin,
    Output,
    Prose,
    Report,
    Section,
    Table,
    fragment_of,
)
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.markdown import resolve_images
from scenebook.rendering.numbering import mark_values, tabulate_sources
from scenebook.rendering.outputs import read_outputs
from scenebook.rendering.pandoc import Node, map_lists, plain_text, string

SECTION_ORDER = ("introduction", "methodology", "results", "conclusion", "repository")
"""Sections of these names come in this order. Any other follows the one that stood before it; the appendix is last."""
ABSTRACT = "abstract"
ADDED_TAGS = frozenset({"injected-parameters", "papermill-error-cell-tag"})
"""Cells that papermill added: they do not count when a reader looks for cell 7."""
_LABEL = re.compile(r"\{#(sec:.*)\}")
OMITTED_TAGS = ADDED_TAGS | {"parameters", "notebook-only"}


class SourceNotebook(NamedTuple):
    """An executed notebook, named without its ending. Markdown names images relative to its folder.

    `earlier` is the run that left it, if it is not this one.
    """

    name: str
    content: NotebookNode
    folder: Path | None = None
    earlier: EarlierRun | None = None


def assemble(
    notebooks: Sequence[SourceNotebook],
    front: FrontMatter,
    *,
    run_dir: Path | None = None,
    abstract: Filled | None = None,
) -> Report:
    """Merges notebooks into one report, not yet numbered.

    Args:
        notebooks: In the order in which they ran.
        run_dir: Markdown may show images that lie in it.
        abstract: That of the front matter, filled; without it, the abstract is what a notebook says under that heading.

    Raises:
        ReportError: An output is not as `scenebook.notebook.display` writes it.
    """
    stale = {notebook.name: notebook.earlier for notebook in notebooks if notebook.earlier is not None}
    report = Report(front, stale=stale)
    attachments: dict[Origin, Mapping[str, Any]] = {}
    parts = [(notebook, _read_cells(notebook, attachments)) for notebook in notebooks]
    pieces = [
        (fragment, notebook.folder)
        for notebook, items in parts
        for item in items
        if (fragment := fragment_of(item)) is not None
    ]
    given = Fragment(abstract.markdown if abstract is not None else "", Origin("front-matter.yaml", 0))
    for fragment in markdown.read([*(fragment for fragment, _ in pieces), given]):
        report.warnings.append(f"{fragment.origin}: Markdown that cannot be read is shown as plain text.")
    for fragment, folder in pieces:
        report.warnings += resolve_images(fragment, attachments.get(fragment.origin, {}), folder, run_dir)
    collector = _Collector(report)
    for notebook, items in parts:
        collector.add(notebook.name, items)
    report.sections = collector.in_order()
    if abstract is not None:
        report.abstract = [Prose(given, [(one.text, one.source or one.field) for one in abstract.used])]
    report.sources = tabulate_sources(report)
    mark_values(report)
    return report


def title_of(notebook: NotebookNode) -> str:
    """Returns a notebook's first heading of level 1 as plain text, or an empty string."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in clean_text(cell.source).split("\n"):
                if line.startswith("# "):
                    return line[2:].strip().strip("#").strip()
    return ""


def _read_cells(notebook: SourceNotebook, attachments: dict[Origin, Mapping[str, Any]]) -> list[Fragment | Block]:
    """Returns Markdown still to be read, and blocks, cell by cell. Fills in the attachments of Markdown cells."""
    items: list[Fragment | Block] = []
    number = 0
    for cell in notebook.content.cells:
        tags = frozenset(cell.metadata.get("tags", ()))
        number += not tags & ADDED_TAGS
        if tags & OMITTED_TAGS:
            continue
        origin = Origin(notebook.name, number)
        if cell.cell_type == "markdown":
            items.append(Fragment(clean_text(cell.source), origin))
            attachments[origin] = cell.get("attachments", {})
        elif cell.cell_type == "code":
            outputs = read_outputs(cell.outputs, origin)
            items += outputs
            if cell.source.strip() and "hide-input" not in tags:
                items.append(Code(origin, clean_text(cell.source).strip("\n")))
            if any(isinstance(block, Output) and block.failed for block in outputs):
                # What follows was written for results that do not exist.
                break
    return items


class _Collector:
    """Sorts blocks into sections, notebook after notebook."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._sections: dict[str, Section] = {}
        self._ranks: dict[str, tuple[int, int]] = {}

    def add(self, notebook: str, items: Iterable[Fragment | Block]) -> None:
        """Adds one notebook. What stands before its first section goes to the top of that section's blocks."""
        waiting: list[Block] = []
        section: Section | None = None
        in_abstract = False
        heading: Heading | None = None
        for block in _blocks_of(items):
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
            title = Fragment(notebook, Origin(notebook, 0), inline=True, tree=[string(notebook)])
            self._open(Heading(1, title, notebook), after=None).blocks += waiting

    def _open(self, heading: Heading, after: Section | None) -> Section:
        key = heading.plain.casefold()
        if key not in self._sections:
            self._sections[key] = Section(heading)
            self._ranks[key] = self._rank(key, after)
        return self._sections[key]

    def _rank(self, key: str, after: Section | None) -> tuple[int, int]:
        if key in (*SECTION_ORDER, APPENDIX):
            return (*SECTION_ORDER, APPENDIX).index(key), 0
        # Nothing follows the appendix: what stood before it counts.
        before = [name for name in self._ranks if name != APPENDIX]
        if after is not None and not after.heading.opens_appendix:
            before.append(after.heading.plain.casefold())
        return self._ranks[before[-1]][0] if before else -1, len(self._sections)

    def in_order(self) -> list[Section]:
        """Returns the sections as the report shows them, their heading levels without gaps."""
        sections = [self._sections[key] for key in sorted(self._sections, key=lambda key: self._ranks[key])]
        for section in sections:
            level = 1
            for block in section.blocks:
                if isinstance(block, Heading):
                    block.level = level = min(block.level, level + 1, 3)
        return sections


def _blocks_of(items: Iterable[Fragment | Block]) -> Iterator[Block]:
    """Splits Markdown cells into headings and what stands between them. A notebook's own title stays out."""
    for item in items:
        if not isinstance(item, Fragment):
            if isinstance(item, Prose):
                # Headings are what Markdown cells say: those of an output would be numbered by Typst alone.
                item.body.tree = map_lists(item.body.tree, _demote_headings)
            yield item
            continue
        for is_heading, nodes in itertools.groupby(item.tree, lambda node: bool(node["t"] == "Header")):
            if is_heading:
                headings = (_heading(item, node) for node in nodes)
                yield from (heading for heading in headings if heading.level > 0 and heading.plain)
            else:
                yield Prose(Fragment(item.source, item.origin, tree=map_lists(list(nodes), _demote_headings)))


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


def _name_after(block: Block, heading: Heading | None, notebook: str) -> None:
    """Gives a figure or table of a user's own cell the text of the heading above it as its caption."""
    if not isinstance(block, (Figure, Table)) or block.label:
        return
    tree = [string(notebook)] if heading is None else copy.deepcopy(heading.title.tree)
    if not block.caption.tree:
        block.caption.tree = tree
    if isinstance(block, Figure) and not block.alt:
        block.alt = f"Figure shown under the heading {heading.plain!r}" if heading else f"Figure of notebook {notebook}"
        block.images = [dataclasses.replace(image, alt=block.alt) for image in block.images]
