"""What writing prose, captions and headings shares, as HTML or as Typst: equations, references, calls of pandoc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from scenebook.rendering import pandoc
from scenebook.rendering.document import Fragment, Report, ReportImage
from scenebook.rendering.numbering import Target, text_without_target
from scenebook.rendering.pandoc import NO_ATTRIBUTES, SPACE, Node, each_node, map_lists, raw, string

Formula = tuple[str, bool]
"""An equation's TeX, and whether it is set on a line of its own."""


def convert_equations(report: Report, target: Literal["html", "typst"]) -> dict[Formula, str]:
    """Converts every distinct equation of a report once, to MathML or Typst, in one call of pandoc.

    Returns:
        The converted equations. Those that pandoc does not understand are left out, with a warning of the report.
    """
    equations = [
        (fragment, formula_of(node))
        for fragment in report.fragments()
        for node in each_node(fragment.tree)
        if node["t"] == "Equation"
    ]
    formulas = sorted({formula for _, formula in equations})
    trees = [[{"t": "Para", "c": [_as_maths(*formula)]}] for formula in formulas]
    options = ["--mathml"] if target == "html" else []
    results = pandoc.in_batches(
        trees, lambda batch, seconds: pandoc.write_trees(batch, target, options, seconds), lambda _: ""
    )
    written = [result.removeprefix("<p>").removesuffix("</p>").strip() for result in results]
    # Where pandoc does not understand TeX, it writes the source as text.
    known = zip(formulas, written, strict=True)
    converted = {formula: text for formula, text in known if text.startswith(("<math", "$"))}
    report.warnings += [
        f"{fragment.origin}: the equation {formula[0]!r} cannot be read, so its source is shown."
        for fragment, formula in equations
        if formula not in converted and target == "html"
    ]
    return converted


def formula_of(node: Node) -> Formula:
    """Returns what tells one equation from another."""
    return node["c"]["tex"], node["c"]["display"]


def _as_maths(tex: str, display: bool) -> Node:
    return {"t": "Math", "c": [{"t": "DisplayMath" if display else "InlineMath"}, tex]}


class FragmentWriter:
    """Turns the nodes of ours in one fragment into nodes that pandoc writes.

    Args:
        fragment: Its images are shown.
        targets: Label to what it names.
        equations: As `convert_equations` returns them.
    """

    target: ClassVar[Literal["html", "typst"]]

    def __init__(self, fragment: Fragment, targets: dict[str, Target], equations: dict[Formula, str]) -> None:
        self._fragment = fragment
        self._targets = targets
        self._equations = equations

    def write_equation(self, content: dict[str, Any], source: str | None) -> str:
        """Returns an equation in the target's language; `source` is `None` for one that could not be converted."""
        raise NotImplementedError

    def write_image(self, image: ReportImage) -> str:
        """Returns an image in the target's language."""
        raise NotImplementedError

    def change(self, nodes: list[Node]) -> list[Node]:
        """Changes one list of nodes."""
        return [changed for node in nodes for changed in self.change_node(node)]

    def change_node(self, node: Node) -> list[Node]:
        """Changes one node into those that stand for it."""
        kind, content = node["t"], node.get("c", {})
        if kind == "Equation":
            return [raw(self.target, self.write_equation(content, self._equations.get(formula_of(node))))]
        if kind == "Reference":
            return map_lists(self._link_labels(content["labels"]), self.change)
        if kind == "Citation":
            return map_lists(content["shown"], self.change)
        if kind == "ReportImage":
            return [raw(self.target, self.write_image(self._fragment.images[content["index"]]))]
        return [node]

    def _link_labels(self, labels: list[str]) -> list[Node]:
        line: list[Node] = []
        for position, label in enumerate(labels):
            if position:
                line += [SPACE, string("and"), SPACE] if position == len(labels) - 1 else [string(","), SPACE]
            target = self._targets.get(label)
            if target is None:
                line.append(string(text_without_target(label)))
            else:
                line.append({"t": "Link", "c": [NO_ATTRIBUTES, [string(target.text)], [f"#{target.anchor}", ""]]})
        return line


def write_fragments(
    fragments: Sequence[Fragment],
    make_writer: Callable[[Fragment], FragmentWriter],
    options: Sequence[str],
    as_text: Callable[[Fragment], str],
) -> list[str]:
    """Writes fragments with one call of pandoc.

    Args:
        fragments: Their trees have been read.
        make_writer: Returns the writer of one.
        options: Of pandoc.
        as_text: Returns what becomes of a fragment that pandoc cannot write.
    """
    writers = [make_writer(fragment) for fragment in fragments]
    trees = []
    for fragment, writer in zip(fragments, writers, strict=True):
        tree = map_lists(fragment.tree, writer.change)
        trees.append([{"t": "Plain", "c": tree}] if fragment.inline else tree)
    return pandoc.in_batches(
        list(zip(trees, fragments, strict=True)),
        lambda batch, seconds: pandoc.write_trees([tree for tree, _ in batch], writers[0].target, options, seconds),
        lambda pair: as_text(pair[1]),
    )
