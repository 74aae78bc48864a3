"""Mistakes of who runs the notebooks by hand: each is told in the cell where it was made."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def run_by_hand(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """Runs a notebook with its own defaults, as Jupyter does, in `folder`."""
    loaded = nbformat.read(notebook, as_version=4)
    NotebookClient(loaded, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return loaded


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels that start now keep their runs."""
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_a_notebook_without_the_one_before_it_says_which_to_run(
    runs: Path, notebooks_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(CellExecutionError, match=r"Run notebooks/01-data\.ipynb first"):
        run_by_hand(notebooks_dir / "03-evaluation.ipynb", tmp_path)


def test_a_parameter_changed_by_hand_is_checked(runs: Path, notebooks_dir: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(notebooks_dir / "01-data.ipynb", as_version=4)
    notebook.cells[1].source = notebook.cells[1].source.replace("image_size = 96", "image_size = 8")
    changed = tmp_path / "01-data.ipynb"
    nbformat.write(notebook, changed)
    with pytest.raises(CellExecutionError, match="Received: image_size=8"):
        run_by_hand(changed, tmp_path)
