"""Equations: every distinct one converted once, in one call of pandoc; one that cannot be is shown as its source."""

from __future__ import annotations

from scenebook.rendering import pandoc
from scenebook.rendering.document import Node, Report
from scenebook.rendering.tree import each_node

Key = tuple[str, bool]
"""An equation's TeX, and whether it is set on a line of its own."""


def convert_equations(report: Report, target: str) -> dict[Key, str]:
    """Converts the equations of a report.

    Args:
        report: Its trees have been read.
        target: `html` for MathML, `typst` for Typst.

    Returns:
        The converted equations. Those that pandoc does not understand are left out.
    """
    keys = sorted({key_of(node) for node in _equations(report)})
    trees = [[{"t": "Para", "c": [_as_maths(key)]}] for key in keys]
    options = ["--mathml"] if target == "html" else []
    results = pandoc.in_batches(
        trees, lambda batch, seconds: pandoc.write_trees(batch, target, options, seconds), lambda _: ""
    )
    converted = {}
    for key, result in zip(keys, results, strict=True):
        result = result.removeprefix("<p>").removesuffix("</p>").strip()
        # Where pandoc does not understand TeX, it writes the source as text.
        if result.startswith(("<math", "$")):
            converted[key] = result
    return converted


def key_of(node: Node) -> Key:
    """Returns what tells one equation from another."""
    return node["c"]["tex"], node["c"]["display"]


def _equations(report: Report) -> list[Node]:
    return [node for fragment in report.fragments() for node in each_node(fragment.tree) if node["t"] == "Equation"]


def _as_maths(key: Key) -> Node:
    return {"t": "Math", "c": [{"t": "DisplayMath" if key[1] else "InlineMath"}, key[0]]}


def warn_of_unreadable(report: Report, converted: dict[Key, str]) -> None:
    """Adds a warning for each equation that is shown as its source."""
    for fragment in report.fragments():
        for node in each_node(fragment.tree):
            if node["t"] == "Equation" and key_of(node) not in converted:
                report.warnings.append(
                    f"{fragment.origin}: the equation {node['c']['tex']!r} cannot be read, so its source is shown."
                )
