"""Which code can change the numbers of a training, as digests: with equal ones it would come out the same."""

from __future__ import annotations

from scenebook.core.backbones import find_backbone
from scenebook.core.provenance import sha256_lines
from scenebook.core.source_code import digest_modules

WITHOUT_EFFECT = {
    "scenebook": "its version",
    "scenebook.core.backbones": "which backbones there are: keys hold what counts of the row of theirs",
    "scenebook.core.cache": "where files lie",
    "scenebook.core.combinations": "which settings go together: keys hold their values",
    "scenebook.core.environment": "what is kept away from a process",
    "scenebook.core.graphics_cards": "which cards there are: keys hold their names",
    "scenebook.core.keys": "how keys are compared",
    "scenebook.core.profiles": "where the values of settings come from: keys hold them",
    "scenebook.core.project": "where files lie",
    "scenebook.core.provenance": "digests and versions, which keys hold themselves",
    "scenebook.core.run_directory": "where files lie",
    "scenebook.core.run_files": "the same",
    "scenebook.core.settings": "which settings there are: keys hold their values",
    "scenebook.core.source_code": "how code is digested",
    "scenebook.core.stages": "which notebooks there are",
    "scenebook.core.validation": "what is said of values that are wrong: keys hold the values",
    "scenebook.core.yaml_files": "how files of settings are read: keys hold the values",
    "scenebook.data.file_facts": "digests of files, which keys hold",
    "scenebook.data.files": "which images there are: keys hold their digests",
    "scenebook.data.formats": "the same",
    "scenebook.data.images": "the same",
    "scenebook.data.measuring": "what the audit looks at",
    "scenebook.data.pools": "how many processes decode images",
    "scenebook.data.splitting": "which images are in which split: keys hold their digests",
    "scenebook.data.user_tables": "which images there are, and of which class: keys hold digests and labels",
    "scenebook.network.code_digests": "this list",
    "scenebook.network.recipe.compiled": "how a recipe's code is digested",
    "scenebook.network.recipe.configs": "the same",
    "scenebook.network.recipe.digests": "the same",
    "scenebook.network.recipe.outside": "the same",
    "scenebook.network.recipe.recipe": "where a recipe is kept: keys hold what it does",
    "scenebook.network.recipe.source": "the same",
    "scenebook.network.imagenet_weights": "how weights are downloaded: keys hold their digest",
}
"""Modules that training imports, directly or not, but whose code cannot change its numbers, and why."""


def digest_training_code(backbone: str) -> dict[str, str]:
    """Returns the digest of each module whose code can change the numbers of a training, by the module's name.

    Args:
        backbone: Whose module counts too; of the registry, its own row.
    """
    row = find_backbone(backbone)
    own = {"scenebook.core.backbones": sha256_lines([row.builder, row.preprocessing])}
    return own | _digest_all("scenebook.data.storing", "scenebook.network.recipe.running", row.builder)


def digest_frozen_code(backbone: str) -> str:
    """Returns one digest of all code between an image's file and what the frozen layers make of it, but the recipe's.

    Args:
        backbone: Whose module counts too: its preprocessing stands there.
    """
    modules = (
        "scenebook.data.storing",
        "scenebook.network.inputs",
        "scenebook.network.frozen.running",
        "scenebook.network.recipe.tracing",
    )
    return sha256_lines(_digest_all(*modules, find_backbone(backbone).builder).values())


def _digest_all(*modules: str) -> dict[str, str]:
    return digest_modules([f"import {module}" for module in modules], without=WITHOUT_EFFECT, numbers=True)
