"""Whether the images that a run was made from are still the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenebook.core.errors import DatasetError, MissingArtifactError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import DRAWN_SCENES, INTEL, Settings
from scenebook.data.digests import digest_contents, digest_listing
from scenebook.data.finding import find_images
from scenebook.data.images import FoundImages


def digest_images(settings: Settings, run_dir: RunDirectory) -> dict[str, str]:
    """Returns the digests of a run's images: `listing`, by size, times and inode, and `contents`, by their bytes.

    Drawn scenes have none: they follow from settings and code. So have images that are not there.
    """
    found = _find(settings, run_dir)
    return {} if found is None else {"listing": digest_listing(found), "contents": digest_contents(found)}


def compare_images(
    settings: Settings, run_dir: RunDirectory, old: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the digest that a stage was run with and the present one, ready to be compared.

    Only where the listing is another one, files are read.

    Args:
        settings: Of the run.
        run_dir: The run.
        old: What `digest_images` returned then.
    """
    found = _find(settings, run_dir)
    if found is None or not old:
        return ({}, {}) if found is None and not old else ({"contents": str(old.get("contents"))}, {"contents": "none"})
    if digest_listing(found) == old.get("listing"):
        return {}, {}
    return {"contents": old.get("contents")}, {"contents": digest_contents(found)}


def _find(settings: Settings, run_dir: RunDirectory) -> FoundImages | None:
    if settings.dataset == DRAWN_SCENES:
        return None
    try:
        if settings.dataset != INTEL:
            return find_images(Path(settings.dataset), class_map=settings.class_map)
        # Where they were downloaded to, the data stage has found out.
        root = run_dir.root / run_dir.read_json("data/classes.json")["root"]
        return find_images(root, class_map=settings.class_map)
    except (DatasetError, MissingArtifactError, ValueError, KeyError, TypeError):
        return None
