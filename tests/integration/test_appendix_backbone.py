"""The appendix runs top to bottom, from any folder, and leaves the package's weights alone unless told otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from scenebook.artifacts import project_root
from scenebook.embedded import EMBEDDED_FILE
from scenebook.provenance import sha256_file

TINY = {
    "fractal_classes": 4,
    "pictures_per_class": 8,
    "pretraining_size": 32,
    "pretraining_epochs": 1,
    "scenes_seeds": 2,
    "scenes_train_per_class": 4,
    "scenes_test_per_class": 2,
}


# papermill and the kernel's client use what newer versions of their own libraries deprecate.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_appendix_runs_with_few_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    before = sha256_file(EMBEDDED_FILE)
    executed = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        project_root() / "notebooks" / "appendix-backbone.ipynb",
        executed,
        parameters=TINY,
        cwd=tmp_path,
        kernel_name="python3",
        progress_bar=False,
    )
    folder = tmp_path / "runs" / "appendix-backbone" / "training"
    record = json.loads((folder / "embedded.json").read_text(encoding="utf-8"))
    assert record["sha256"] == sha256_file(folder / "embedded.npz")
    assert record["recipe"]["fractal_classes"] == 4
    assert record["scenes"]["low"] <= record["scenes"]["difference"] <= record["scenes"]["high"]
    assert sha256_file(EMBEDDED_FILE) == before
    said = "\n".join(
        output["data"].get("text/markdown", "")
        for cell in nbformat.read(executed, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    )
    assert "The mean difference over 2 seeds is" in said
