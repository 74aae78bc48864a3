"""From a command's arguments to settings and a run."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scenebook import config, pipeline
from scenebook.artifacts import SETTINGS, RunDirectory, open_run, project_root, run_name_for
from scenebook.config import Settings
from scenebook.dataset import source_name


def environment(name: str) -> str | None:
    """Returns the value of the variable `SCENEBOOK_<name>`, which the Makefile sets; an empty one is none."""
    return os.environ.get(f"SCENEBOOK_{name}") or None


def find_kept_run(arguments: argparse.Namespace) -> RunDirectory | None:
    """Returns the run that is named where nothing else says what it is made from: then its own settings count."""
    if not arguments.run or arguments.profile or arguments.dataset or arguments.weights:
        return None
    run_dir = open_run(arguments.run)
    return run_dir if run_dir.path(SETTINGS).is_file() else None


def collect_settings(arguments: argparse.Namespace, base: Path) -> tuple[Settings, str, RunDirectory]:
    """Returns the checked settings, the profile's name, and the run, from the command's arguments.

    They start from the profile; those of a run that is named without one, and without pictures and weights, start from
    its own `settings.yaml`, so that a run is gone on with by its name.

    Raises:
        InputError: Anything in them is wrong.
    """
    kept = find_kept_run(arguments)
    if kept:
        profile, values = str(pipeline.load_manifest(kept).get("profile", "sample")), pipeline.read_settings(kept)
    else:
        path = config.find_profile(
            arguments.profile or ("paper" if arguments.dataset else "sample"), project_root() / "profiles"
        )
        profile, values = path.stem, config.load_profile(path)
    for name in ("dataset", "weights"):
        if getattr(arguments, name):
            values[name] = getattr(arguments, name)
    texts = arguments.set if arguments.set is not None else [environment("SET") or ""]
    values.update(config.parse_overrides(texts))
    settings = pipeline.resolve_paths(config.make_settings(values), base)
    own_data = settings.dataset not in (config.DRAWN_SCENES, config.INTEL)
    default_name = source_name(Path(settings.dataset)) if arguments.dataset and own_data else profile
    run_dir = open_run(arguments.run or run_name_for(default_name))
    return settings, profile, run_dir


def load_settings(run_dir: RunDirectory) -> Settings:
    """Returns the settings that a run was made with.

    Raises:
        InputError: They cannot be read.
    """
    run_dir.require(SETTINGS)
    return config.make_settings(pipeline.read_settings(run_dir))


def short(path: Path) -> str:
    """Returns a path as it would be typed here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
