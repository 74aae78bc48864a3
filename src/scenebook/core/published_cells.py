"""The notebooks as they were published: which cells of a run's notebooks say something else."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from scenebook.core.project import published_root
from scenebook.core.source_code import digest_cell, parse_code

_FILE = Path(__file__).with_suffix(".json")


@cache
def read_published(notebook: str) -> dict[str, str]:
    """Returns the digests of the code cells of a notebook, `01-data`, by their ids; nothing for one of one's own."""
    return dict(json.loads(_FILE.read_text(encoding="utf-8")).get(notebook, {}))


def list_edits(file: Path) -> list[str]:
    """Returns which code cells of a notebook differ from the published ones, a phrase each; none if it is unreadable.

    The cell of the parameters does not count: its values are settings. Comments and layout do not either.
    """
    try:
        cells = digest_cells(json.loads(file.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    published = read_published(file.stem)
    if not published:
        return []
    found = [
        name_cell(source, name) if name in published else f"{name_cell(source, name)} (new)"
        for name, (source, digest) in cells.items()
        if digest != published.get(name)
    ]
    return [*found, *(f"cell {name} (removed)" for name in published if name not in cells)]


def digest_cells(notebook: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Returns source and digest of each code cell by its id, but for cells of parameters."""
    found = {}
    for cell in notebook["cells"]:
        tags = cell.get("metadata", {}).get("tags", [])
        if cell["cell_type"] == "code" and not {"parameters", "injected-parameters"} & set(tags):
            source = "".join(cell["source"])
            found[str(cell.get("id"))] = (source, digest_cell(source))
    return found


def name_cell(source: str, name: str) -> str:
    """Returns what a cell defines, or else its name: `augment`, or `cell 02-33`."""
    try:
        defined = [node.name for node in parse_code(source).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError:
        defined = []
    return ", ".join(defined) or f"cell {name}"


if __name__ == "__main__":  # notes the notebooks as they are now
    _files = sorted((published_root() / "notebooks").glob("*.ipynb"))
    _cells = {file.stem: digest_cells(json.loads(file.read_text(encoding="utf-8"))) for file in _files}
    _content = {stem: {name: digest for name, (_, digest) in found.items()} for stem, found in _cells.items()}
    _FILE.write_text(json.dumps(_content, indent=1) + "\n", encoding="utf-8")
