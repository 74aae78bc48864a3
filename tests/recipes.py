"""The recipe of notebook 02 as it is committed, for tests of what runs it."""

from __future__ import annotations

import functools

from benchmarks.ours import read_recipe_cells
from scenebook.network.recipe.recipe import Recipe
from scenebook.network.recipe.source import load_source

RECIPE = functools.cache(read_recipe_cells)


def load_recipe(*edits: tuple[str, str]) -> Recipe:
    """Returns the recipe, with pieces of its code replaced by others; each of them has to be there."""
    source = RECIPE()
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    return Recipe(vars(load_source(source)))
