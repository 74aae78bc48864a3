"""A PDF through Typst: two columns, tagged for assistive technology, the same bytes for the same report."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, cast

import jinja2
import typst
from markupsafe import Markup
from traitlets import Bool, default

from scenebook.core.errors import ReportError
from scenebook.rendering.document import Figure, Origin, Report, ReportImage
from scenebook.rendering.exporter import Formula, ReportExporter, template_folder
from scenebook.rendering.fonts import advise_fonts, fonts, gather_fonts, more_families
from scenebook.rendering.numbering import Target
from scenebook.rendering.pictures import count_frames
from scenebook.rendering.tables import column_widths, printed_columns, printed_rows, tell_left_out
from scenebook.rendering.typst_source import (
    MAX_GRID_IMAGES,
    describe_grid,
    file_name,
    typst_literal,
    wrap_lines,
    write_typst,
)

STANDARD: Literal["ua-1"] = "ua-1"
UNTAGGABLE = "PDF/UA-1 error"
END_OF_TEXT = "#end-of-text()"
LINE_HEIGHT = 11
"""Points; columns whose lengths differ by less are equally long."""


class ScenebookPDFExporter(ReportExporter):
    """`jupyter nbconvert --to scenebook-pdf`: writes Typst and compiles it."""

    export_from_notebook = "scenebook PDF"
    output_mimetype = "application/pdf"
    template_extension = ".typ.j2"
    source_only = Bool(False, help="Return the Typst source instead of the PDF.").tag(config=True)

    @default("template_name")
    def _typst_template(self) -> str:
        return "typst"

    def _create_environment(self) -> jinja2.Environment:
        environment = super()._create_environment()
        # Every inserted value becomes a Typst literal: a template cannot splice text into markup by mistake.
        environment.finalize = typst_literal
        environment.filters.update(
            column_widths=column_widths,
            describe_grid=describe_grid,
            file_name=file_name,
            printed=wrap_lines,
            printed_columns=printed_columns,
            printed_rows=printed_rows,
            tell_left_out=tell_left_out,
            side=lambda side: Markup(side if side in {"right", "center"} else "left"),
        )
        return environment

    def from_report(self, report: Report, targets: dict[str, Target]) -> str | bytes:
        """Renders a numbered report as a PDF. PDF/UA-1 where that is possible; otherwise a warning says why not."""
        report.warnings += [
            f"{origin}: of an animation of {frames} images, the page shows all, the PDF and the Word file the first."
            for origin, image in images_of(report)
            if (frames := count_frames(image)) > 1
        ]
        equations = write_typst(report, targets)
        source = self._source(report)
        if self.source_only:
            return source
        with tempfile.TemporaryDirectory(prefix="scenebook-") as folder:
            root = Path(folder)
            write_images(report, root)
            shutil.copyfile(template_folder() / "typst" / "scenebook.typ", root / "scenebook.typ")
            if missing := gather_fonts(source, report.front.fonts, root):
                report.warnings.append(f"PDF: {advise_fonts(missing)}")
            try:
                return self._compile_tagged(source, root, report)
            except typst.TypstError as error:
                source = self._without_culprits(report, targets, equations, root, str(error.message))
            try:
                return self._compile_tagged(source, root, report)
            except typst.TypstError as error:
                raise ReportError(
                    f"Expected Typst to compile the report: {error.message}.",
                    received={"hints": error.hints},
                    advice="Every text and image of the report was checked alone: please report this.",
                ) from error

    def _source(self, report: Report, missing: frozenset[str] = frozenset()) -> str:
        return self.template.render(report=report, resources={"missing": missing, "most_images": MAX_GRID_IMAGES})

    def _compile_tagged(self, source: str, root: Path, report: Report) -> bytes:
        """Compiles as PDF/UA-1, or else plainly, with a warning that says why."""
        try:
            return _compile(source, root, STANDARD)
        except typst.TypstError as error:
            if UNTAGGABLE not in error.message:
                raise
            content = _compile(source, root, None)
            reason = error.message.removeprefix(f"{UNTAGGABLE}: ")
        report.warnings.append(f"The PDF is not tagged as PDF/UA-1: {reason}.")
        return content

    def _without_culprits(
        self, report: Report, targets: dict[str, Target], equations: dict[Formula, str], root: Path, reason: str
    ) -> str:
        """Finds the equations and images that Typst cannot compile, and writes the source without them."""
        bad = frozenset(key for key, source in equations.items() if _find_fault(source, root))
        for tex, _ in sorted(bad):
            report.warnings.append(f"PDF: the equation {tex!r} cannot be set, so its source is shown.")
        missing = set()
        for origin, image in images_of(report):
            name = file_name(image)
            if name not in missing and _find_fault(f'#image({typst_literal(name)}, alt: "x")', root):
                missing.add(name)
                report.warnings.append(f"PDF: an image of {origin} cannot be read, so its description is shown.")
        if not bad and not missing:
            report.warnings.append(f"PDF: the report did not compile at first ({reason}).")
        write_typst(report, targets, as_source=bad, missing=frozenset(missing))
        return self._source(report, frozenset(missing))


def images_of(report: Report) -> Iterator[tuple[Origin, ReportImage]]:
    for block in report.blocks():
        if isinstance(block, Figure):
            yield from ((block.origin, image) for image in block.images)
    yield from ((fragment.origin, node["c"]) for fragment, node in report.nodes("ReportImage"))


def write_images(report: Report, root: Path) -> None:
    for _, image in images_of(report):
        (root / file_name(image)).write_bytes(image.content)


def _compile(source: str, root: Path, standard: Literal["ua-1"] | None) -> bytes:
    """Compiles from a file: only so can Typst read the figures beside it. The time stamp is always the same."""
    main = root / "main.typ"
    main.write_text(source, encoding="utf-8")
    room = _find_room_below(root) if END_OF_TEXT in source else 0
    return cast(bytes, _compiler(main, room).compile(format="pdf", pdf_standards=standard, timestamp=0))


def _compiler(main: Path, room: int = 0) -> typst.Compiler:
    inputs = {"room-below": str(room), "more-fonts": "\n".join(more_families(main.parent))}
    return typst.Compiler(str(main), root=str(main.parent), font_paths=fonts(main.parent), sys_inputs=inputs)


def _find_room_below(root: Path) -> int:
    """Returns how much room at the foot of the last page of text makes its columns equally long, in points.

    That is the most with which the report needs no further page. Each trial only lays the pages out, and what does not
    change is laid out once.
    """

    def find_end(room: int) -> list[dict[str, int]]:
        try:
            answer = _compiler(root / "main.typ", room).query("<end-of-text>", field="value")
        except RuntimeError:  # compiling says what is wrong
            return []
        return [found for found in json.loads(answer) if found["columns"] == 2]

    plain = find_end(0)
    if not plain:
        return 0
    fits, too_much = 0, 680
    while too_much - fits > LINE_HEIGHT:
        room = (fits + too_much) // 2
        fits, too_much = (room, too_much) if find_end(room) == plain else (fits, room)
    return fits


def _find_fault(source: str, root: Path) -> str:
    try:
        _compile(source, root, None)
    except typst.TypstError as error:
        return str(error.message)
    return ""
