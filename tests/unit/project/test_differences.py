"""Which cells of a project's notebooks differ from the published ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scenebook.core.project import published_root
from scenebook.project.differences import CellDifference, compare_notebooks

Cells = list[dict[str, Any]]


@pytest.fixture
def edit(tmp_path: Path) -> Callable[[Callable[[Cells], None]], list[CellDifference]]:
    """Returns the differences that an edit of notebook 02 makes."""
    published = published_root() / "notebooks"
    for file in published.glob("*.ipynb"):
        (tmp_path / file.name).write_bytes(file.read_bytes())

    def call(change: Callable[[Cells], None]) -> list[CellDifference]:
        file = tmp_path / "02-training.ipynb"
        notebook = json.loads(file.read_text(encoding="utf-8"))
        change(notebook["cells"])
        file.write_text(json.dumps(notebook), encoding="utf-8")
        return compare_notebooks(tmp_path, published)

    return call


def find(cells: Cells, text: str) -> dict[str, Any]:
    return next(cell for cell in cells if cell["cell_type"] == "code" and text in "".join(cell["source"]))


def replace(cells: Cells) -> None:
    cell = find(cells, "def augment(")
    cell["source"] = "".join(cell["source"]).replace("settings.rotation_range", "90")
    cell |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}], "execution_count": 3}


def test_an_edited_cell_is_shown_by_its_name_and_its_lines_and_outputs_do_not_count(edit: Any) -> None:
    (found,) = edit(replace)
    assert (found.notebook, found.cell, found.what) == ("02-training", "augment", "changed")
    changed = [line for line in found.lines if line.startswith(("-", "+"))]
    assert [line[0] for line in changed] == ["-", "+"]
    assert "settings.rotation_range" in changed[0]
    assert "90" in changed[1]


def test_new_and_removed_cells_prose_and_tags_are_told(edit: Any) -> None:
    def change(cells: Cells) -> None:
        cells.append({"cell_type": "code", "id": "mine", "metadata": {}, "source": "1 + 1", "outputs": []})
        cells[0]["source"] = "# Mine"
        find(cells, "def train_model(")["metadata"]["tags"] = []
        cells.remove(find(cells, "def augment("))

    found = {one.cell: (one.what, one.lines[-1]) for one in edit(change)}
    assert found["Mine"] == ("changed", found["Mine"][1])
    assert found["cell mine"] == ("new", "+1 + 1")
    assert found["augment"][0] == "removed"
    assert found["train_model"][0] == "changed"
    assert len(found) == 4


def test_cells_are_still_found_where_an_editor_has_lost_their_ids(edit: Any) -> None:
    def change(cells: Cells) -> None:
        replace(cells)
        for cell in cells:
            cell.pop("id", None)

    (found,) = edit(change)
    assert (found.cell, found.what) == ("augment", "changed")


def test_a_notebook_that_is_gone_has_lost_all_its_cells(edit: Any, tmp_path: Path) -> None:
    (tmp_path / "01-data.ipynb").unlink()
    found = edit(lambda cells: None)
    assert {(one.notebook, one.what) for one in found} == {("01-data", "removed")}
