"""A run's notebooks become `report.html`, `report.pdf` and `report.docx`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from scenebook.core.errors import ReportError
from scenebook.core.fields import read_fields
from scenebook.core.run_directory import RunDirectory, write_bytes
from scenebook.core.run_files import DEFAULT_FORMATS, REPORT_FORMATS
from scenebook.core.sentences import Filled, clean_text, has_fields
from scenebook.core.wording import join_names
from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.citations import check_citations, check_work, load_bibliography, resolve_citations
from scenebook.rendering.document import EarlierRun, Report
from scenebook.rendering.front_matter import fill_abstract, load_front_matter
from scenebook.rendering.html import ScenebookHTMLExporter
from scenebook.rendering.numbering import Target, check_references, number_report
from scenebook.rendering.pdf import ScenebookPDFExporter
from scenebook.rendering.provenance import Provenance, read_provenance
from scenebook.rendering.sections import for_paper
from scenebook.rendering.word import write_word

_EXPORTERS: dict[str, Callable[[Report, dict[str, Target]], str | bytes]] = {
    "html": lambda report, targets: ScenebookHTMLExporter().from_report(report, targets),
    "pdf": lambda report, targets: ScenebookPDFExporter().from_report(*for_paper(report, targets)),
    "docx": lambda report, targets: write_word(*for_paper(report, targets)),
}
_FAILED = "failed"
_INTERRUPTED = frozenset({"running", "interrupted"})
"""A stage that still is running while the report is rendered was stopped before it could say so."""
_INCOMPLETE = _INTERRUPTED | {_FAILED, "not run", "pending", "blocked", "missing"}
"""Statuses of a stage whose results the report lacks. With any other, its notebook is whole."""
STALE = "stale"  # the status of a stage whose notebook is whole, but of an earlier run


class StageNotebook(NamedTuple):
    """What the runner says about one stage; the notebook of one that failed is partial.

    `status` is `done` or the like, `STALE`, or says that it did not finish. `note` is what is known of the earlier run
    when it is stale: a clause of plain text, as "made 2026-11-27 04:00 UTC".
    """

    name: str
    notebook: Path | None
    status: str
    note: str = ""

    @property
    def is_incomplete(self) -> bool:
        return self.notebook is None or self.status in _INCOMPLETE

    @property
    def earlier(self) -> EarlierRun | None:
        if self.notebook is None or self.status != STALE:
            return None
        return EarlierRun(clean_text(self.name), " ".join(clean_text(self.note).split()).rstrip("."))


class RenderedReport(NamedTuple):
    """The files of a report, those of its formats, and sentences on what could not be shown as its author wrote it.

    `placeholders` are the keys of the front matter that nobody has filled in.
    """

    html: Path
    pdf: Path
    docx: Path
    warnings: list[str]
    placeholders: list[str]


def check_before_run(
    front_matter_path: Path, notebooks: Sequence[Path], works: Sequence[tuple[str, dict[str, Any]]] = ()
) -> None:
    """Looks for what would keep a report from being rendered, before hours are spent on a run.

    What the cells of `notebooks` will show is not known yet, what their prose cites is. `works` are keys that other
    files cite, each with where that is, for messages.

    Raises:
        ReportError: The front matter or the bibliography cannot be read, or a work that is cited is not in it.
    """
    front = load_front_matter(front_matter_path)
    written = [_read(path) for path in notebooks]
    for cell in itertools.chain.from_iterable(notebook.content.cells for notebook in written):
        if cell.cell_type == "code":
            cell.outputs = []
    report = assemble(written, front, abstract=Filled(front.abstract) if front.abstract else None)
    bibliography = load_bibliography(report, [key for key, _ in works])
    check_citations(report, bibliography)
    for key, where in works:
        check_work(key, bibliography, where)


def render_report(
    run_dir: Path,
    *,
    stages: Sequence[StageNotebook],
    build_dir: Path,
    front_matter_path: Path,
    provenance: Provenance | None = None,
    banners: Sequence[str] = (),
    formats: Sequence[str] = DEFAULT_FORMATS,
) -> RenderedReport:
    """Writes `report.html`, `report.pdf` and the like, and removes what an earlier rendering left of other formats.

    Args:
        run_dir: The run; Markdown may show images that lie in it.
        stages: In the order in which they ran.
        provenance: Settings, commit, times: the HTML alone shows them. By default what the run's folder tells.
        banners: Plain sentences that stand above everything else. What is missing or stale is told by itself.
        formats: Any of `REPORT_FORMATS`.

    Raises:
        ReportError: The front matter, the bibliography, a record, a reference or a citation is wrong; nothing was
            written.
    """
    given = load_front_matter(front_matter_path)
    front = given.without_placeholders()
    notebooks = [_read(stage.notebook, stage.earlier) for stage in stages if stage.notebook is not None]
    lacks = [*_tell_missing(stages), *_tell_stale(stages)]
    is_left_out = bool(front.abstract and lacks and has_fields(front.abstract))
    with_abstract = front.abstract and not is_left_out
    abstract = fill_abstract(front, run_dir, front_matter_path) if with_abstract else None
    fields = read_fields(RunDirectory(run_dir))
    report = assemble(notebooks, front, run_dir=run_dir, abstract=abstract, fields=fields)
    if is_left_out:
        report.warnings.append(
            "The abstract of the front matter has fields for results that are missing or of an earlier run: "
            "it is left out."
        )
    report.banners = [clean_text(banner) for banner in (*lacks, *banners, *report.banners)]
    report.placeholders = given.list_placeholders()
    report.provenance = provenance or read_provenance(run_dir)
    targets = number_report(report)
    bibliography = load_bibliography(report)
    if not lacks:
        check_references(report, targets)
        check_citations(report, bibliography)
    resolve_citations(report, bibliography)
    contents = {name: _EXPORTERS[name](report, targets) for name in REPORT_FORMATS if name in formats}
    files = {name: build_dir / f"report.{name}" for name in REPORT_FORMATS}
    for name, path in files.items():
        if name in contents:
            content = contents[name]
            write_bytes(path, content if isinstance(content, bytes) else content.encode("utf-8"))
        else:
            path.unlink(missing_ok=True)
    return RenderedReport(**files, warnings=list(dict.fromkeys(report.warnings)), placeholders=report.placeholders)


def _read(path: Path, earlier: EarlierRun | None = None) -> SourceNotebook:
    try:
        content = nbformat.read(path, as_version=4)
    except (OSError, ValueError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise ReportError("Expected an executed notebook.", received={"path": str(path), "error": str(error)}) from None
    for cell in content.cells:  # nbformat reads notebooks that lack these, and says so
        cell.setdefault("source", "")
        cell.setdefault("metadata", nbformat.NotebookNode())
        cell.setdefault("outputs", [])
    return SourceNotebook(path.stem, content, path.parent, earlier)


def _tell_missing(stages: Sequence[StageNotebook]) -> list[str]:
    lacking = [stage for stage in stages if stage.is_incomplete]
    failed = [stage.name for stage in lacking if stage.status == _FAILED]
    stopped = [stage.name for stage in lacking if stage.status in _INTERRUPTED]
    absent = [stage.name for stage in lacking if stage.status not in {_FAILED, *_INTERRUPTED}]
    fate_of_stopped = "was interrupted" if len(stopped) == 1 else "were interrupted"
    fates = ((failed, "failed"), (stopped, fate_of_stopped), (absent, "did not run"))
    parts = [f"{_stages(names)} {fate}" for names, fate in fates if names]
    listed = ", ".join(parts if len(parts) < 2 else [*parts[:-1], f"and {parts[-1]}"])
    return [f"This report is incomplete: {listed}. What would have been shown there is missing."] if parts else []


def _tell_stale(stages: Sequence[StageNotebook]) -> list[str]:
    runs = [stage.earlier for stage in stages if stage.earlier is not None]
    if not runs:
        return []
    sentence = f"{_stages([run.stage for run in runs], 'Stage')} show{'s' * (len(runs) == 1)} results of an earlier run"
    has_one_note = len({run.note for run in runs}) == 1
    notes = runs[0].note if has_one_note else "; ".join(f"{run.stage} {run.note}" for run in runs if run.note)
    return [f"{sentence}, marked as such{': ' * bool(notes)}{notes}."]


def _stages(names: Sequence[str], word: str = "stage") -> str:
    return f"{word}{'s' * (len(names) > 1)} {join_names(names)}"
