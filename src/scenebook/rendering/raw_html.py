"""The HTML that a Markdown cell may hold: what lays out a page is read, anything else is the text that it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bs4 import BeautifulSoup, Tag

from scenebook.rendering import pandoc
from scenebook.rendering.pandoc import LINE_BREAK, NO_ATTRIBUTES, Node, make_node, map_lists, string

_PLAIN_TAG = re.compile(r"^<(/?)([a-zA-Z]+)\s*(/?)>$")
_HARMLESS = {
    "b": "Strong", "strong": "Strong", "i": "Emph", "em": "Emph", "sub": "Subscript", "sup": "Superscript",
    "s": "Strikeout", "del": "Strikeout", "u": "Underline",
}  # fmt: skip
_WRAPPERS = {
    "a", "abbr", "big", "center", "cite", "details", "div", "figcaption", "figure", "font", "h1", "h2", "h3", "h4",
    "h5", "h6", "kbd", "label", "main", "mark", "nav", "p", "section", "small", "span", "summary", "tt",
}  # fmt: skip
"""They only lay out or style what they hold."""
_READ = {
    *_WRAPPERS, *_HARMLESS, "blockquote", "br", "caption", "code", "col", "colgroup", "hr", "img", "li", "ol", "pre",
    "style", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "var",
}  # fmt: skip
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*)?/?>")


def read_block(text: str) -> list[Node] | None:
    """Reads a block of HTML that only lays out a page; `None` where it holds anything else.

    Styles, identifiers and classes go: those of the report hold.
    """
    rest = _COMMENT.sub("", text)
    names = {match[1].lower() for match in _TAG.finditer(rest)}
    if not names <= _READ or ("<" in _TAG.sub("", rest) and "<style" not in rest.lower()):
        return None
    try:
        answer = pandoc.run_pandoc(rest, "html+tex_math_dollars", "json", seconds=pandoc.SECONDS_A_PIECE)
        blocks = pandoc.load_blocks(answer)
    except pandoc.PandocError:
        return None
    read = map_lists(_without_attributes(blocks), _unwrap)
    return [{**node, "t": "Para"} if node["t"] == "Plain" else node for node in read]


def _without_attributes(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _without_attributes(part) for name, part in tree.items()}
    if not isinstance(tree, list):
        return tree
    is_attributes = len(tree) == 3 and isinstance(tree[0], str) and all(isinstance(part, list) for part in tree[1:])
    return NO_ATTRIBUTES if is_attributes else [_without_attributes(part) for part in tree]


def _unwrap(nodes: list[Node]) -> list[Node]:
    done: list[Node] = []
    for node in nodes:
        if node["t"] in {"Div", "Span"}:
            done += node["c"][1]
        elif node["t"] == "Figure":
            done += [*node["c"][2], *node["c"][1][1]]
        else:
            done.append(node)
    return done


def pair_tags(nodes: list[Node], make_link: Callable[[Node], list[Node]]) -> list[Node]:
    """Turns the tags of a line into what they mean: `<b>` into markup, `<img>` into an image, `<a href>` into a link.

    What only lays out a page goes, and any other raw HTML is the text that it is. `make_link` returns what becomes of a
    link.
    """
    done: list[Node] = []
    position = 0
    while position < len(nodes):
        node = nodes[position]
        position += 1
        if node["t"] != "RawInline":
            done.append(node)
            continue
        text = node["c"][1]
        closing = _find_closing(nodes, position, text)
        if closing is not None:
            inner = pair_tags(nodes[position:closing], make_link)
            done += _mark_up(text, inner, make_link)
            position = closing + 1
        else:
            done += _read_lone(text)
    return done


def is_comment(text: str) -> bool:
    """True for an HTML comment and nothing else."""
    return text.startswith("<!--") and text.rstrip().endswith("-->")


def _read_lone(text: str) -> list[Node]:
    match = _TAG.fullmatch(text)
    name = match[1].lower() if match else ""
    if name == "img":
        tag = BeautifulSoup(text, "html.parser").img
        if not isinstance(tag, Tag):
            return []
        alt = str(tag.get("alt") or tag.get("title") or "")
        return [make_node("Image", NO_ATTRIBUTES, [string(alt)] if alt else [], [str(tag.get("src") or ""), ""])]
    if name == "br":
        return [LINE_BREAK]
    # Anchors and styles, and what the report has no markup for.
    is_dropped = name in _WRAPPERS and (name != "a" or "href" not in text.lower())
    return [] if is_dropped or is_comment(text) else [string(text)]


def _mark_up(opening: str, inner: list[Node], make_link: Callable[[Node], list[Node]]) -> list[Node]:
    match = _PLAIN_TAG.match(opening)
    if match:
        return [{"t": _HARMLESS[match[2].lower()], "c": inner}]
    link = BeautifulSoup(opening, "html.parser").a
    return make_link({"t": "Link", "c": [NO_ATTRIBUTES, inner, [str(link.get("href") if link else ""), ""]]})


def _find_closing(nodes: list[Node], start: int, opening: str) -> int | None:
    match = _PLAIN_TAG.match(opening)
    if match and not match[1] and not match[3] and match[2].lower() in _HARMLESS:
        wanted = f"</{match[2].lower()}>"
    elif re.match(r"<a\s[^<>]*href", opening, re.IGNORECASE):
        wanted = "</a>"
    else:
        return None
    raw = (place for place in range(start, len(nodes)) if nodes[place]["t"] == "RawInline")
    return next((place for place in raw if nodes[place]["c"][1].lower() == wanted), None)
