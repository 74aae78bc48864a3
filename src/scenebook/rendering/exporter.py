"""What the HTML and the PDF exporter share: templates, a notebook rendered alone, and how fragments are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import jinja2
from nbconvert.exporters.exporter import Exporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode
from traitlets import List, Unicode, default

from scenebook.core.project import project_folder
from scenebook.rendering import pandoc
from scenebook.rendering.assemble import SourceNotebook, assemble, title_of
from scenebook.rendering.citations import load_bibliography, resolve_citations
from scenebook.rendering.document import Fragment, Report, ReportImage
from scenebook.rendering.front_matter import load_front_matter
from scenebook.rendering.numbering import NO_BREAK, Target, number_report, text_without_target
from scenebook.rendering.pandoc import NO_ATTRIBUTES, SPACE, Node, map_lists, plain_text, raw, string
from scenebook.rendering.provenance import read_provenance

Formula = tuple[str, bool]  # an equation's TeX, and whether it is set on a line of its own


def template_folder() -> Path:
    """Returns the folder that holds the templates `html` and `typst`."""
    return project_folder("report") / "template"


class ReportExporter(TemplateExporter):
    """Renders a report, or one notebook as a report of its own."""

    front_matter = Unicode("", help="Front-matter file; by default report/front-matter.yaml of the project.").tag(
        config=True
    )

    # nbconvert declares this trait with a value that cannot be typed.
    extra_template_basedirs = List(Unicode()).tag(config=True, affects_environment=True)

    @default("file_extension")
    def _our_extension(self) -> str:
        return "." + self.output_mimetype.rpartition("/")[2]

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
        """Renders a numbered report, and adds warnings to it. `targets` maps a label to what it names."""
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
        given = load_front_matter(Path(self.front_matter or project_folder("report") / "front-matter.yaml"))
        front = given.without_placeholders().model_copy(update={"title": title_of(nb) or name, "abstract": None})
        report = assemble([SourceNotebook(name, nb, folder)], front, run_dir=run_dir)
        if run_dir is not None:
            report.provenance = read_provenance(run_dir)
        targets = number_report(report)
        resolve_citations(report, load_bibliography(report))
        content = self.from_report(report, targets)
        for warning in report.warnings:
            self.log.warning(warning)
        return content, resources


def convert_equations(report: Report, target: Literal["html", "typst"]) -> dict[Formula, str]:
    """Converts every distinct equation of a report once, to MathML or Typst, in one call of pandoc.

    Those that pandoc does not understand are left out, with a warning of the report.
    """
    equations = [(fragment, formula_of(node)) for fragment, node in report.nodes("Equation")]
    formulas = sorted({formula for _, formula in equations})
    kinds = {True: {"t": "DisplayMath"}, False: {"t": "InlineMath"}}
    trees = [[{"t": "Para", "c": [{"t": "Math", "c": [kinds[display], tex]}]}] for tex, display in formulas]
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
    return node["c"]["tex"], node["c"]["display"]


@dataclass
class FragmentWriter:
    """Writes fragments: turns the nodes of ours in them into nodes that pandoc writes, and calls it."""

    targets: dict[str, Target]
    equations: dict[Formula, str]
    target: ClassVar[Literal["html", "typst", "docx"]]
    options: ClassVar[Sequence[str]] = ()

    def write_equation(self, content: dict[str, Any], source: str | None) -> str:
        """Returns an equation; `source` is `None` for one that could not be converted."""
        raise NotImplementedError

    def write_image(self, image: ReportImage) -> str:
        raise NotImplementedError

    def write_text(self, text: str) -> str:
        """Returns what becomes of a fragment that pandoc cannot write."""
        raise NotImplementedError

    def change(self, nodes: list[Node]) -> list[Node]:
        return [changed for node in nodes for changed in self.change_node(node)]

    def change_node(self, node: Node) -> list[Node]:
        kind, content = node["t"], node.get("c", {})
        if kind == "Equation":
            return [raw(self.target, self.write_equation(content, self.equations.get(formula_of(node))))]
        if kind == "Reference":
            return map_lists(self._link_labels(content["labels"], content.get("form", "")), self.change)
        if kind == "Citation":
            return map_lists(content["shown"], self.change)
        return [raw(self.target, self.write_image(content))] if kind == "ReportImage" else [node]

    def _link_labels(self, labels: list[str], form: str = "") -> list[Node]:
        line: list[Node] = []
        for position, label in enumerate(labels):
            if position:
                line += [SPACE, string("and"), SPACE] if position == len(labels) - 1 else [string(","), SPACE]
            target = self.targets.get(label)
            if target is None:
                line.append(string(text_without_target(label)))
            elif not target.anchor:
                line.append(string(target.text))
            else:
                attributes = ["", [f"in-{target.part}"], []] if target.part and not target.is_section else NO_ATTRIBUTES
                text = target.text.rpartition(NO_BREAK)[2] if form else target.text  # LaTeX names numbers alone
                text = text.strip("()") if form == "ref" else text
                line.append({"t": "Link", "c": [attributes, [string(text)], [f"#{target.anchor}", ""]]})
        return line

    def write(self, fragments: Sequence[Fragment]) -> list[str]:
        def convert(batch: Sequence[Fragment], seconds: float) -> list[str]:
            changed = [(fragment, map_lists(fragment.tree, self.change)) for fragment in batch]
            trees = [[{"t": "Plain", "c": tree}] if fragment.inline else tree for fragment, tree in changed]
            return pandoc.write_trees(trees, self.target, self.options, seconds)

        return pandoc.in_batches(fragments, convert, lambda fragment: self.write_text(plain_text(fragment.tree)))
