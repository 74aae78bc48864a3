"""Text, prose, tables and images as Typst source. All text enters as literals; pandoc writes only structure."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from scenebook.core.sentences import clean_text
from scenebook.rendering.document import Figure, Report, ReportImage
from scenebook.rendering.exporter import Formula, FragmentWriter, convert_equations
from scenebook.rendering.numbering import Target
from scenebook.rendering.pandoc import Node, each_node, plain_text, raw, raw_block

CODE_WIDTH, SMALL_CODE_WIDTH, CODE_LINES = 56, 80, 60
"""Characters of a line of preformatted text, and of one that is set smaller, as a summary of a network; and lines."""
_SHORT_CODE, _SHORT_ADDRESS = 30, 16
MAX_GRID_IMAGES = 48
_TYPST_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def typst_literal(value: Any) -> Markup:
    """Writes a value as a Typst literal, for code mode. Nothing in it can be read as markup or code.

    Anything but numbers, bool and None is text; `Markup` is Typst source already and passes.
    """
    if isinstance(value, Markup):
        return value
    if value is None or isinstance(value, bool):
        return Markup(str(value).lower())
    if isinstance(value, (int, float)):
        return Markup(repr(value))
    return Markup('"' + clean_text(str(value)).translate(_TYPST_ESCAPES) + '"')


def typst_text(text: str) -> str:
    """Writes text as it stands within Typst markup: a string expression, closed so that nothing can follow it."""
    return f"#{typst_literal(text)};"


def wrap_lines(text: str, width: int = CODE_WIDTH, most: int = CODE_LINES, *, widest: int = SMALL_CODE_WIDTH) -> str:
    """Breaks preformatted text into at most `most` lines of `width` characters, and says where lines were left out.

    Where no line has more than `widest`, none is broken: a table that somebody printed stays one.
    """
    lines: list[str] = []
    given = text.expandtabs(4).split("\n")
    longest = max(map(len, given[:most]))
    width = longest if width < longest <= widest else width
    for line in given:
        lines.extend(line[start : start + width] for start in range(0, max(len(line), 1), width))
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... {len(lines) - most + 1} more lines"]
    return "\n".join(lines)


def file_name(image: ReportImage) -> str:
    """Returns a name made from an image's content: text from data never becomes part of a path."""
    return f"{hashlib.sha256(image.content).hexdigest()[:20]}.{image.suffix}"


def describe_grid(figure: Figure) -> str:
    """Returns the alternative text of a grid: of the whole, and of each image that it does not speak of already.

    A tagged PDF describes a figure once; readers are not led into it.
    """
    rows = []
    for heading, images in figure.groups(MAX_GRID_IMAGES):
        told = list(filter(None, (_describe(image, figure.alt) for _, image in images)))
        if told:
            rows.append(f"{heading}: " * bool(heading) + "; ".join(told))
    return f"{figure.alt.rstrip('.: ')}: {'. '.join(rows)}." if rows else figure.alt


def _describe(image: ReportImage, known: str) -> str:
    """Returns what is to be said of an image where `known` has been said; of bars, the numbers."""
    bars = ", ".join(f"{bar.label} {bar.text}{' (true class)' * bar.is_true}" for bar in image.bars)
    alt = "" if image.alt in known else image.alt
    return f"{alt} ({bars})" if alt and bars else alt or bars


def write_typst(
    report: Report,
    targets: dict[str, Target],
    *,
    as_source: frozenset[Formula] = frozenset(),
    missing: frozenset[str] = frozenset(),
) -> dict[Formula, str]:
    """Fills `typst` of every fragment of a numbered report. Returns the equations that are set as such, in Typst.

    Typst was seen not to compile the equations `as_source`, nor to read the image files of the names `missing`.
    """
    converted = convert_equations(report, "typst")
    equations = {formula: text for formula, text in converted.items() if formula not in as_source}
    fragments = list(report.fragments())
    flush_left = [dataclasses.replace(fragment, tree=_set_flush_left(fragment.tree)) for fragment in fragments]
    written = _TypstWriter(targets, equations, missing).write(flush_left)
    for fragment, text in zip(fragments, written, strict=True):
        fragment.typst = Markup(text)
    return equations


def _set_flush_left(tree: list[Node]) -> list[Node]:
    """Marks paragraphs that hold an address or a command: stretched to both edges, their lines would be torn apart."""
    torn = [node["t"] == "Para" and any(map(_is_rigid, each_node(node))) for node in tree]
    before, after = raw_block("typst", "#ragged["), raw_block("typst", "]")
    pieces = ([before, node, after] if is_torn else [node] for node, is_torn in zip(tree, torn, strict=True))
    return list(itertools.chain.from_iterable(pieces))


def _is_rigid(node: Node) -> bool:
    if node["t"] == "Link":
        shown = plain_text(node["c"][1])
        return len(shown) > _SHORT_ADDRESS and " " not in shown
    return node["t"] == "Code" and len(node["c"][1]) > _SHORT_CODE


@dataclass
class _TypstWriter(FragmentWriter):
    missing: frozenset[str]
    target = "typst"

    def change(self, nodes: list[Node]) -> list[Node]:
        """Changes one list of nodes: runs of text become one literal each."""
        done: list[Node] = []
        text, follows_display = "", False
        for node in [*nodes, None]:
            if node is not None and node["t"] in {"Str", "Space", "SoftBreak"}:
                text += node["c"] if node["t"] == "Str" else " "
                continue
            # A space behind an equation on a line of its own would indent the line that follows.
            text = text.lstrip() if follows_display else text
            follows_display = node is not None and node["t"] == "Equation" and bool(node["c"]["display"])
            text = text.rstrip() if follows_display else text
            done += [raw("typst", typst_text(text))] if text else []
            done += self.change_node(node) if node is not None else []
            text = ""
        return done

    def change_node(self, node: Node) -> list[Node]:
        kind = node["t"]
        if kind == "Code":
            return [raw("typst", f"#raw({typst_literal(node['c'][1])});")]
        if kind == "CodeBlock":
            return [raw_block("typst", f"#printed({typst_literal(wrap_lines(node['c'][1]))})")]
        if kind == "Link":
            _, inlines, (address, _) = node["c"]
            # Citations and references lead to a place within, other links to the web or to mail.
            is_within = address.startswith("#")
            target = f"label({typst_literal(address[1:])})" if is_within else str(typst_literal(address))
            return [raw("typst", f"#link({target})["), *inlines, raw("typst", "];")]
        if kind == "HorizontalRule":
            return [raw_block("typst", "#rule")]
        if kind == "Table":
            return [raw_block("typst", "#markdown-table["), node, raw_block("typst", "]")]
        return super().change_node(node)

    def write_equation(self, content: dict[str, Any], source: str | None) -> str:
        label = f"#label({typst_literal(content['anchor'])})" if content["numbered"] else ""
        if source is None:
            # An equation that cannot be set keeps its number, so that references to it stay true.
            shown = typst_literal(content["tex"])
            if content["display"]:
                return f"#unreadable-equation({shown}, numbered: {typst_literal(content['numbered'])});{label}"
            return f"#raw({shown});"
        numbering = ', numbering: "(1)"' if content["numbered"] else ""
        alt = typst_literal(content["tex"] or "empty equation")
        return f"#[#set math.equation(alt: {alt}{numbering});{source}{label}]"

    def write_image(self, image: ReportImage) -> str:
        if file_name(image) in self.missing:
            return typst_text(f"[image: {image.alt}]")
        return f"#image({typst_literal(file_name(image))}, alt: {typst_literal(image.alt)});"

    def write_text(self, text: str) -> str:
        return typst_text(text)
