"""Notebooks opened in Jupyter and run from top to bottom, with nothing injected, from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError

from scenebook.core.run_directory import project_root
from scenebook.core.stages import STAGES

from ..integration.test_by_hand import run_by_hand


def test_all_notebooks_run_by_hand_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, notebooks_dir = tmp_path / "runs", project_root() / "notebooks"
    monkeypatch.setenv("SCENEBOOK_RUNS", str(runs))
    elsewhere = tmp_path / "somewhere else"
    elsewhere.mkdir()
    for name in [row.notebook for row in STAGES.values()]:
        # The first from its own folder, as Jupyter opens it; the others from a folder that has nothing to do with it.
        run_by_hand(notebooks_dir / f"{name}.ipynb", notebooks_dir if name.startswith("01") else elsewhere)
    assert (runs / "by-hand" / "training" / "model.keras").is_file()
    assert (runs / "by-hand" / "conclusion" / "claims.json").is_file()
    assert not list(elsewhere.iterdir())


def test_the_training_notebook_without_the_one_before_it_says_which_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    with pytest.raises(CellExecutionError, match=r"Run notebooks/01-data\.ipynb first"):
        run_by_hand(project_root() / "notebooks" / "02-training.ipynb", tmp_path)
