"""A notebook that lies alone in an empty folder, as from a mail, with the package installed as a wheel installs it.

All of them are tried by `make alone`; otherwise only one that needs two others.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scenebook.core.project import published_root
from scenebook.core.stages import STAGES, find_needed

from ..integration.test_by_hand import run_by_hand, type_small_numbers


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package, the defaults of whose notebooks are small."""
    folder, source = tmp_path_factory.mktemp("site"), published_root()
    shutil.copytree(source / "src" / "scenebook", folder / "scenebook", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("notebooks", "profiles", "report"):
        shutil.copytree(
            source / name, folder / "scenebook" / "published" / name, ignore=shutil.ignore_patterns("build", ".*")
        )
    type_small_numbers(folder / "scenebook" / "published" / "notebooks")
    return folder


@pytest.mark.parametrize("stage", STAGES if os.environ.get("SCENEBOOK_ALONE") else ["evaluation"])
def test_a_notebook_alone_runs_those_before_it(
    stage: str, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.delenv("SCENEBOOK_RUNS", raising=False)
    name = STAGES[stage].notebook
    lone = shutil.copy(installed / "scenebook" / "published" / "notebooks" / f"{name}.ipynb", tmp_path)
    run_by_hand(Path(lone), tmp_path)
    made = {path.name for path in (tmp_path / "runs" / "by-hand").iterdir()}
    assert made > find_needed(stage) - {"trust", "ablations"}  # these leave nothing in folders of their own
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.ipynb", "runs"}
