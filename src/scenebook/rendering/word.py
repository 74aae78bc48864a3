"""A Word file through pandoc: the printed report with Word's own headings, captions and tables."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import typst

from scenebook.rendering import pandoc
from scenebook.rendering.document import Block, Figure, Fragment, Heading, Output, Prose, Report, ReportImage, Table
from scenebook.rendering.exporter import FragmentWriter, template_folder
from scenebook.rendering.fonts import fonts, gather_fonts
from scenebook.rendering.numbering import NO_BREAK, Target
from scenebook.rendering.pandoc import LINE_BREAK, NO_ATTRIBUTES, SPACE, Node, make_node, map_lists, string
from scenebook.rendering.pdf import images_of
from scenebook.rendering.tables import printed_columns, printed_rows, share_width, tell_left_out
from scenebook.rendering.typst_source import CODE_LINES, file_name, typst_literal, wrap_lines

TEXT_WIDTH = 6.3
"""Inches between the margins, as in the template."""
_PIXELS_AN_INCH = 200
_WIDEST_OF_GRID = 1.5
_CHARACTERS = 80
_A4, _LETTER = b'w:w="11906" w:h="16838"', b'w:w="12240" w:h="15840"'
_KEPT, _LOOSE = "Table Text Kept", "Table Text"
"""Styles of the template: the first one stays on the page of the next paragraph."""
_TABLE_SIZE, _INSET = 10.0, 12.0
"""Points: a little more than the text of tables and the room beside that of a column have in the template."""
_SIDES = {"left": "AlignLeft", "right": "AlignRight", "center": "AlignCenter"}


def write_word(report: Report, targets: dict[str, Target]) -> bytes:
    """Returns a numbered report as a `.docx` file, the same bytes for the same report."""
    with tempfile.TemporaryDirectory(prefix="scenebook-") as folder:
        root = Path(folder)
        drawings = [image.content.decode("utf-8") for _, image in images_of(report) if image.suffix == "svg"]
        gather_fonts("".join(drawings), report.front.fonts, root)
        document = _Document(report, targets, root)
        _write_template(root / "reference.docx", report.front.paper)
        return pandoc.write_docx(document.meta(), document.blocks(), root)


def _write_template(path: Path, paper: str) -> None:
    with zipfile.ZipFile(template_folder() / "word" / "reference.docx") as source, zipfile.ZipFile(path, "w") as copy:
        for entry in source.infolist():  # with their own times: the same bytes whenever it is written
            content = source.read(entry)
            copy.writestr(entry, content.replace(_A4, _LETTER) if paper == "letter" else content)


class _WordWriter(FragmentWriter):
    target: ClassVar[Literal["html", "typst", "docx"]] = "docx"

    def __init__(self, targets: dict[str, Target], images: Path) -> None:
        super().__init__(targets, {})
        self.images = images

    def change_node(self, node: Node) -> list[Node]:
        content: Any = node.get("c")
        if node["t"] == "Equation":
            kind = {"t": "DisplayMath" if content["display"] else "InlineMath"}
            formula = {"t": "Math", "c": [kind, content["tex"]]}
            if not content["numbered"]:
                return [formula]
            number = string(f"\u2003({content['number']})")
            return [make_node("Span", [content["anchor"], [], []], [formula, number])]
        if node["t"] == "ReportImage":
            return [self.show_image(content, TEXT_WIDTH)]
        return super().change_node(node)

    def tree_of(self, fragment: Fragment) -> list[Node]:
        return map_lists(fragment.tree, self.change)

    def show_image(self, image: ReportImage, width: float) -> Node:
        """Returns an image of at most `width` inches; of one that cannot be drawn, its description."""
        content, natural = (image.content, width) if image.suffix != "svg" else _draw(image, self.images)
        if not content:
            return string(f"[image: {image.alt}]")
        name = file_name(image).replace(".svg", ".png")
        (self.images / name).write_bytes(content)
        size = ["width", f"{min(width, natural):.3f}in"]
        return {"t": "Image", "c": [["", [], [size]], [string(image.alt)], [name, ""]]}


def _draw(image: ReportImage, folder: Path) -> tuple[bytes, float]:
    """Returns a drawing as PNG, and its width in inches; nothing where it cannot be drawn. Old Words know no SVG."""
    (folder / file_name(image)).write_bytes(image.content)
    source = f"#set page(width: auto, height: auto, margin: 0pt)\n#image({typst_literal(file_name(image))})"
    (folder / "drawing.typ").write_text(source, encoding="utf-8")
    try:
        compiler = typst.Compiler(str(folder / "drawing.typ"), root=str(folder), font_paths=fonts(folder))
        png = cast(bytes, compiler.compile(format="png", ppi=_PIXELS_AN_INCH))
    except typst.TypstError:
        return b"", 0.0
    return png, int.from_bytes(png[16:20]) / _PIXELS_AN_INCH


class _Document:
    def __init__(self, report: Report, targets: dict[str, Target], images: Path) -> None:
        self.report = report
        self.writer = _WordWriter(targets, images)

    def meta(self) -> Node:
        """Returns the title block: what Word keeps as the file's properties, too."""
        front = self.report.front
        authors = [
            _lines([f"{one.name} ({one.id})" if one.id else one.name, one.affiliation, one.email])
            for one in front.authors
        ]
        meta = {
            "title": make_node("MetaInlines", [string(front.title)]),
            "author": make_node("MetaList", [make_node("MetaInlines", lines) for lines in authors]),
            "keywords": make_node("MetaList", [make_node("MetaInlines", [string(word)]) for word in front.keywords]),
            "lang": make_node("MetaString", "en-GB"),
        }
        if front.subtitle:
            meta["subtitle"] = make_node("MetaInlines", [string(front.subtitle)])
        if occasion := _lines([front.course, front.repository]):
            meta["date"] = make_node("MetaInlines", occasion)
        if self.report.abstract:
            meta["abstract-title"] = make_node("MetaInlines", [string("Abstract")])
            meta["abstract"] = {"t": "MetaBlocks", "c": self._list_blocks(self.report.abstract)}
        return meta

    def blocks(self) -> list[Node]:
        report = self.report
        strong = [make_node("Para", [make_node("Strong", [string(banner)])]) for banner in report.banners]
        blocks = [_styled("Block Text", strong)] if strong else []
        if report.front.keywords:
            words = string(f"Keywords: {', '.join(report.front.keywords)}")
            blocks.append(_styled("Abstract", [make_node("Para", [words])]))
        for section in report.sections:
            blocks += [*self._convert(section.heading), *self._list_blocks(section.blocks)]
        if report.references:
            blocks.append(make_node("Header", 1, NO_ATTRIBUTES, [string("References")]))
        for work in report.references:
            number = [string(work.number), string("\t")] if work.number else []
            entry = make_node("Para", [*number, *self.writer.tree_of(work.body)])
            blocks.append(_styled("Bibliography", [entry], work.anchor))
        return blocks + ([make_node("Para", [string(report.elsewhere)])] if report.elsewhere else [])

    def _list_blocks(self, blocks: Sequence[Block]) -> list[Node]:
        done: list[Node] = []
        for earlier, group in self.report.groups(blocks):
            done += [make_node("Para", [make_node("Strong", [string(earlier.label)])])] if earlier else []
            done += [node for block in group for node in self._convert(block)]
        return done

    def _convert(self, block: Block) -> list[Node]:
        match block:
            case Heading():
                number = [string(block.number), SPACE] if block.number else []
                title = [*number, *self.writer.tree_of(block.title)]
                return [make_node("Header", block.level, [block.anchor, [], []], title)]
            case Prose():
                return self.writer.tree_of(block.body)
            case Figure():
                return [_styled("", [*self._draw_figure(block), self._caption(block, "Fig.")], block.anchor)]
            case Table():
                return [_styled("", [self._caption(block, "Table"), self._tabulate(block)], block.anchor)]
            case Output(lacks=True):
                return [_styled("Block Text", [make_node("Para", [string(block.text)])])]
            case Output():
                text = wrap_lines(block.text, _CHARACTERS, CODE_LINES)
                return [{"t": "CodeBlock", "c": [NO_ATTRIBUTES, text]}]
        return []

    def _caption(self, block: Figure | Table, word: str) -> Node:
        """Returns a caption whose number is a field: Word counts with it, lists it and refers to it."""
        form = "ROMAN" if isinstance(block, Table) and self.report.front.layout == "ieee" else "ARABIC"
        name = "Figure" if isinstance(block, Figure) else "Table"
        field = f'<w:fldSimple w:instr=" SEQ {name} \\* {form} "><w:r><w:t>{block.number}</w:t></w:r></w:fldSimple>'
        mark = [make_node("Strong", [string("(earlier run)")]), SPACE] if self.report.earlier_run(block) else []
        number = [string(word + NO_BREAK), pandoc.raw("openxml", field), string(". ")]
        caption = self.writer.tree_of(block.caption)
        if isinstance(block, Table) and (told := tell_left_out(block)):
            caption = [*caption, string(told)]
        return _styled("Caption", [make_node("Para", [*number, *mark, *caption])])

    def _draw_figure(self, figure: Figure) -> list[Node]:
        if not figure.grid:
            image = self.writer.show_image(figure.images[0], TEXT_WIDTH)
            return [_styled("Captioned Figure", [make_node("Para", [image])])]
        columns = figure.columns
        width = min(TEXT_WIDTH / columns - 0.1, _WIDEST_OF_GRID)
        rows = []
        for heading, images in figure.groups():
            if heading:
                title = make_node("Plain", [make_node("Strong", [string(heading)])])
                rows.append(_row([_cell([title], across=columns)]))
            cells = [_cell(self._show_member(image, width)) for _, image in images]
            cells += [_cell([])] * (-len(cells) % columns)
            rows += [_row(cells[start : start + columns]) for start in range(0, len(cells), columns)]
        return [_table([("AlignCenter", 1 / columns)] * columns, [], rows, "Images")]

    def _show_member(self, image: ReportImage, width: float) -> list[Node]:
        lines = [string(image.caption)] if image.caption else []
        for bar in image.bars:
            text = string(f"{bar.label}{NO_BREAK}{bar.text}")
            lines += [LINE_BREAK, make_node("Strong", [text]) if bar.is_true else text]
        # A row of images stays on the page of the next one, and the last on that of the caption.
        kept = [make_node("Plain", [self.writer.show_image(image, width)]), make_node("Plain", lines)]
        return [_styled(_KEPT, kept)]

    def _tabulate(self, table: Table) -> Node:
        table = printed_columns(table)
        widths, _ = share_width(table, 72 * TEXT_WIDTH, size=_TABLE_SIZE, inset=_INSET)
        shares = widths / max(72 * TEXT_WIDTH, widths.sum())
        columns = [(_SIDES[side], float(share)) for side, share in zip(table.align, shares, strict=True)]
        table = printed_rows(table)
        kept = 0 if table.is_long else len(table.rows) - 1
        lines = [*table.heads, table.header]
        heads = [_row(_cells(table, line, number, _KEPT, "Strong")) for number, line in enumerate(lines)]
        body = [
            _row(_cells(table, row, len(lines) + number, _KEPT if number < kept else _LOOSE))
            for number, row in enumerate(table.rows)
        ]
        return _table(columns, heads, body, "Table")


def _lines(texts: Iterable[str | None]) -> list[Node]:
    return [node for text in texts if text for node in (LINE_BREAK, string(text))][1:]


def _styled(style: str, blocks: list[Node], anchor: str = "") -> Node:
    """Returns blocks in a style of the template, and below a bookmark."""
    return make_node("Div", [anchor, [], [["custom-style", style]] if style else []], blocks)


def _cells(table: Table, texts: Sequence[str], line: int, style: str, kind: str = "") -> list[Any]:
    """Returns the cells of a line, each of which may span others; `kind` marks up their text."""
    cells = []
    for column, text in enumerate(texts):
        down, across = table.spans.get((line, column), (1, 1))
        if down:
            inlines = [make_node(kind, [string(text)]) if kind else string(text)]
            if colours := table.colours.get((line, column)):
                inlines = [pandoc.colour(text, *colours, bold=bool(kind))]
            cells.append(_cell([_styled(style, [make_node("Plain", inlines)])], down, across))
    return cells


def _cell(blocks: list[Node], down: int = 1, across: int = 1) -> Any:
    return [NO_ATTRIBUTES, {"t": "AlignDefault"}, down, across, blocks]


def _row(cells: list[Any]) -> Any:
    return [NO_ATTRIBUTES, cells]


def _table(columns: Sequence[tuple[str, float]], head: list[Any], rows: list[Any], style: str) -> Node:
    specs = [[{"t": side}, make_node("ColWidth", share)] for side, share in columns]
    parts = [specs, [NO_ATTRIBUTES, head], [[NO_ATTRIBUTES, 0, [], rows]], [NO_ATTRIBUTES, []]]
    return make_node("Table", ["", [], [["custom-style", style]]], [None, []], *parts)
