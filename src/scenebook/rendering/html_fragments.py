"""Prose, captions and headings as HTML: written by pandoc, then cleaned by an allow-list."""

from __future__ import annotations

import base64
import html
import re

import nh3
from markupsafe import Markup

from scenebook.rendering import pandoc
from scenebook.rendering.document import Fragment, Node, Report, ReportImage
from scenebook.rendering.equations import Key, convert_equations, key_of, warn_of_unreadable
from scenebook.rendering.numbering import Target, text_without_target
from scenebook.rendering.text import clean_text
from scenebook.rendering.tree import NO_ATTRIBUTES, SPACE, map_lists, plain_text, raw, string

_MATHS_TAGS = {
    "math", "semantics", "annotation", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "msup", "msub", "msubsup",
    "mfrac", "msqrt", "mroot", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable",
    "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "merror",
}  # fmt: skip
_TAGS = _MATHS_TAGS | {
    "p", "br", "hr", "em", "strong", "sub", "sup", "del", "u", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "img", "span", "table", "thead", "tbody", "tr", "th", "td", "aside",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "class", "id", "role", "aria-label"},
    "aside": {"id", "role", "class"},
    "code": {"class"},
    "img": {"src", "alt"},
    "li": {"id"},
    "ol": {"start", "type"},
    "span": {"class", "id", "title"},
    "td": {"class"},
    "th": {"class", "scope"},
    "math": {"display", "xmlns"},
    "annotation": {"encoding"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "form", "fence", "separator", "largeop", "movablelimits", "accent", "minsize", "maxsize"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "mspace": {"width", "height", "depth"},
    "mstyle": {"displaystyle", "scriptlevel", "mathvariant"},
    "mtext": {"mathvariant"},
    "mfrac": {"linethickness"},
    "mtd": {"class"},
}
_SIDE = re.compile(r'(?: columnalign="\w+")? style="text-align: (left|right|center);?[^"]*"')
_HEADER_CELL = re.compile(r"<th(?=[ >])")


def write_html(report: Report, targets: dict[str, Target]) -> None:
    """Fills `html` of every fragment.

    Args:
        report: Numbered.
        targets: Label to what it names.
    """
    equations = convert_equations(report, "html")
    warn_of_unreadable(report, equations)
    fragments = list(report.fragments())
    trees = []
    for fragment in fragments:
        tree = map_lists(fragment.tree, _Writer(fragment, targets, equations).change)
        trees.append([{"t": "Plain", "c": tree}] if fragment.inline else tree)
    written = pandoc.in_batches(
        list(zip(trees, fragments, strict=True)),
        lambda batch, seconds: pandoc.write_trees(
            [tree for tree, _ in batch],
            "html",
            ["--mathml", "--syntax-highlighting=none", "--reference-location=block"],
            seconds,
        ),
        lambda pair: html.escape(plain_text(pair[1].tree)),
    )
    for fragment, text in zip(fragments, written, strict=True):
        fragment.html = clean_html(text)


def clean_html(text: str) -> Markup:
    """Returns HTML with nothing in it but the tags and attributes of the allow-list."""
    text = _HEADER_CELL.sub('<th scope="col"', _SIDE.sub(r' class="\1"', text))
    return Markup(
        nh3.clean(
            clean_text(text),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_filter,
            url_schemes={"http", "https", "mailto", "data"},
            link_rel="noopener noreferrer",
        )
    )


def _filter(tag: str, name: str, value: str) -> str | None:
    if name == "href" and value.lower().lstrip().startswith("data:"):
        return None
    if name == "src" and not value.startswith("data:image/"):
        return None
    return value


def data_uri(image: ReportImage) -> str:
    """Returns an image as an address. An SVG used as an image runs no script and fetches nothing."""
    kind = {"svg": "svg+xml", "png": "png", "jpg": "jpeg"}[image.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(image.content).decode('ascii')}"


class _Writer:
    """Turns the nodes of ours in one fragment into nodes that pandoc writes as HTML."""

    def __init__(self, fragment: Fragment, targets: dict[str, Target], equations: dict[Key, str]) -> None:
        self._fragment = fragment
        self._targets = targets
        self._equations = equations

    def change(self, nodes: list[Node]) -> list[Node]:
        """Changes one list of nodes."""
        return [changed for node in nodes for changed in self._change(node)]

    def _change(self, node: Node) -> list[Node]:
        kind = node["t"]
        if kind == "Equation":
            return [raw("html", self._equation(node))]
        if kind == "Reference":
            return self._references(node["c"]["labels"])
        if kind == "Citation":
            return list(node["c"]["shown"])
        if kind == "ReportImage":
            image = self._fragment.images[node["c"]["index"]]
            return [raw("html", f'<img src="{data_uri(image)}" alt="{html.escape(image.alt)}">')]
        return [node]

    def _equation(self, node: Node) -> str:
        content = node["c"]
        shown = self._equations.get(key_of(node)) or f'<code class="tex">{html.escape(content["tex"])}</code>'
        if not content["display"]:
            return shown
        number = f'<span class="equation-number">({content["number"]})</span>' if content["numbered"] else ""
        anchor = f' id="{content["anchor"]}"' if content["numbered"] else ""
        return f'<span class="equation"{anchor}>{shown}{number}</span>'

    def _references(self, labels: list[str]) -> list[Node]:
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
