"""The first cell of each notebook, where the package is not installed: in a Python that sees no packages at all."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat

from scenebook.core.project import project_root

WHEEL = "scenebook-9-py3-none-any.whl"


def run_first_cell(**environment: str) -> subprocess.CompletedProcess[str]:
    notebook = nbformat.read(project_root() / "notebooks" / "03-evaluation.ipynb", as_version=4)
    source = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COLAB_", "KAGGLE_"))}
    command = [sys.executable, "-I", "-S", "-c", source]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=False)


def test_it_says_in_one_sentence_how_to_install() -> None:
    done = run_first_cell()
    assert done.returncode == 1
    assert "`pip install scenebook`" in done.stderr.splitlines()[-1]


def test_it_installs_in_colab_and_on_kaggle(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        wheel.writestr("scenebook/__init__.py", "")
        wheel.writestr("scenebook-9.dist-info/METADATA", "Metadata-Version: 2.1\nName: scenebook\nVersion: 9\n")
        wheel.writestr("scenebook-9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("scenebook-9.dist-info/RECORD", "")
    here = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_TARGET": str(tmp_path / "installed")}
    done = run_first_cell(**here, KAGGLE_KERNEL_RUN_TYPE="Interactive")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "installed" / "scenebook" / "__init__.py").is_file()
