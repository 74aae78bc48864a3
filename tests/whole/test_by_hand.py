"""Notebooks opened in Jupyter and run from top to bottom, with nothing injected, from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.artifacts import STAGE_NOTEBOOKS, project_root

from ..integration.test_by_hand import run_by_hand


def test_all_notebooks_run_by_hand_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, notebooks_dir = tmp_path / "runs", project_root() / "notebooks"
    monkeypatch.setenv("SCENEBOOK_RUNS", str(runs))
    elsewhere = tmp_path / "somewhere else"
    elsewhere.mkdir()
    for name in STAGE_NOTEBOOKS.values():
        # The first from its own folder, as Jupyter opens it; the others from a folder that has nothing to do with it.
        run_by_hand(notebooks_dir / f"{name}.ipynb", notebooks_dir if name.startswith("01") else elsewhere)
    assert (runs / "by-hand" / "training" / "model.keras").is_file()
    assert (runs / "by-hand" / "conclusion" / "claims.json").is_file()
    assert not list(elsewhere.iterdir())
