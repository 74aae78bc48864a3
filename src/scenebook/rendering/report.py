"""A run's notebooks become `report.html` and `report.pdf`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from scenebook.artifacts import write_bytes
from scenebook.errors import ReportError
from scenebook.rendering.abstract import fill_abstract
from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.citations import check_citations, check_work, load_bibliography, resolve_citations
from scenebook.rendering.front_matter import load_front_matter
from scenebook.rendering.html import ScenebookHTMLExporter
from scenebook.rendering.numbering import check_references, number_report
from scenebook.rendering.pdf import ScenebookPDFExporter
from scenebook.rendering.provenance import Provenance, read_provenance
from scenebook.rendering.text import clean_text
from scenebook.sentences import Filled, has_fields

FAILED = "failed"
INCOMPLETE = frozenset({FAILED, "not run", "pending", "blocked", "missing", "interrupted"})
"""Statuses of a stage whose results the report lacks. With any other, its notebook is whole."""


class StageNotebook(NamedTuple):
    """What the runner says about one stage.

    Args:
        name: As it stands in banners.
        notebook: The executed notebook, partial when the stage failed; `None` when there is none.
        status: `done`, `skipped` or the like; or one of `INCOMPLETE`.
    """

    name: str
    notebook: Path | None
    status: str

    @property
    def is_whole(self) -> bool:
        """True when nothing of this stage is missing."""
        return self.notebook is not None and self.status not in INCOMPLETE


@dataclass(frozen=True)
class RenderedReport:
    """The files of a report.

    Args:
        html: The page.
        pdf: The PDF.
        warnings: What could not be shown as its author wrote it; sentences.
    """

    html: Path
    pdf: Path
    warnings: list[str] = field(default_factory=list)


def check_before_run(
    front_matter_path: Path, notebooks: Sequence[Path], works: Sequence[tuple[str, dict[str, Any]]] = ()
) -> None:
    """Looks for what would keep a report from being rendered, before hours are spent on a run.

    Args:
        front_matter_path: Title, authors and layout.
        notebooks: As they were written: what their cells will show is not known yet, what their prose cites is.
        works: Keys of works that other files cite, each with where that is, for messages.

    Raises:
        ReportError: The front matter or the bibliography cannot be read, or a work that is cited is not in it.
    """
    front = load_front_matter(front_matter_path)
    written = [_without_outputs(_read(path)) for path in notebooks]
    report = assemble(written, front, abstract=Filled(front.abstract) if front.abstract else None)
    bibliography = load_bibliography(report, [key for key, _ in works])
    check_citations(report, bibliography)
    for key, where in works:
        check_work(key, bibliography, where)


def _without_outputs(notebook: SourceNotebook) -> SourceNotebook:
    for cell in notebook.content.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return notebook


def render_report(
    run_dir: Path,
    *,
    stages: Sequence[StageNotebook | tuple[str, Path | None, str]],
    build_dir: Path,
    front_matter_path: Path,
    provenance: Provenance | None = None,
    banners: Sequence[str] = (),
) -> RenderedReport:
    """Writes `report.html` and `report.pdf`.

    Args:
        run_dir: The run; Markdown may show images that lie in it.
        stages: In the order in which they ran.
        build_dir: Where the files go.
        front_matter_path: Title, authors and layout.
        provenance: Settings, commit, times: the HTML alone shows them. By default what the run's folder tells.
        banners: Plain sentences that stand above everything else. What is missing is told by itself.

    Raises:
        ReportError: The front matter, the bibliography, a record, a reference or a citation is wrong; nothing has been
            written then.
    """
    front = load_front_matter(front_matter_path)
    told = [StageNotebook(*stage) for stage in stages]
    notebooks = [_read(stage.notebook) for stage in told if stage.notebook is not None]
    missing = _tell_missing(told)
    warnings = []
    abstract = None
    if front.abstract and missing and has_fields(front.abstract):
        warnings.append("The abstract of the front matter has fields for results that are missing: it is left out.")
    elif front.abstract:
        abstract = fill_abstract(front, run_dir, front_matter_path)
    report = assemble(notebooks, front, run_dir=run_dir, abstract=abstract)
    report.warnings += warnings
    report.banners = [clean_text(banner) for banner in (*missing, *banners)]
    report.provenance = provenance or read_provenance(run_dir)
    targets = number_report(report)
    bibliography = load_bibliography(report)
    if not missing:
        check_references(report, targets)
        check_citations(report, bibliography)
    resolve_citations(report, bibliography)
    page = ScenebookHTMLExporter().from_report(report, targets)
    document = ScenebookPDFExporter().from_report(report, targets)
    files = RenderedReport(build_dir / "report.html", build_dir / "report.pdf", list(dict.fromkeys(report.warnings)))
    write_bytes(files.html, page.encode("utf-8"))
    write_bytes(files.pdf, document if isinstance(document, bytes) else document.encode("utf-8"))
    return files


def _read(path: Path) -> SourceNotebook:
    try:
        content = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise ReportError("Expected an executed notebook.", received={"path": str(path), "error": str(error)}) from None
    return SourceNotebook(path.stem, content, path.parent)


def _tell_missing(stages: Sequence[StageNotebook]) -> list[str]:
    """Returns a sentence on what the report lacks, or nothing when it is whole."""
    failed = [stage.name for stage in stages if not stage.is_whole and stage.status == FAILED]
    absent = [stage.name for stage in stages if not stage.is_whole and stage.status != FAILED]
    if not failed and not absent:
        return []
    parts = []
    if failed:
        parts.append(f"{_stages(failed)} failed")
    if absent:
        parts.append(f"{_stages(absent)} did not run")
    return [f"This report is incomplete: {', and '.join(parts)}. What would have been shown there is missing."]


def _stages(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"stage {names[0]}"
    return f"stages {', '.join(names[:-1])} and {names[-1]}"
