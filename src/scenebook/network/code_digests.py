"""Which code can change the numbers of a training, as digests: with equal ones it would come out the same."""

from __future__ import annotations

from scenebook.core.backbones import find_backbone
from scenebook.core.provenance import sha256_lines
from scenebook.core.source_code import digest_modules

_REASONS = {
    "where files lie": ("core.cache", "core.project", "core.run_directory", "core.run_files"),
    "which rows and stages there are: keys hold what counts of them": ("core.backbones", "core.stages"),
    "which values settings have: keys hold them": (
        *("core.combinations", "core.profiles", "core.settings", "core.validation", "core.yaml_files"),
    ),
    "what is kept away from a process": ("core.environment",),
    "how keys are made and compared": ("core.keys", "core.source_code", "network.code_digests"),
    "digests, versions and cards, which keys hold themselves": ("core.provenance",),
    "which images there are, where and of which class: keys hold digests and labels": (
        *("data.file_facts", "data.files", "data.formats", "data.images", "data.splitting", "data.user_tables"),
    ),
    "what the audit looks at, and in how many processes": ("data.measuring", "data.pools"),
    "how a recipe's code is digested and kept: keys hold what it does": (
        *("network.recipe.describing", "network.recipe.digests", "network.recipe.recipe", "network.recipe.source"),
    ),
    "how weights are downloaded: keys hold their digest": ("network.imagenet_weights",),
    "which pages of files stay in memory": ("data.stored_pixels",),
}
WITHOUT_EFFECT = {"scenebook", *(f"scenebook.{name}" for names in _REASONS.values() for name in names)}
"""Modules that training imports, directly or not, but whose code cannot change its numbers; `_REASONS` say why."""


def digest_training_code(backbone: str) -> dict[str, str]:
    """Returns the digest of each module whose code can change the numbers of a training, by the module's name.

    The backbone's own module counts too, and of the registry its row.
    """
    row = find_backbone(backbone)
    own = {"scenebook.core.backbones": sha256_lines([row.builder, row.preprocessing])}
    return own | _digest_all("scenebook.data.storing", "scenebook.network.recipe.running", row.builder)


def digest_frozen_code(backbone: str) -> str:
    """Returns one digest of the code between an image's file and what the frozen layers make of it."""
    modules = ("data.storing", "network.inputs", "network.frozen.running", "network.recipe.tracing")
    builder = find_backbone(backbone).builder  # the preprocessing stands there, too
    return sha256_lines(_digest_all(*(f"scenebook.{name}" for name in modules), builder).values())


def _digest_all(*modules: str) -> dict[str, str]:
    return digest_modules([f"import {module}" for module in modules], without=WITHOUT_EFFECT, numbers=True)
