"""Small operations on pandoc's document tree, as its JSON shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scenebook.rendering.document import Node

Change = Callable[[list[Node]], list[Node]]

SPACE: Node = {"t": "Space"}
LINE_BREAK: Node = {"t": "LineBreak"}
NO_ATTRIBUTES: list[Any] = ["", [], []]


def string(text: str) -> Node:
    """A piece of text. Spaces in it stay what they are."""
    return {"t": "Str", "c": text}


def raw(target: str, text: str) -> Node:
    """Source of the output format, within a line."""
    return {"t": "RawInline", "c": [target, text]}


def raw_block(target: str, text: str) -> Node:
    """Source of the output format, as a block."""
    return {"t": "RawBlock", "c": [target, text]}


def map_lists(tree: list[Any], change: Change) -> list[Any]:
    """Applies `change` to every list of nodes, inner ones first."""
    inner = [_map_item(item, change) for item in tree]
    is_list_of_nodes = bool(inner) and all(isinstance(item, dict) and "t" in item for item in inner)
    return change(inner) if is_list_of_nodes else inner


def _map_item(item: Any, change: Change) -> Any:
    if isinstance(item, list):
        return map_lists(item, change)
    if isinstance(item, dict) and isinstance(item.get("c"), list):
        return {**item, "c": map_lists(item["c"], change)}
    return item


def each_node(tree: Any) -> Iterator[Node]:
    """Yields every node, in the order of the text."""
    if isinstance(tree, list):
        for item in tree:
            yield from each_node(item)
    elif isinstance(tree, dict) and "t" in tree:
        yield tree
        yield from each_node(tree.get("c"))


def plain_text(tree: list[Node]) -> str:
    """Returns the text of a tree, without its markup."""
    parts = []
    for node in each_node(tree):
        if node["t"] == "Str":
            parts.append(node["c"])
        elif node["t"] in {"Space", "SoftBreak", "LineBreak"}:
            parts.append(" ")
        elif node["t"] in {"Code", "CodeBlock"}:
            parts.append(node["c"][1])
        elif node["t"] == "Equation":
            parts.append(node["c"]["tex"])
        elif node["t"] in {"Para", "Plain", "Header"} and parts:
            parts.append(" ")
    return " ".join("".join(parts).split())


def inlines_of(tree: list[Node]) -> list[Node]:
    """Returns one line of inline nodes from a tree of paragraphs; anything but paragraphs becomes its text."""
    line: list[Node] = []
    for node in tree:
        piece = node["c"] if node["t"] in {"Para", "Plain"} else [string(plain_text([node]))]
        line += [SPACE, *piece] if line else piece
    return line
