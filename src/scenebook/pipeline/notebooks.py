"""A notebook's file as the pipeline needs it: parameters, code cells, and an executed copy with newer prose.

Read as JSON: what `nbformat` brings with it takes longer to import than an unchanged run may take.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenebook.core.errors import InputError
from scenebook.core.run_directory import write_bytes
from scenebook.core.source_code import parse_code

PARAMETERS = "parameters"
INJECTED = "injected-parameters"
"""The tag of the cell in which papermill sets the parameters."""

Cell = dict[str, Any]


@dataclass(frozen=True)
class NotebookFile:
    """A notebook that was read, with the whole content of its file."""

    path: Path
    content: dict[str, Any]

    @property
    def cells(self) -> list[Cell]:
        return list(self.content["cells"])

    @property
    def code_cells(self) -> list[Cell]:
        """The cells that are executed, without what papermill adds."""
        return [cell for cell in self.cells if is_executed(cell) and INJECTED not in tags_of(cell)]


def read_notebook(path: Path) -> NotebookFile:
    """Reads a notebook of format 4, or raises `InputError` where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = content["cells"] if content["nbformat"] == 4 else None
        whole = isinstance(cells, list) and all(isinstance(cell["cell_type"], str) for cell in cells)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "Expected a notebook.", received={"notebook": str(path)}, advice=f"{type(error).__name__}: {error}"
        ) from None
    if not whole:
        raise InputError("Expected a notebook of format 4.", received={"notebook": str(path)})
    return NotebookFile(path, content)


def source_of(cell: Cell) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def tags_of(cell: Cell) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def is_executed(cell: Cell) -> bool:
    """Tells whether running the notebook runs this cell."""
    return cell["cell_type"] == "code" and bool(source_of(cell).strip())


def read_parameters(notebook: Path) -> dict[str, Any]:
    """Returns names and default values of the `parameters` cell, or raises `InputError` where it has no literals."""
    tagged = [source_of(cell) for cell in read_notebook(notebook).cells if PARAMETERS in tags_of(cell)]
    if len(tagged) != 1:
        raise InputError(
            "Expected one cell with the tag `parameters`.", received={"notebook": notebook.name, "cells": len(tagged)}
        )
    try:
        return {
            target.id: ast.literal_eval(node.value)
            for node in parse_code(tagged[0]).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
    except (SyntaxError, ValueError) as error:
        raise InputError(
            "Expected a parameters cell of `name = literal` lines.",
            received={"notebook": notebook.name},
            advice=str(error),
        ) from None


def renew_prose(source: NotebookFile, executed: NotebookFile) -> None:
    """Gives an executed notebook the prose, tags and comments of its source, whose code does the same; outputs stay."""
    done = iter(executed.code_cells)
    injected = [cell for cell in executed.cells if INJECTED in tags_of(cell)]
    cells: list[Cell] = []
    for cell in source.cells:
        cells.append(_with_outputs(cell, next(done)) if is_executed(cell) else cell)
        if PARAMETERS in tags_of(cell):
            cells += injected
    content = {**executed.content, "cells": cells}
    write_bytes(executed.path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def _with_outputs(cell: Cell, executed: Cell) -> Cell:
    told = {name: value for name, value in executed.get("metadata", {}).items() if name not in ("tags", "jupyter")}
    kept = {name: executed.get(name) for name in ("outputs", "execution_count")}
    return {**cell, **kept, "metadata": {**told, **cell.get("metadata", {})}}
