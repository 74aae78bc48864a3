"""One HTML file without scripts, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import textwrap
from typing import Any

import jinja2
import nh3
from markupsafe import Markup, escape
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]
from traitlets import default

from scenebook.core.sentences import clean_text
from scenebook.rendering.document import Code, Figure, Report, ReportImage, Table
from scenebook.rendering.exporter import FragmentWriter, ReportExporter, convert_equations, template_folder
from scenebook.rendering.numbering import Target
from scenebook.rendering.sections import find_works_of_supplement

_SVG_WIDTH = re.compile(rb'<svg\b[^>]*?\swidth="([0-9.]+)pt"')
_LONG_WORD = re.compile(r"\S{25,}")
_TAGS = {
    "math", "semantics", "annotation", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "msup", "msub", "msubsup",
    "mfrac", "msqrt", "mroot", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable",
    "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "merror",
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
    "td": {"class", "colspan", "rowspan"},
    "th": {"class", "colspan", "rowspan", "scope"},
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
    "menclose": {"notation"},
    "mtd": {"class"},
}
_SIDE = re.compile(r'(?: columnalign="\w+")? style="text-align: (left|right|center);?[^"]*"')
_HEADER_CELL = re.compile(r"<th(?=[ >])")


class ScenebookHTMLExporter(ReportExporter):
    """`jupyter nbconvert --to scenebook-html`: one file, no script, no request."""

    export_from_notebook = "scenebook HTML"
    output_mimetype = "text/html"

    @default("template_name")
    def _html_template(self) -> str:
        return "html"

    def _create_environment(self) -> jinja2.Environment:
        environment = super()._create_environment()
        environment.filters.update(
            breakable=breakable,
            data_uri=data_uri,
            is_drawing=is_drawing,
            python=highlight_python,
            shown_width=shown_width,
        )
        return environment

    def from_report(self, report: Report, targets: dict[str, Target]) -> str:
        """Renders a numbered report as one page."""
        fragments = list(report.fragments())
        written = _HTMLWriter(targets, convert_equations(report, "html")).write(fragments)
        for fragment, text in zip(fragments, written, strict=True):
            fragment.html = clean_html(text)
        style = (template_folder() / "html" / "style.css").read_text(encoding="utf-8") + write_colours(report)
        include_code = not (self.exclude_input or self.exclude_code_cell)
        boxed = match_code(report) if include_code else {}
        resources: dict[str, Any] = {
            "style": Markup(style),
            "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            "include_code": include_code,
            "boxed_code": boxed,
            "works_of_supplement": find_works_of_supplement(report),
            "boxed_cells": {block.origin for block in boxed.values()},
        }
        page = self.template.render(report=report, resources=resources)
        return clean_text(page).strip() + "\n"


def match_code(report: Report) -> dict[str, Code]:
    """Returns the code of cells that show a figure or table, by the anchor of the last one that the cell shows."""
    last = {block.origin: block.anchor for block in report.blocks() if isinstance(block, (Figure, Table))}
    cells = [block for block in report.blocks() if isinstance(block, Code) and not block.name]
    return {last[block.origin]: block for block in cells if block.origin in last}


def write_colours(report: Report) -> str:
    """Returns the style of what the templates call `ink-ff0000` and `fill-ffff00`."""
    tables = (block for block in report.blocks() if isinstance(block, Table))
    colours = {colour for table in tables for colour in table.colours.values()}
    inks = (f".ink-{ink} {{ color: #{ink}; }}\n" for ink in sorted({colour.ink for colour in colours} - {""}))
    fills = (
        f".fill-{fill} {{ background: #{fill}; }}\n" for fill in sorted({colour.fill for colour in colours} - {""})
    )
    return "".join([*inks, *fills])


def is_drawing(image: ReportImage) -> bool:
    """True for lines and letters, whose light and dark the dark theme may swap; not for what holds a photograph."""
    return image.suffix == "svg" and b"<image" not in image.content


def shown_width(image: ReportImage) -> int | None:
    """Returns the width at which a drawing is shown where there is room, in pixels; `None` for a photograph.

    Drawings are made for paper, at 8 points: on a screen they are shown a quarter larger.
    """
    match = _SVG_WIDTH.search(image.content[:2000]) if image.suffix == "svg" else None
    return round(float(match[1]) * 96 / 72 * 1.25) if match else None


def breakable(text: str) -> Markup:
    """Returns text as HTML in which long words may break: behind a separator, or at last within.

    A tag permits the break, not a sign in the text: whoever copies it gets what was put in.
    """
    parts, end = [], 0
    for word in _LONG_WORD.finditer(text):
        # Within what is not ASCII a break could part a letter from its accent.
        pieces = [
            piece
            for part in re.split(r"(?<=[/_\\.-])", word[0])
            for piece in (textwrap.wrap(part, 12, break_on_hyphens=False) if part.isascii() else [part])
        ]
        parts += [escape(text[end : word.start()]), Markup("<wbr>").join(pieces)]
        end = word.end()
    return Markup("").join([*parts, escape(text[end:])])


def highlight_python(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n"))


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
    kind = {"svg": "svg+xml", "jpg": "jpeg"}.get(image.suffix, image.suffix)
    return f"data:image/{kind};base64,{base64.b64encode(image.content).decode('ascii')}"


class _HTMLWriter(FragmentWriter):
    target = "html"
    options = ("--mathml", "--syntax-highlighting=none", "--reference-location=block")

    def write_equation(self, content: dict[str, Any], source: str | None) -> str:
        shown = source or f'<code class="tex">{html.escape(content["tex"])}</code>'
        if not content["display"]:
            return shown
        number = f'<span class="equation-number">({content["number"]})</span>' if content["numbered"] else ""
        anchor = f' id="{content["anchor"]}"' if content["numbered"] else ""
        return f'<span class="equation"{anchor}>{shown}{number}</span>'

    def write_image(self, image: ReportImage) -> str:
        return f'<img src="{data_uri(image)}" alt="{html.escape(image.alt)}">'

    def write_text(self, text: str) -> str:
        return html.escape(text)
