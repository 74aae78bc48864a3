"""The examples of CONTRIBUTING.md for a cell of one's own, as they stand there: run by a kernel, in both files."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient

from scenebook.core.project import project_root
from scenebook.rendering.report import StageNotebook, render_report

from ..unit.rendering.tagged import read_tagged


def examples() -> list[str]:
    text = (project_root() / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("### A cell of your own")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_examples_for_a_cell_of_ones_own_do_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, labelled = examples()
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n## Results\n\n### Sure and unsure\n\nPlain **Markdown** and $x^2$."),
        nbformat.v4.new_code_cell(plain),
        nbformat.v4.new_code_cell(labelled),
        nbformat.v4.new_markdown_cell("As [@fig:confidence] shows."),
    ]
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    # Jupyter chooses the backend; the other tests draw without it.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    executed = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        executed, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    nbformat.write(executed, tmp_path / "mine.ipynb")
    (tmp_path / "front.yaml").write_text("title: Title\nauthors: [{name: Ada}]\n", encoding="utf-8")
    rendered = render_report(
        tmp_path,
        stages=[StageNotebook("mine", tmp_path / "mine.ipynb", "done")],
        build_dir=tmp_path / "build",
        front_matter_path=tmp_path / "front.yaml",
        provenance=None,
    )
    assert rendered.warnings == []
    page = BeautifulSoup(rendered.html.read_text(encoding="utf-8"), "html.parser")
    captions = [" ".join(tag.get_text().split()) for tag in page.select("main figcaption")]
    assert captions == ["Fig. 1. Sure and unsure", "Table I. Sure and unsure", "Fig. 2. How sure the network is."]
    assert [tag["alt"] for tag in page.select("main img")] == [
        "Figure shown under the heading 'Sure and unsure'", "A histogram with its peak at 1.",
    ]  # fmt: skip
    assert page.select_one("main strong") is not None
    assert page.select_one("main math") is not None
    assert [tag.get_text() for tag in page.select("main tbody tr:first-child > *")] == ["0", "0.62"]
    root = read_tagged(rendered.pdf.read_bytes())
    assert [figure.alt for figure in root.find("Figure")] == [tag["alt"] for tag in page.select("main img")]
    assert len(root.find("Table")) == len(root.find("Formula")) == 1
    assert "As Fig.\u00a02 shows." in [paragraph.text for paragraph in root.find("P")]
