"""The settings of a run that somebody else may have made: checked before anything is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenebook.core.errors import InputError, SettingsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import Settings, make_settings
from scenebook.pipeline.checks import resolve_paths
from scenebook.pipeline.settings_file import read_settings


def check_settings(run_dir: RunDirectory, trust: bool, changes: Mapping[str, Any] | None = None) -> Settings:
    """Returns the settings of a run, checked like those of a stranger, with absolute paths.

    Args:
        run_dir: The run.
        trust: Whether a `.keras` file may be loaded as weights.
        changes: Settings that are put in place of the run's: where the images lie on this machine, say.

    Raises:
        InputError: `settings.yaml` is missing or no YAML of valid settings, a path in it leads nowhere, or the weights
            are a `.keras` file that is not trusted.
    """
    settings = make_settings({**read_settings(run_dir), **(changes or {})})
    _check_trust(settings.weights, trust)
    try:
        resolved = resolve_paths(settings, Path.cwd())
    except (OSError, ValueError, RuntimeError) as error:  # such as a path of a user that is not known here
        raise SettingsError(
            "Expected settings whose paths can be looked up.", received={"run": run_dir.name}, advice=str(error)
        ) from None
    # A link may be called otherwise than the file that it leads to.
    _check_trust(resolved.weights, trust)
    return resolved


def _check_trust(weights: str, trust: bool) -> None:
    if weights.lower().endswith(".keras") and not trust:
        raise InputError(
            "Expected weights that are no .keras file: such a file describes a whole model, and can hold code that "
            "runs when it is loaded. Keras' safe mode, which refuses such code, is used in any case.",
            received={"weights": weights},
            advice="If you know who made this file, say so with --trust.",
        )
