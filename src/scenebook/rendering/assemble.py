"""From executed notebooks to one report: what stays out, what goes where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode

from scenebook.core.errors import InputError, ReportError
from scenebook.core.fields import Fields, fill_markdown
from scenebook.core.sentences import Filled, clean_text
from scenebook.core.stages import STAGES
from scenebook.rendering import markdown
from scenebook.rendering.document import (
    LETTERED,
    Code,
    EarlierRun,
    Fragment,
    Origin,
    Output,
    Prose,
    Report,
    fragment_of,
)
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.markdown import resolve_images
from scenebook.rendering.numbering import mark_values, tabulate_sources
from scenebook.rendering.outputs import note_missing, read_outputs
from scenebook.rendering.sections import Collector, Item

ADDED_TAGS = frozenset({"injected-parameters", "papermill-error-cell-tag"})
"""Cells that papermill added: they do not count when a reader looks for cell 7."""
OMITTED_TAGS = ADDED_TAGS | {"parameters", "notebook-only"}
IF_SHOWN = "if-shown"
"""A Markdown cell of this tag stays out, with the code below it, where none of that shows anything."""


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
    fields: Fields | None = None,
) -> Report:
    """Merges notebooks, in the order in which they ran, into one report, not yet numbered.

    Args:
        run_dir: Markdown may show images that lie in it.
        abstract: That of the front matter, filled; by default what a notebook says under that heading.
        fields: What the Markdown of the last notebook may name; without them it is taken as it is.

    Raises:
        ReportError: An output is not as `scenebook.notebook.display` writes it, or a field names nothing.
    """
    stale = {notebook.name: notebook.earlier for notebook in notebooks if notebook.earlier is not None}
    report = Report(front, stale=stale)
    attachments: dict[Origin, Mapping[str, Any]] = {}
    of_stage = STAGES["conclusion"].notebook
    parts = [
        (one, _read_cells(one, attachments, fields if one.name == of_stage else None, report)) for one in notebooks
    ]
    shown = [(item.content, notebook.folder) for notebook, items in parts for item in items]
    pieces = [(fragment, folder) for content, folder in shown if (fragment := fragment_of(content)) is not None]
    given = Fragment(abstract.markdown if abstract is not None else "", Origin("front-matter.yaml", 0))
    for fragment in markdown.read([*(fragment for fragment, _ in pieces), given]):
        report.warnings.append(f"{fragment.origin}: Markdown that cannot be read is shown as plain text.")
    report.warnings += [
        f"{block.origin}: {block.text[0].lower()}{block.text[1:]}"
        for block, _ in shown
        if isinstance(block, Output) and block.lacks
    ]
    for fragment, folder in pieces:
        report.warnings += resolve_images(fragment, attachments.get(fragment.origin, {}), folder, run_dir)
    collector = Collector(report)
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


def _fill_cell(source: str, origin: Origin, fields: Fields | None) -> tuple[Fragment, list[str]]:
    if fields is None:
        return Fragment(clean_text(source), origin), []
    try:
        filled, warnings = fill_markdown(clean_text(source), fields)
    except InputError as error:
        received = {**origin.received(), **error.received}
        raise ReportError(error.expected, received=received, advice=error.advice) from None
    sources = [(one.text, one.source or one.field) for one in filled.used]
    return Fragment(filled.markdown, origin, sources=sources), [f"{origin}: {warning}." for warning in warnings]


def _read_raw_cell(cell: NotebookNode, origin: Origin) -> Fragment | Output:
    """Returns what a raw cell says: Markdown and HTML as such, text as it stands; of another format, a note."""
    if cell.cell_type != "raw":
        return note_missing(f"a cell of an unknown type ({cell.cell_type})", origin)
    form = str(cell.metadata.get("raw_mimetype") or cell.metadata.get("format") or "").lower()
    source = clean_text(cell.source)
    if form == "text/markdown":
        return Fragment(source, origin)
    if form == "text/html":
        # A blank line would end the HTML of a Markdown cell.
        return Fragment("\n".join(line for line in source.split("\n") if line.strip()), origin)
    if form in {"", "text/plain"}:
        return Output(origin, source.strip("\n"))
    return note_missing(f"a raw cell for another format ({form})", origin)


def _read_cells(
    notebook: SourceNotebook, attachments: dict[Origin, Mapping[str, Any]], fields: Fields | None, report: Report
) -> list[Item]:
    """Returns Markdown still to be read, and blocks, cell by cell. Fills in the attachments of Markdown cells."""
    items: list[Item] = []
    number = 0
    conditional: int | None = None
    cells = notebook.content.cells
    for place, cell in enumerate(cells, start=1):
        tags = frozenset(cell.metadata.get("tags", ()))
        number += not tags & ADDED_TAGS
        if tags & OMITTED_TAGS:
            continue
        origin = Origin(notebook.name, number)
        part = next((name for name in LETTERED if name in tags), "")
        if cell.cell_type == "markdown":
            items = items[:conditional]
            conditional = len(items) if IF_SHOWN in tags else None
            fragment, warnings = _fill_cell(cell.source, origin, fields)
            items.append(Item(fragment, part))
            report.warnings += warnings
            report.banners += warnings
            attachments[origin] = cell.get("attachments", {})
        elif cell.cell_type != "code" and cell.source.strip():
            items.append(Item(_read_raw_cell(cell, origin), part))
            conditional = None
        elif cell.cell_type == "code":
            outputs = read_outputs(cell.outputs, origin)
            items += [Item(block, part) for block in outputs]
            if any(not isinstance(block, Code) for block in outputs):
                conditional = None
            if cell.source.strip() and "hide-input" not in tags:
                items.append(Item(Code(origin, clean_text(cell.source).strip("\n")), part if outputs else ""))
            has_failed = any(isinstance(block, Output) and block.failed for block in outputs)
            if has_failed and not any(below.get("outputs") for below in cells[place:]):
                # What follows was written for results that do not exist. Where it was run, the error was meant to be.
                break
    return items[:conditional]
