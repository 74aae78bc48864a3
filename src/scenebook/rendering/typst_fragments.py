"""Prose, captions and headings as Typst markup. All text enters as string literals; pandoc writes only structure."""

from __future__ import annotations

import hashlib

from markupsafe import Markup

from scenebook.rendering import pandoc
from scenebook.rendering.document import Fragment, Node, Report, ReportImage
from scenebook.rendering.equations import Key, convert_equations, key_of
from scenebook.rendering.numbering import Target, text_without_target
from scenebook.rendering.text import typst_literal, typst_text, wrap_lines
from scenebook.rendering.tree import each_node, map_lists, plain_text, raw, raw_block

_TEXT = frozenset({"Str", "Space", "SoftBreak"})
CODE_WIDTH = 56
CODE_LINES = 60
_SHORT_CODE, _SHORT_ADDRESS = 30, 16


def write_typst(
    report: Report,
    targets: dict[str, Target],
    *,
    as_source: frozenset[Key] = frozenset(),
    missing: frozenset[str] = frozenset(),
) -> dict[Key, str]:
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
    equations = {key: value for key, value in converted.items() if key not in as_source}
    fragments = list(report.fragments())
    trees = []
    for fragment in fragments:
        tree = map_lists(_set_flush_left(fragment.tree), _Writer(fragment, targets, equations, missing).change)
        trees.append([{"t": "Plain", "c": tree}] if fragment.inline else tree)
    written = pandoc.in_batches(
        list(zip(trees, fragments, strict=True)),
        lambda batch, seconds: pandoc.write_trees([tree for tree, _ in batch], "typst", [], seconds),
        lambda pair: typst_text(plain_text(pair[1].tree)),
    )
    for fragment, text in zip(fragments, written, strict=True):
        fragment.typst = Markup(text)
    return equations


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


class _Writer:
    """Turns the nodes of one fragment into nodes that pandoc writes as the Typst that we want."""

    def __init__(
        self, fragment: Fragment, targets: dict[str, Target], equations: dict[Key, str], missing: frozenset[str]
    ) -> None:
        self._fragment = fragment
        self._missing = missing
        self._targets = targets
        self._equations = equations

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
            done += [node] if _is_display(node) else self._change(node)
            text = ""
        done += _literal(text)
        return [changed for node in done for changed in (self._change(node) if _is_display(node) else [node])]

    def _change(self, node: Node) -> list[Node]:
        kind = node["t"]
        if kind == "Equation":
            return [raw("typst", self._equation(node))]
        if kind == "Reference":
            return [raw("typst", self._references(node["c"]["labels"]))]
        if kind == "Citation":
            return map_lists(node["c"]["shown"], self.change)
        if kind == "ReportImage":
            image = self._fragment.images[node["c"]["index"]]
            if file_name(image) in self._missing:
                return [raw("typst", typst_text(f"[image: {image.alt}]"))]
            return [raw("typst", f"#image({typst_literal(file_name(image))}, alt: {typst_literal(image.alt)});")]
        if kind == "Code":
            return [raw("typst", f"#raw({typst_literal(node['c'][1])});")]
        if kind == "CodeBlock":
            shown = wrap_lines(node["c"][1], CODE_WIDTH, CODE_LINES)
            return [raw_block("typst", f"#printed({typst_literal(shown)})")]
        if kind == "Link":
            _, inlines, (address, _) = node["c"]
            # Only a citation leads to a place within: other links lead to the web or to mail.
            is_within = address.startswith("#")
            target = f"label({typst_literal(address[1:])})" if is_within else str(typst_literal(address))
            return [raw("typst", f"#link({target})["), *inlines, raw("typst", "];")]
        if kind == "HorizontalRule":
            return [raw_block("typst", "#rule")]
        if kind == "Table":
            return [raw_block("typst", "#markdown-table["), node, raw_block("typst", "]")]
        return [node]

    def _equation(self, node: Node) -> str:
        content = node["c"]
        source = self._equations.get(key_of(node))
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

    def _references(self, labels: list[str]) -> str:
        parts = []
        for position, label in enumerate(labels):
            if position:
                parts.append(typst_text(" and " if position == len(labels) - 1 else ", "))
            target = self._targets.get(label)
            if target is None:
                parts.append(typst_text(text_without_target(label)))
            else:
                parts.append(f"#link(label({typst_literal(target.anchor)}))[{typst_text(target.text)}];")
        return "".join(parts)


def _literal(text: str) -> list[Node]:
    return [raw("typst", typst_text(text))] if text else []


def _is_display(node: Node) -> bool:
    return bool(node["t"] == "Equation" and node["c"]["display"])
