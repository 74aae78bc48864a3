"""One HTML file without scripts, which asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jinja2
from markupsafe import Markup
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]
from traitlets import default

from scenebook.rendering.document import Report
from scenebook.rendering.exporter import ReportExporter, template_folder
from scenebook.rendering.html_fragments import data_uri, write_html
from scenebook.rendering.numbering import Target
from scenebook.rendering.text import clean_text


class ScenebookHTMLExporter(ReportExporter):
    """`jupyter nbconvert --to scenebook-html`: one file, no script, no request."""

    export_from_notebook = "scenebook HTML"
    output_mimetype = "text/html"

    @default("file_extension")
    def _html_extension(self) -> str:
        return ".html"

    @default("template_name")
    def _html_template(self) -> str:
        return "html"

    def _create_environment(self) -> jinja2.Environment:
        environment = super()._create_environment()
        environment.filters.update(data_uri=data_uri, python=highlight_python)
        return environment

    def from_report(self, report: Report, targets: dict[str, Target]) -> str:
        """Renders a numbered report as one page."""
        write_html(report, targets)
        style = (template_folder() / "html" / "style.css").read_text(encoding="utf-8")
        resources: dict[str, Any] = {
            "style": Markup(style),
            "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            "include_code": not (self.exclude_input or self.exclude_code_cell),
        }
        page = self.template.render(report=report, resources=resources)
        return clean_text(page).strip() + "\n"


def highlight_python(source: str) -> Markup:
    """Returns Python source as HTML with a class on each token."""
    return Markup(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n"))
