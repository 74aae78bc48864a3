"""Where the notebooks are."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.project import project_root


@pytest.fixture(scope="session")
def notebooks_dir() -> Path:
    return project_root() / "notebooks"
