"""Cells of a run's notebook that differ from the published one's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenebook.core.project import project_root
from scenebook.core.published_cells import list_edits


def edit(tmp_path: Path, change: Any) -> list[str]:
    """Returns the edits of notebook 02 after a change of its list of cells."""
    notebook = json.loads((project_root() / "notebooks" / "02-training.ipynb").read_text(encoding="utf-8"))
    change(notebook["cells"])
    file = tmp_path / "02-training.ipynb"
    file.write_text(json.dumps(notebook), encoding="utf-8")
    return list_edits(file)


def find(cells: list[Any], text: str) -> Any:
    return next(cell for cell in cells if text in "".join(cell["source"]) and cell["cell_type"] == "code")


def test_an_edited_cell_is_named_by_what_it_defines(tmp_path: Path) -> None:
    def change(cells: list[Any]) -> None:
        cell = find(cells, "def augment(")
        cell["source"] = "".join(cell["source"]).replace("settings.rotation_range", "90")

    assert edit(tmp_path, change) == ["augment"]


def test_new_and_removed_cells_are_named_and_comments_and_parameters_are_not(tmp_path: Path) -> None:
    def change(cells: list[Any]) -> None:
        cells[2]["source"] = "epochs = 3"
        cell = find(cells, "def prepare(")
        cell["source"] = ["# A comment.\n", *cell["source"]]
        removed = find(cells, "add_first_seed")
        cells.remove(removed)
        cells.append({**removed, "id": "mine", "source": "print('<b>')"})

    assert edit(tmp_path, change) == ["cell mine (new)", "cell 02-46 (removed)"]


@pytest.mark.parametrize("content", ["", "[]", '{"cells": [1]}'])
def test_what_cannot_be_read_has_no_edits(tmp_path: Path, content: str) -> None:
    file = tmp_path / "02-training.ipynb"
    file.write_text(content, encoding="utf-8")
    assert list_edits(file) == []
    assert list_edits(tmp_path / "somebody-elses.ipynb") == []
