from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from scenebook.core.errors import ReportError
from scenebook.core.project import project_root
from scenebook.rendering.report import StageNotebook, check_before_run
from tests.unit.rendering.conftest import NOTEBOOKS, Render, make_report, notebooks_of, page_of, pdf_text


def test_the_same_notebooks_give_the_same_bytes_in_two_folders(tmp_path: Path) -> None:
    for name in ("one", "another folder"):
        make_report(tmp_path / name, notebooks_of("whole-run"), run_dir=NOTEBOOKS)
    for file in ("report.html", "report.pdf"):
        first, second = (tmp_path / name / "build" / file for name in ("one", "another folder"))
        assert first.read_bytes() == second.read_bytes(), file


def test_an_unknown_reference_stops_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"fig:confusoin.*notebook='unknown-reference', cell=3"):
        make_report(tmp_path / "x", notebooks_of("unknown-reference.ipynb"))
    assert not (tmp_path / "x" / "build").exists()


def test_a_failed_stage_leaves_a_report_that_says_what_is_missing(render: Render) -> None:
    rendered = render("failed-cell.ipynb", status="failed")
    page, text = page_of(rendered).get_text(), pdf_text(rendered.pdf.read_bytes())
    banner = "This report is incomplete: stage failed-cell failed. What would have been shown there is missing."
    for shown in (" ".join(page.split()), text):
        assert banner in shown
        assert "ZeroDivisionError: division by zero" in shown
        assert "This was shown, as Fig. “later” would have been." in shown.replace("\u00a0", " ")
        assert "/secret/path" not in shown


def test_stages_that_did_not_run_are_named_too(tmp_path: Path) -> None:
    whole = notebooks_of("whole-run")
    stages = [
        StageNotebook("data", whole[0], "done"), StageNotebook("training", None, "failed"),
        StageNotebook("evaluation", None, "not run"), StageNotebook("conclusion", None, "not run"),
    ]  # fmt: skip
    page = make_report(tmp_path, stages, formats=["html"], run_dir=NOTEBOOKS).html.read_text(encoding="utf-8")
    assert "stage training failed, and stages evaluation and conclusion did not run." in page


def test_a_stage_without_a_notebook_or_a_good_status_is_incomplete() -> None:
    path = Path("x.ipynb")
    assert not StageNotebook("a", path, "skipped").is_incomplete
    assert StageNotebook("a", None, "done").is_incomplete
    assert StageNotebook("a", path, "failed").is_incomplete


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"Expected an executed notebook.*x\.ipynb"):
        make_report(tmp_path, [path])


def test_a_report_of_no_notebooks_is_a_title_page_with_its_banner(tmp_path: Path) -> None:
    rendered = make_report(tmp_path, [StageNotebook("data", None, "failed")])
    assert rendered.pdf.read_bytes().startswith(b"%PDF")


def test_a_work_that_nobody_knows_is_found_before_a_run(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1"), nbformat.v4.new_markdown_cell("## Results\n\nAs [@he2017] says.")]
    )
    nbformat.write(notebook, tmp_path / "03-mine.ipynb")
    front = tmp_path / "front-matter.yaml"
    (tmp_path / "works.bib").write_text("@misc{he2016, title={T}, author={He, K.}}", encoding="utf-8")
    front.write_text("title: A\nauthors:\n  - name: Ada\nbibliography: works.bib\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"he2017.*03-mine.*cell=2.*he2016"):
        check_before_run(front, [tmp_path / "03-mine.ipynb"])


def test_what_the_project_cites_is_known() -> None:
    folder = project_root() / "notebooks"
    check_before_run(project_root() / "report" / "front-matter.yaml", sorted(folder.glob("0*.ipynb")))
