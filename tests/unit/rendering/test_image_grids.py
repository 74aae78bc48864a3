"""Grids of photographs: rows under headings, and probabilities as bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

from scenebook.core.errors import ReportError
from scenebook.core.run_directory import RunDirectory
from scenebook.notebook import display as notebook
from scenebook.notebook.display import show_pictures
from scenebook.notebook.grids import Bar
from scenebook.rendering.document import Origin
from scenebook.rendering.outputs import read_record
from scenebook.rendering.report import RenderedReport
from tests.unit.rendering.conftest import make_report, page_of
from tests.unit.rendering.tagged import read_tagged
from tests.unit.rendering.test_layout import LOREM, millimetres, pages_of

IMAGE = np.full((60, 60, 3), 120, np.uint8)
HOSTILE = '<b>#x</b> "🏔"'
BARS = [[Bar("cat", 0.996, True), Bar(HOSTILE, 0.004)], [Bar("dog", 0.5), Bar("cat", 0.3, True)]]


def render(
    folder: Path, monkeypatch: pytest.MonkeyPatch, calls: Sequence[dict[str, Any]], text: str = ""
) -> RenderedReport:
    """Renders a report of some grids, as a kernel would have left it."""
    shown: list[dict[str, Any]] = []
    with monkeypatch.context() as patch:
        patch.setattr(notebook, "display", lambda data, raw: shown.append(data))
        patch.setitem(notebook._open, "run_dir", RunDirectory(folder))
        for number, given in enumerate(calls):
            captions = [f"image {one}" for one in range(given.pop("count", 2))]
            images = [IMAGE] * len(captions)
            show_pictures(images, captions=captions, label=f"fig:g{number}", caption="Grid.", alt="A grid", **given)
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in shown]
    cells = [
        nbformat.v4.new_markdown_cell(f"# Title\n\n## Results\n\n{text}"),
        nbformat.v4.new_code_cell("show", outputs=outputs),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "n.ipynb")
    return make_report(folder, [folder / "n.ipynb"])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RenderedReport:
    with pytest.MonkeyPatch.context() as patch:
        rows = [(f"Rows of {HOSTILE}", 2), ("Others", 1)]
        calls: list[dict[str, Any]] = [{"bars": BARS}, {"count": 3, "rows": rows, "bars": [*BARS, []]}]
        return render(tmp_path_factory.mktemp("images"), patch, calls)


def one(page: BeautifulSoup, label: str) -> Any:
    (found,) = page.select(f"figure[id='{label}']")
    return found


def test_bars_are_text_and_drawn_without_style(rendered: RenderedReport) -> None:
    items = one(page_of(rendered), "fig:g0").select(".images > li")
    told = [[" ".join(bar.get_text().split()) for bar in item.select(".bars > li")] for item in items]
    assert told == [["cat (true class) >99%", f"{HOSTILE} <1%"], ["dog 50%", "cat (true class) 30%"]]
    widths = [[rect["width"] for rect in item.select("svg rect")] for item in items]
    assert widths == [["99.60", "0.40"], ["50.00", "30.00"]]
    assert all(svg["aria-hidden"] == "true" for item in items for svg in item.select("svg"))


def test_rows_stand_under_their_headings_and_keep_one_count(rendered: RenderedReport) -> None:
    figure = one(page_of(rendered), "fig:g1")
    headings = figure.select("p.row-heading")
    assert [heading.get_text() for heading in headings] == [f"Rows of {HOSTILE}", "Others"]
    lists = figure.select("ul.images")
    assert [ul["aria-labelledby"] for ul in lists] == [heading["id"] for heading in headings]
    assert [[li["id"] for li in ul.select(":scope > li")] for ul in lists] == [["fig:g1.1", "fig:g1.2"], ["fig:g1.3"]]
    assert [tag["alt"] for tag in figure.select("img")] == ["Image 1 of 3", "Image 2 of 3", "Image 3 of 3"]


def test_the_pdf_tells_every_bar_and_row(rendered: RenderedReport) -> None:
    figures = read_tagged(rendered.pdf.read_bytes()).find("Figure")
    assert figures[0].alt == (
        f"A grid: image 0 (cat >99% (true class), {HOSTILE} <1%); image 1 (dog 50%, cat 30% (true class))."
    )
    told = figures[1].alt or ""
    assert told.startswith(f"A grid: Rows of {HOSTILE}: image 0 (cat")
    assert told.endswith(". Others: image 2.")


def test_rows_hold_all_images() -> None:
    record = {
        "kind": "images",
        "label": "fig:x",
        "caption": "",
        "alt": "",
        "items": [],
        "rows": [{"heading": "a", "count": 1}],
    }
    with pytest.raises(ReportError, match=r"rows hold another number of images than there are.*cell=3"):
        read_record(record, Origin("04", 3))


def test_figures_that_wait_for_a_place_are_not_pushed_into_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [{"count": 18, "bars": [BARS[0]] * 18}, {"wide": False, "bars": BARS}]
    pdf = render(tmp_path, monkeypatch, calls, LOREM * 45).pdf.read_bytes()
    ink = pages_of(pdf)[1]
    column = ink[millimetres(150) : -millimetres(23), : ink.shape[1] // 2 - millimetres(4)]
    lines = np.flatnonzero(column.any(axis=1))
    gaps = np.diff(lines)
    # Above the caption of the second figure there is room: bars do not cross it.
    assert gaps[-12:].max() >= 2
    assert lines.max() > column.shape[0] - millimetres(12)
