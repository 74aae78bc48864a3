"""From a command's arguments to settings and a run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from scenebook.cli.parser import environment
from scenebook.core.combinations import check_effects
from scenebook.core.profiles import load_named_profile, parse_overrides, read_settings
from scenebook.core.project import default_profile
from scenebook.core.run_directory import RunDirectory, open_run, run_name_for
from scenebook.core.run_files import SETTINGS
from scenebook.core.settings import DRAWN_SCENES, INTEL, Settings, make_settings
from scenebook.data.images import source_name
from scenebook.pipeline.checks import resolve_paths
from scenebook.pipeline.manifest import check_version, load_manifest


def collect_settings(
    arguments: argparse.Namespace, base: Path, tell: Callable[[str], None] = lambda line: None
) -> tuple[Settings, str, RunDirectory]:
    """Returns the settings, checked, the profile's name, and the run, from the command's arguments.

    They start from the profile; those of a run that is named without one, and without images and weights, start from
    its own `settings.yaml`, so that a run is gone on with by its name. `tell` is called with that, and with how a
    folder of images was read.
    """
    new = not arguments.run or arguments.profile or arguments.dataset or arguments.weights
    kept = None if new else open_run(arguments.run)
    if kept and kept.path(SETTINGS).is_file():
        tell(f"settings: those of run {kept.name}; PROFILE, DATA or WEIGHTS start it anew")
        check_version(kept)
        profile, values = str(load_manifest(kept).get("profile", "sample")), read_settings(kept)
    else:
        named = arguments.profile or ("recommended" if arguments.dataset else default_profile())
        profile, values = load_named_profile(named)
    for name in ("dataset", "weights"):
        if getattr(arguments, name):
            values[name] = getattr(arguments, name)
    given = parse_overrides(arguments.set or [environment("SET") or ""])
    settings = resolve_paths(make_settings({**values, **given}), base, lambda layout: tell(f"images: {layout}"))
    check_effects(settings, given)
    own_data = settings.dataset not in (DRAWN_SCENES, INTEL)
    default_name = source_name(Path(settings.dataset)) if arguments.dataset and own_data else profile
    run_dir = open_run(arguments.run or run_name_for(default_name))
    return settings, profile, run_dir


def load_settings(run_dir: RunDirectory) -> Settings:
    """Returns the settings that a run was made with, or raises `InputError` where they cannot be read."""
    run_dir.require(SETTINGS)
    return make_settings(read_settings(run_dir))


def short(path: Path) -> str:
    """Returns a path as it would be typed here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def tell_file(path: Path, console: Console) -> None:
    """Prints where a file that was written lies, and its size."""
    console.print(Text(f"  {short(path)}  ({path.stat().st_size / 1e6:.1f} MB)", style="bold"))
