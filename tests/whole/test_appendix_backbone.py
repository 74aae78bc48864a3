"""The appendix runs top to bottom, from any folder, and leaves the package's weights alone unless told otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import papermill
import pytest

from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import project_root
from scenebook.network.embedded import EMBEDDED_FILE

# papermill and the kernel's client use what newer versions of their own libraries deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

TINY = {"fractal_classes": 4, "images_per_class": 8}
"""Few fractals: neither test is about them."""


@pytest.fixture
def run_appendix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict[str, Any], str]]:
    """Runs the notebook in a folder of its own; gives the record that it wrote, and its sentences."""
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))

    def run(**parameters: object) -> tuple[dict[str, Any], str]:
        notebook = papermill.execute_notebook(
            project_root() / "notebooks" / "appendix-backbone.ipynb",
            tmp_path / "executed.ipynb",
            parameters=parameters,
            cwd=tmp_path,
            kernel_name="python3",
            progress_bar=False,
        )
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
        record = json.loads((tmp_path / "runs/appendix-backbone/training/embedded.json").read_text(encoding="utf-8"))
        return record, "\n".join(output["data"].get("text/markdown", "") for output in outputs)

    return run


def test_the_recipe_runs_with_few_images_and_leaves_the_package_alone(
    run_appendix: Callable[..., tuple[dict[str, Any], str]], tmp_path: Path
) -> None:
    before = sha256_file(EMBEDDED_FILE)
    tiny = {"pretraining_size": 32, "pretraining_epochs": 1, "scenes_train_per_class": 4, "scenes_test_per_class": 2}
    record, sentences = run_appendix(**TINY, **tiny, scenes_seeds=2)
    assert record["sha256"] == sha256_file(tmp_path / "runs/appendix-backbone/training/embedded.npz") != before
    assert record["recipe"]["fractal_classes"] == 4
    assert record["scenes"]["low"] <= record["scenes"]["difference"] <= record["scenes"]["high"]
    assert "The mean difference over 2 seeds is" in sentences
    assert sha256_file(EMBEDDED_FILE) == before


def test_the_embedded_weights_earn_their_place_on_the_drawn_scenes(
    run_appendix: Callable[..., tuple[dict[str, Any], str]],
) -> None:
    few = {"scenes_train_per_class": 25, "scenes_test_per_class": 25}
    record, sentences = run_appendix(**TINY, **few, pretraining_epochs=0)
    assert record["sha256"] == sha256_file(EMBEDDED_FILE)
    assert record["scenes"]["seeds"] == 5
    assert record["scenes"]["low"] > 0
    assert "pretraining on fractals helps" in sentences
