"""Executes all notebooks on a few drawn images, as `make report` does. Needs no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenebook.core.stages import STAGES

ROOT = Path(__file__).parents[1]
TINY = "scenes_train_per_class=8 scenes_test_per_class=4 image_size=48 epochs=2 head_units=8 batch_size=8"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `test`, and its report in `build`."""
    folder = tmp_path_factory.mktemp("made")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCENEBOOK_")}
    for name in ("runs", "build", "cache"):
        environment[f"SCENEBOOK_{name.upper()}"] = str(folder / name)
    command = [sys.executable, "-m", "scenebook", "report", "--profile", "sample", "--run", "test", "--set", TINY]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("notebook", [stage.notebook for stage in STAGES.values()])
def test_a_notebook_runs_from_top_to_bottom(notebook: str, made: Path) -> None:
    executed = made / "runs" / "test" / "notebooks" / f"{notebook}.ipynb"
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    assert code
    assert all(cell["execution_count"] for cell in code)


def test_the_report_is_rendered(made: Path) -> None:
    assert (made / "build" / "test" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "</html>" in (made / "build" / "test" / "report.html").read_text(encoding="utf-8")
