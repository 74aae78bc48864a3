from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from docs.preview import make_preview
from tests.unit.rendering.conftest import notebooks_of

IMAGES = {"image/png", "image/jpeg"}
PATHS = [path for name in ("whole-run", "user-cells.ipynb", "hostile-text.ipynb") for path in notebooks_of(name)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_preview_shows_figures_as_small_images_and_keeps_the_cells(path: Path) -> None:
    executed = json.loads(path.read_text(encoding="utf-8"))
    executed["metadata"]["widgets"] = {"state": {}}
    preview = nbformat.from_dict(make_preview(executed, path.stem))
    nbformat.validate(preview)
    assert "widgets" not in preview.metadata
    assert [cell.source for cell in preview.cells] == [cell["source"] for cell in executed["cells"]]
    for before, after in zip(executed["cells"], preview.cells, strict=True):
        outputs = after.get("outputs", [])
        kinds = {kind for output in outputs for kind in output.get("data", {})}
        had = {kind for output in before.get("outputs", []) for kind in output.get("data", {})}
        assert kinds <= {*IMAGES, "text/html", "text/markdown", "text/latex", "text/plain"}
        assert bool(IMAGES & kinds) >= bool({*IMAGES, "image/svg+xml"} & had)
        for output in outputs:
            for kind in IMAGES & {*output.get("data", {})}:
                assert "text/html" not in output.data
                assert Image.open(io.BytesIO(base64.b64decode(output.data[kind]))).width < 1200
