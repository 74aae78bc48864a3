"""Notebooks opened in Jupyter and run from top to bottom, with nothing injected, from any folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from scenebook.cli.making import report_by_hand
from scenebook.core.project import project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.core.stages import STAGES
from scenebook.pipeline.compare.repeat import check_files

from ..integration.test_by_hand import run_by_hand, type_small_numbers


def test_all_notebooks_run_by_hand_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, notebooks_dir = tmp_path / "runs", tmp_path / "notebooks"
    shutil.copytree(project_root() / "notebooks", notebooks_dir)
    type_small_numbers(notebooks_dir)
    monkeypatch.setenv("SCENEBOOK_RUNS", str(runs))
    monkeypatch.setenv("SCENEBOOK_BUILD", str(tmp_path / "build"))
    elsewhere = tmp_path / "somewhere else"
    elsewhere.mkdir()
    for name in [row.notebook for row in STAGES.values()]:
        # The first from its own folder, as Jupyter opens it; the others from a folder that has nothing to do with it.
        folder = notebooks_dir if name.startswith("01") else elsewhere
        run_by_hand(notebooks_dir / f"{name}.ipynb", folder, save=True)
    assert (runs / "by-hand" / "training" / "model.keras").is_file()
    assert (runs / "by-hand" / "conclusion" / "claims.json").is_file()
    assert not list(elsewhere.iterdir())
    assert report_by_hand(Console(), notebooks_dir) == 0
    assert check_files(RunDirectory(runs / "by-hand")) == {}
    page = (tmp_path / "build" / "by-hand" / "report.html").read_text(encoding="utf-8")
    assert "incomplete" not in page
    assert "differ from the published" not in page
