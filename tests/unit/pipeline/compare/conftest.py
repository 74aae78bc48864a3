"""Two runs of the same images."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from scenebook.core.run_directory import RunDirectory
from tests.unit.pipeline.compare.runs import make_run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A finished run, of 20 test images of which 16 are right."""
    return make_run(tmp_path / "one" / "pets")


@pytest.fixture
def console() -> Console:
    """A wide console that colours what it prints, and keeps it; as the command line's, it does not fold lines."""
    return Console(record=True, width=300, highlight=False, soft_wrap=True, force_terminal=True, file=io.StringIO())
