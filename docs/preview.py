"""Executed notebooks for a preview, as GitHub has one: every figure is one small image, and nothing needs a script.

`python docs/preview.py RUN FOLDER` writes the notebooks of a run; `make sample` makes those of `docs/sample` so.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import typst
from bs4 import BeautifulSoup
from PIL import Image

from scenebook.core.run_directory import open_run, write_bytes
from scenebook.core.sentences import escape
from scenebook.core.stages import STAGES
from scenebook.rendering.document import Figure, Origin
from scenebook.rendering.exporter import template_folder
from scenebook.rendering.fonts import fonts
from scenebook.rendering.outputs import read_data
from scenebook.rendering.typst_source import file_name, typst_literal

_PPI = 110
_SHADES = 64
"""Colours of a drawn figure."""
_SHOWN = ("text/html", "text/markdown", "text/latex", "text/plain")

_Output = dict[str, Any]


def make_preview(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the content of an executed notebook, which errors call `name`, with outputs for a preview."""
    cells = []
    for number, cell in enumerate(notebook["cells"], start=1):
        metadata = {"tags": tags} if (tags := cell["metadata"].get("tags")) else {}
        cell = {**cell, "metadata": metadata}
        if cell["cell_type"] == "code":
            shown = (_convert(output, Origin(name, number)) for output in cell["outputs"])
            cell["outputs"] = [output for outputs in shown for output in outputs]
        cells.append(cell)
    kept = {name: notebook["metadata"][name] for name in ("kernelspec", "language_info")}
    return {**notebook, "cells": cells, "metadata": kept}


def _convert(output: _Output, origin: Origin) -> list[_Output]:
    """Returns what stands for an output: of a figure, its image and its caption."""
    if output["output_type"] == "stream" and output["name"] == "stderr":
        return []
    if output["output_type"] not in {"display_data", "execute_result"}:
        return [output]
    data = output["data"]
    blocks = read_data(data, origin)
    if len(blocks) == 1 and isinstance(blocks[0], Figure):
        captions = BeautifulSoup("".join(data.get("text/html", "")), "html.parser").find_all("figcaption")
        # The last one is that of the whole; those before it stand in the image.
        told = [{"text/markdown": f"*{escape(captions[-1].get_text())}*"}] if captions else []
        return [_show(shown) for shown in (_draw(blocks[0]), *told)]
    return [{**output, "data": {kind: data[kind] for kind in _SHOWN if kind in data}, "metadata": {}}]


def _show(data: dict[str, str]) -> _Output:
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _draw(figure: Figure) -> dict[str, str]:
    """Returns a figure as one small image in base64, by its type."""
    with tempfile.TemporaryDirectory(prefix="scenebook-") as folder:
        root = Path(folder)
        shutil.copyfile(template_folder() / "typst" / "scenebook.typ", root / "scenebook.typ")
        for one in figure.images:
            (root / file_name(one)).write_bytes(one.content)
        (root / "main.typ").write_text(_write(figure), encoding="utf-8")
        drawn = typst.Compiler(str(root / "main.typ"), root=folder, font_paths=fonts()).compile(format="png", ppi=_PPI)
    pages = drawn if isinstance(drawn, list) else [drawn]
    image = Image.open(io.BytesIO(b"".join(filter(None, pages[:1])))).convert("RGB")
    buffer = io.BytesIO()
    if figure.grid:
        image.save(buffer, "JPEG", quality=75)
    else:
        image.quantize(_SHADES).save(buffer, "PNG", optimize=True)
    kind = "image/jpeg" if figure.grid else "image/png"
    return {kind: base64.b64encode(buffer.getvalue()).decode(), "text/plain": figure.alt}


def _write(figure: Figure) -> str:
    """Returns the figure alone on a page of its size, as Typst source: as the PDF draws it."""
    page = (
        '#import "scenebook.typ": *\n#set page(width: {}, height: auto, margin: 6pt)\n#set text(font: "DejaVu Sans")\n'
    )
    if not figure.grid:
        return page.format("auto") + f"#image({typst_literal(file_name(figure.images[0]))})"
    groups = ""
    for heading, images in figure.groups(len(figure.images)):
        items = ""
        for _, image in images:
            bars = "".join(
                f"({', '.join(map(typst_literal, (bar.label, bar.share, bar.text, bar.is_true)))}), "
                for bar in image.bars
            )
            items += f"(image({typst_literal(file_name(image))}), {typst_literal(image.caption)}, ({bars})), "
        groups += f"({typst_literal(heading)}, ({items})), "
    return page.format("180mm") + f"#headed-rows({figure.columns}, ({groups}))"


def _write_all(run: str, folder: Path) -> None:
    """Writes the notebooks of a run for a preview."""
    for stage in STAGES.values():
        executed = open_run(run).require(f"notebooks/{stage.notebook}.ipynb")
        preview = make_preview(json.loads(executed.read_text(encoding="utf-8")), stage.notebook)
        text = json.dumps(preview, indent=1, ensure_ascii=False) + "\n"
        write_bytes(folder / executed.name, text.encode())


if __name__ == "__main__":
    _write_all(sys.argv[1], Path(sys.argv[2]))
