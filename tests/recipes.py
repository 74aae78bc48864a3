"""The recipe of notebook 02 as it is committed, for tests of what runs it."""

from __future__ import annotations

import functools

import nbformat

from scenebook.core.run_directory import project_root
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.source import load_source


@functools.cache
def read_recipe_cells() -> str:
    """Returns the code of the cells that are tagged `recipe`."""
    notebook = nbformat.read(project_root() / "notebooks" / "02-training.ipynb", as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if "recipe" in cell.metadata.get("tags", []))


def load_recipe(*edits: tuple[str, str]) -> Recipe:
    """Returns the recipe, with pieces of its code replaced by others; each of them has to be there."""
    source = read_recipe_cells()
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    return Recipe(vars(load_source(source)))
