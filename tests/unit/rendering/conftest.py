"""Executed notebooks as fixtures, rendered once for all tests of this folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader

from scenebook.rendering.assemble import SourceNotebook, assemble
from scenebook.rendering.document import Report
from scenebook.rendering.front_matter import FrontMatter
from scenebook.rendering.provenance import Provenance
from scenebook.rendering.report import RenderedReport, StageNotebook, render_report

NOTEBOOKS = Path(__file__).parents[2] / "fixtures" / "rendering"
FRONT = """\
title: "A title & <its> #sign"
authors: [{name: "Ada"}]
repository: https://git.example.test/scenebook
fonts: []
"""

Render = Callable[..., RenderedReport]


def notebooks_of(name: str) -> list[Path]:
    """The notebooks of a fixture: one file, or a folder of several."""
    path = NOTEBOOKS / name
    return sorted(path.glob("*.ipynb")) if path.is_dir() else [path]


def assembled(name: str, layout: str = "ieee") -> Report:
    """A fixture as a report, not yet numbered."""
    front = FrontMatter.model_validate({"title": "A title", "authors": [{"name": "Ada"}], "layout": layout})
    sources = [SourceNotebook(path.stem, nbformat.read(path, as_version=4), path.parent) for path in notebooks_of(name)]
    return assemble(sources, front, run_dir=NOTEBOOKS / "images")


def page_of(rendered: RenderedReport) -> BeautifulSoup:
    """The HTML as a browser without script would see it."""
    return BeautifulSoup(rendered.html.read_text(encoding="utf-8"), "html.parser")


def part_of(page: BeautifulSoup, selector: str) -> Tag:
    """The one part of a page that a CSS selector finds."""
    (found,) = page.select(selector)
    return found


def pdf_text(content: bytes) -> str:
    """The text of a PDF on one line, without the break opportunities and hyphens that were put into long words."""
    pages = PdfReader(io.BytesIO(content)).pages
    text = "\n".join(page.extract_text() for page in pages)
    return " ".join(text.replace("\u00ad\n", "").replace("\u00ad", "").replace("\u200b", "").split())


def make_report(
    folder: Path, notebooks: Iterable[Path | StageNotebook], front: str = FRONT, **more: Any
) -> RenderedReport:
    """Renders stages, or notebooks as stages that are done, into `folder/build`; `front` is the front matter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "front.yaml").write_text(front, encoding="utf-8")
    stages = [one if isinstance(one, StageNotebook) else StageNotebook(one.stem, one, "done") for one in notebooks]
    given = {"run_dir": folder, "build_dir": folder / "build", "front_matter_path": folder / "front.yaml", **more}
    return render_report(stages=stages, **given)


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Renders a fixture, once a session for the same arguments."""
    done: dict[tuple[str, str, str, str], RenderedReport] = {}

    def render(name: str, *, front: str = FRONT, banner: str = "", status: str = "done") -> RenderedReport:
        key = (name, front, banner, status)
        if key not in done:
            done[key] = make_report(
                tmp_path_factory.mktemp("report"),
                [StageNotebook(path.stem, path, status) for path in notebooks_of(name)],
                front,
                run_dir=NOTEBOOKS,
                provenance=Provenance(commit="0123abcd"),
                banners=[banner] if banner else [],
            )
        return done[key]

    return render
