"""What both nbconvert exporters share: our templates, and a report made of a notebook that is rendered alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from nbconvert.exporters.exporter import Exporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode
from traitlets import List, Unicode, default

from scenebook.core.run_directory import project_root
from scenebook.rendering.assemble import SourceNotebook, assemble, title_of
from scenebook.rendering.citations import load_bibliography, resolve_citations
from scenebook.rendering.document import Report
from scenebook.rendering.front_matter import FrontMatter, load_front_matter
from scenebook.rendering.numbering import Target, number_report
from scenebook.rendering.provenance import read_provenance


def template_folder() -> Path:
    """Returns the folder that holds the templates `html` and `typst`."""
    return project_root() / "report" / "template"


class ReportExporter(TemplateExporter):
    """Renders a report, or one notebook as a report of its own."""

    front_matter = Unicode("", help="Front-matter file; by default report/front-matter.yaml of the project.").tag(
        config=True
    )

    # nbconvert declares this trait with a value that cannot be typed.
    extra_template_basedirs = List(Unicode()).tag(config=True, affects_environment=True)

    @default("extra_template_basedirs")
    def _our_templates(self) -> list[str]:
        return [str(template_folder())]

    def _create_environment(self) -> jinja2.Environment:
        environment: jinja2.Environment = super()._create_environment()
        # What a template inserts is text unless it was made markup on purpose.
        environment.autoescape = True
        environment.trim_blocks = environment.lstrip_blocks = True
        return environment

    def from_report(self, report: Report, targets: dict[str, Target]) -> str | bytes:
        """Renders a numbered report.

        Args:
            report: What to render. Warnings are added to it.
            targets: Label to what it names.
        """
        raise NotImplementedError

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: Any = None, **kw: Any
    ) -> tuple[str | bytes, Any]:
        """Renders one notebook alone. A reference to what stands in another notebook becomes plain text."""
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kw)
        metadata = resources.get("metadata", {})
        folder = Path(metadata["path"]) if metadata.get("path") else None
        name = metadata.get("name") or "notebook"
        run_dir = folder.resolve().parent if folder is not None else None
        report = assemble([SourceNotebook(name, nb, folder)], self._front_matter_of(nb, name), run_dir=run_dir)
        if run_dir is not None:
            report.provenance = read_provenance(run_dir)
        targets = number_report(report)
        resolve_citations(report, load_bibliography(report))
        content = self.from_report(report, targets)
        for warning in report.warnings:
            self.log.warning(warning)
        return content, resources

    def _front_matter_of(self, nb: NotebookNode, name: str) -> FrontMatter:
        path = Path(self.front_matter) if self.front_matter else project_root() / "report" / "front-matter.yaml"
        given = load_front_matter(path)
        return given.model_copy(update={"title": title_of(nb) or name, "abstract": None})
