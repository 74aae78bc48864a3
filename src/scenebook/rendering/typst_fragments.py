"""Prose, captions and headings as Typst markup. All text enters as string literals; pandoc writes only structure."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from markupsafe import Markup

from scenebook.rendering.document import Figure, Fragment, Report, ReportImage
from scenebook.rendering.fragments import Formula, FragmentWriter, convert_equations, write_fragments
from scenebook.rendering.numbering import Target
from scenebook.rendering.pandoc import Node, each_node, plain_text, raw, raw_block
from scenebook.rendering.text import typst_literal, typst_text, wrap_lines

_TEXT = frozenset({"Str", "Space", "SoftBreak"})
CODE_WIDTH = 56
CODE_LINES = 60
_SHORT_CODE, _SHORT_ADDRESS = 30, 16


def file_name(image: ReportImage) -> str:
    """Returns a name made from an image's content: text from data never becomes part of a path."""
    return f"{hashlib.sha256(image.content).hexdigest()[:20]}.{image.suffix}"


def _set_flush_left(tree: list[Node]) -> list[Node]:
    """Marks paragraphs that hold an address or a command: stretched to both edges, their lines would be torn apart."""
    changed: list[Node] = []
    for node in tree:
        if node["t"] == "Para" and any(_is_rigid(part) for part in each_node([node])):
            changed += [raw_block("typst", "#ragged["), node, raw_block("typst", "]")]
        else:
            changed.append(node)
    return changed


def _is_rigid(node: Node) -> bool:
    if node["t"] == "Code":
        return len(node["c"][1]) > _SHORT_CODE
    return (
        bool(node["t"] == "Link")
        and len(plain_text(node["c"][1])) > _SHORT_ADDRESS
        and " " not in plain_text(node["c"][1])
    )


class _TypstWriter(FragmentWriter):
    target = "typst"

    def __init__(
        self, fragment: Fragment, targets: dict[str, Target], equations: dict[Formula, str], missing: frozenset[str]
    ) -> None:
        super().__init__(fragment, targets, equations)
        self._missing = missing

    def change(self, nodes: list[Node]) -> list[Node]:
        """Changes one list of nodes: runs of text become one literal each."""
        done: list[Node] = []
        text = ""
        for node in nodes:
            if node["t"] in _TEXT:
                text += node["c"] if node["t"] == "Str" else " "
                # A space behind an equation on a line of its own would indent the line that follows.
                text = text.lstrip() if done and _is_display(done[-1]) else text
                continue
            done += _literal(text.rstrip() if _is_display(node) else text)
            done += [node] if _is_display(node) else self.change_node(node)
            text = ""
        done += _literal(text)
        return [changed for node in done for changed in (self.change_node(node) if _is_display(node) else [node])]

    def change_node(self, node: Node) -> list[Node]:
        kind = node["t"]
        if kind == "Code":
            return [raw("typst", f"#raw({typst_literal(node['c'][1])});")]
        if kind == "CodeBlock":
            shown = wrap_lines(node["c"][1], CODE_WIDTH, CODE_LINES)
            return [raw_block("typst", f"#printed({typst_literal(shown)})")]
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
        if file_name(image) in self._missing:
            return typst_text(f"[image: {image.alt}]")
        return f"#image({typst_literal(file_name(image))}, alt: {typst_literal(image.alt)});"


def write_typst(
    report: Report,
    targets: dict[str, Target],
    *,
    as_source: frozenset[Formula] = frozenset(),
    missing: frozenset[str] = frozenset(),
) -> dict[Formula, str]:
    """Fills `typst` of every fragment.

    Args:
        report: Numbered.
        targets: Label to what it names.
        as_source: Equations that Typst was seen not to compile.
        missing: Names of image files that Typst was seen not to read; their description stands there.

    Returns:
        The equations that are set as equations, in Typst.
    """
    converted = convert_equations(report, "typst")
    equations = {formula: text for formula, text in converted.items() if formula not in as_source}
    fragments = list(report.fragments())
    written = write_fragments(
        [dataclasses.replace(fragment, tree=_set_flush_left(fragment.tree)) for fragment in fragments],
        lambda fragment: _TypstWriter(fragment, targets, equations, missing),
        [],
        lambda fragment: typst_text(plain_text(fragment.tree)),
    )
    for fragment, text in zip(fragments, written, strict=True):
        fragment.typst = Markup(text)
    return equations


def _literal(text: str) -> list[Node]:
    return [raw("typst", typst_text(text))] if text else []


def _is_display(node: Node) -> bool:
    return bool(node["t"] == "Equation" and node["c"]["display"])


MAX_GRID_IMAGES = 48


def describe_grid(figure: Figure) -> str:
    """Returns the alternative text of a grid: of the whole, and of each image that it does not speak of already.

    A tagged PDF describes a figure once; readers are not led into it.
    """
    rows = []
    for heading, images in figure.groups(MAX_GRID_IMAGES):
        told = [_describe(image, figure.alt) for _, image in images]
        if any(told):
            rows.append(f"{heading}: " * bool(heading) + "; ".join(filter(None, told)))
    return f"{figure.alt.rstrip('.: ')}: {'. '.join(rows)}." if rows else figure.alt


def _describe(image: ReportImage, known: str) -> str:
    """Returns what is to be said of an image where `known` has been said; of bars, the numbers."""
    bars = ", ".join(f"{bar.label} {bar.text}{' (true class)' * bar.is_true}" for bar in image.bars)
    alt = "" if image.alt in known else image.alt
    return f"{alt} ({bars})" if alt and bars else alt or bars
