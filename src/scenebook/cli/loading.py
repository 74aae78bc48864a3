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


def collect_settings(arguments: argparse.Namespace, base: Path) -> tuple[Settings, str, RunDirectory]:
    """Returns the checked settings, the profile's name, and the run, from the command's arguments.

    Raises:
        InputError: Anything in them is wrong.
    """
    profile = arguments.profile or ("paper" if arguments.dataset else "sample")
    path = config.find_profile(profile, project_root() / "profiles")
    values = config.load_profile(path)
    for name in ("dataset", "weights"):
        if getattr(arguments, name):
            values[name] = getattr(arguments, name)
    texts = arguments.set if arguments.set is not None else [environment("SET") or ""]
    values.update(config.parse_overrides(texts))
    settings = pipeline.resolve_paths(config.make_settings(values), base)
    own_data = settings.dataset not in (config.DRAWN_SCENES, config.INTEL)
    default_name = source_name(Path(settings.dataset)) if arguments.dataset and own_data else path.stem
    run_dir = open_run(arguments.run or run_name_for(default_name))
    return settings, path.stem, run_dir


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
