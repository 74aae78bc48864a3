"""The report as data: what assembling makes, numbering fills in, and both templates draw."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from markupsafe import Markup

from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.html_pieces import Colouring, Spans
from scenebook.rendering.pandoc import Node, each_node
from scenebook.rendering.provenance import Provenance
from scenebook.rendering.records import BarItem, Suffix

LONGEST_TABLE = 30  # rows of a table in the running text of the PDF
HIGH_TABLE = 14
APPENDIX, SUPPLEMENT = "appendix", "supplement"
LETTERED = (APPENDIX, SUPPLEMENT)
"""The sections of these names come last. They have no number, and their parts have letters."""


@dataclass(frozen=True)
class Origin:
    """A notebook, named without its ending, and a cell of it, from 1, as it was written; 0 is no cell."""

    notebook: str
    cell: int

    def __str__(self) -> str:
        return f"{self.notebook}, cell {self.cell}" if self.cell else self.notebook

    def received(self) -> dict[str, str | int]:
        return {"notebook": self.notebook, "cell": self.cell} if self.cell else {"file": self.notebook}


class EarlierRun(NamedTuple):
    """The run that left the notebook of a stage stale; `note` says what is known of it, a clause of plain text."""

    stage: str
    note: str = ""

    @property
    def label(self) -> str:
        return f"Earlier run of stage {self.stage}"


@dataclass(frozen=True)
class ReportImage:
    """An image file. `caption` is the line under an image of a grid, `bars` stand under that; all is plain text."""

    content: bytes
    suffix: Suffix
    alt: str
    caption: str = ""
    bars: tuple[BarItem, ...] = ()


@dataclass
class Fragment:
    """A piece of Markdown: its source, its tree, and what the page and the PDF show of it.

    Args:
        inline: A caption or a heading: one line, no paragraphs.
        sources: Of the values that fill its fields, as those of `Prose`.
        tree: What pandoc read, with nodes of our own: `Equation`, `Reference` (to a figure and the like), `Citation`
            (of works), and `ReportImage`.
    """

    source: str
    origin: Origin
    inline: bool = False
    sources: list[tuple[str, str]] = field(default_factory=list)
    tree: list[Node] = field(default_factory=list)
    html: Markup = field(default_factory=Markup)
    typst: Markup = field(default_factory=Markup)


@dataclass
class Heading:
    """A heading of the report; level 1 is a section."""

    kind: ClassVar[str] = "heading"
    level: int
    title: Fragment
    plain: str
    label: str = ""
    number: str = ""
    anchor: str = ""

    @property
    def origin(self) -> Origin:
        return self.title.origin

    @property
    def is_lettered(self) -> bool:
        return self.level == 1 and self.plain.casefold() in LETTERED


@dataclass
class Prose:
    """Paragraphs, lists, equations. `sources` are pairs (text as shown, where it comes from) of the values in it."""

    kind: ClassVar[str] = "prose"
    body: Fragment
    sources: list[tuple[str, str]] = field(default_factory=list)

    @property
    def origin(self) -> Origin:
        return self.body.origin


@dataclass
class Figure:
    """One image, or a grid of photographs, with a caption. `rows` are pairs of a heading and a number of images."""

    kind: ClassVar[str] = "figure"
    origin: Origin
    label: str
    caption: Fragment
    images: list[ReportImage]
    alt: str
    wide: bool = False
    columns: int = 1
    grid: bool = False
    rows: tuple[tuple[str, int], ...] = ()
    number: str = ""
    anchor: str = ""

    def groups(self, most: int | None = None) -> list[tuple[str, list[tuple[int, ReportImage]]]]:
        """Returns the grid's rows of at most `most` images: a heading or nothing, and the images, numbered from 1."""
        numbered = iter(list(enumerate(self.images, start=1))[:most])
        rows = self.rows or (("", len(self.images)),)
        groups = [(heading, list(itertools.islice(numbered, count))) for heading, count in rows]
        return [(heading, images) for heading, images in groups if images]


@dataclass
class Table:
    """A table of plain text. `heads` stand above the header; `spans` and `colours` count lines from their first one."""

    kind: ClassVar[str] = "table"
    origin: Origin
    label: str
    caption: Fragment
    header: list[str]
    align: list[str]
    rows: list[list[str]]
    wide: bool = False
    number: str = ""
    ordinal: int = 0
    anchor: str = ""
    heads: list[list[str]] = field(default_factory=list)
    spans: Spans = field(default_factory=dict)
    colours: Colouring = field(default_factory=dict)

    @property
    def is_long(self) -> bool:
        return len(self.rows) > LONGEST_TABLE

    @property
    def halves(self) -> list[Table]:
        """A high table of two columns in two parts, which the PDF sets side by side; nothing for any other."""
        is_plain = not (self.wide or self.is_long or self.spans or self.colours)
        if not is_plain or len(self.header) != 2 or len(self.rows) < HIGH_TABLE:
            return []
        half = -(-len(self.rows) // 2)
        return [dataclasses.replace(self, rows=rows) for rows in (self.rows[:half], self.rows[half:])]


@dataclass
class Code:
    """The source of a cell, or of a function of the package when `name` is set. Folded in HTML, left out of the PDF."""

    kind: ClassVar[str] = "code"
    origin: Origin
    source: str
    name: str = ""


@dataclass
class Output:
    """Text that a cell printed; the error that ended a notebook; or a note on what the report `lacks` here."""

    kind: ClassVar[str] = "output"
    origin: Origin
    text: str
    failed: bool = False
    lacks: bool = False


Block = Heading | Prose | Figure | Table | Code | Output


def fragment_of(block: Block | Fragment) -> Fragment | None:
    """Returns the Markdown of a block; code and what was printed have none."""
    match block:
        case Heading(title=fragment) | Prose(body=fragment) | Figure(caption=fragment) | Table(caption=fragment):
            return fragment
    return block if isinstance(block, Fragment) else None


@dataclass
class Section:
    """A heading of level 1 and everything up to the next one."""

    heading: Heading
    blocks: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its heading, folded: sections of one name are one."""
        return self.heading.plain.casefold()


@dataclass
class Work:
    """An entry of the list of references; `number` is as `[1]`, or empty where works are cited by author and year."""

    key: str
    anchor: str
    number: str
    body: Fragment


@dataclass
class Report:
    """A whole report.

    Args:
        references: The works that are cited, behind the sections.
        sources: Where the numbers in sentences come from; behind everything else, on the page alone.
        elsewhere: A sentence of the PDF and the Word file on what the page alone has.
        banners: Plain sentences that stand above everything else.
        placeholders: Keys of the front matter that are still to be filled in; the page asks for them.
        stale: The run of each notebook that an earlier one left, by its name.
        warnings: Sentences on what could not be shown as its author wrote it.
    """

    front: FrontMatter
    abstract: list[Prose] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    references: list[Work] = field(default_factory=list)
    sources: Table | None = None
    elsewhere: str = ""
    banners: list[str] = field(default_factory=list)
    placeholders: list[str] = field(default_factory=list)
    stale: dict[str, EarlierRun] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    warnings: list[str] = field(default_factory=list)

    @property
    def long_tables(self) -> list[Table]:
        """The tables of the sections whose rows the PDF moves behind the text."""
        blocks = itertools.chain.from_iterable(section.blocks for section in self.sections)
        return [block for block in blocks if isinstance(block, Table) and block.is_long]

    def blocks(self) -> Iterator[Block]:
        """Yields everything in reading order: abstract, each section's heading and its blocks, table of sources."""
        yield from self.abstract
        for section in self.sections:
            yield section.heading
            yield from section.blocks
        if self.sources is not None:
            yield self.sources

    def earlier_run(self, block: Block) -> EarlierRun | None:
        """Returns the run that a block of a stale notebook is of; `None` for one of this run."""
        return self.stale.get(block.origin.notebook)

    def groups(self, blocks: Sequence[Block]) -> Iterator[tuple[EarlierRun | None, list[Block]]]:
        """Yields blocks that are marked together: side by side, and of one earlier run."""
        # A heading is of no run, since what follows it may be of another: a mark stands anew below each.
        runs = itertools.groupby(blocks, lambda block: None if isinstance(block, Heading) else self.earlier_run(block))
        yield from ((run, list(group)) for run, group in runs)

    def fragments(self) -> Iterator[Fragment]:
        """Yields every piece of Markdown in reading order."""
        yield from filter(None, map(fragment_of, self.blocks()))
        yield from (work.body for work in self.references)

    def nodes(self, kind: str) -> Iterator[tuple[Fragment, Node]]:
        """Yields the nodes of a kind in reading order, each with its fragment."""
        for fragment in self.fragments():
            yield from ((fragment, node) for node in each_node(fragment.tree) if node["t"] == kind)
