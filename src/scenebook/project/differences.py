"""Which cells of a project's notebooks differ from the published ones, cell by cell."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from scenebook.core.published_cells import name_cell
from scenebook.core.stages import STAGES
from scenebook.pipeline.notebooks import Cell, read_notebook, source_of, tags_of


@dataclass(frozen=True)
class CellDifference:
    """A cell, called what it defines, its heading, or its id, that was `changed`, is `new` or was `removed`.

    The lines are those of a unified diff without its header: each begins with a space, `-`, `+` or `@`.
    """

    notebook: str
    cell: str
    what: str
    lines: tuple[str, ...]


def compare_notebooks(mine: Path, published: Path) -> list[CellDifference]:
    """Compares a project's notebooks, of which one that is not there has lost its cells, with the published ones."""
    found: list[CellDifference] = []
    for name in (stage.notebook for stage in STAGES.values()):
        file = mine / f"{name}.ipynb"
        now = read_notebook(file).cells if file.is_file() else []
        for old, new in _pair(read_notebook(published / file.name).cells, now):
            if old is None or new is None or _write(old) != _write(new):
                found.append(_describe(name, old, new))
    return found


def _pair(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[Cell | None, Cell | None]]:
    """Yields cells that belong together, in order: those of one id, or of one text where an editor has lost the ids."""
    ids = {cell.get("id") for cell in old} & {cell.get("id") for cell in new}
    before, after = (
        [cell["id"] if cell.get("id") in ids else source_of(cell) for cell in cells] for cells in (old, new)
    )
    for what, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "replace" and j - i != m - k:
            yield from ((cell, None) for cell in old[i:j])
            yield from ((None, cell) for cell in new[k:m])
        else:
            yield from zip_longest(old[i:j], new[k:m])


def _describe(notebook: str, old: Cell | None, new: Cell | None) -> CellDifference:
    before, after = (_write(cell) if cell else [] for cell in (old, new))
    # The first two lines name files.
    lines = list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]
    what = "changed" if old and new else "new" if new else "removed"
    return CellDifference(notebook, _name(new or old or {}), what, tuple(lines))


def _write(cell: Cell) -> list[str]:
    """Returns a cell as lines: what it is called by its tags stands first."""
    tags = [f"[{', '.join(tags_of(cell))}]"] if tags_of(cell) else []
    return [*([] if cell["cell_type"] == "code" else [f"({cell['cell_type']})"]), *tags, *source_of(cell).splitlines()]


def _name(cell: Cell) -> str:
    source, name = source_of(cell), str(cell.get("id", "without an id"))
    if cell["cell_type"] == "code":
        return name_cell(source, name)
    headings = [line.lstrip("# ") for line in source.splitlines() if line.startswith("#")]
    return headings[0] if headings else f"cell {name}"
