"""`settings.yaml` of a run, which somebody else may have made or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from scenebook.artifacts import SETTINGS, RunDirectory
from scenebook.errors import SettingsError

_MOST_BYTES = 100_000


def read_settings(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the names and values of a run's `settings.yaml`, which need not be valid: they may be of another version.

    Raises:
        SettingsError: It is missing, too large for settings, no YAML, or holds what is no scalar.
    """
    path = run_dir.path(SETTINGS)
    received = {"file": SETTINGS, "run": run_dir.name}
    if not path.is_file():
        raise SettingsError("Expected a run with its settings.", received=received)
    if path.stat().st_size > _MOST_BYTES:
        raise SettingsError(
            f"Expected settings of at most {_MOST_BYTES:,} bytes.",
            received=received | {"bytes": path.stat().st_size},
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:  # a date that is none is a ValueError
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SettingsError("Expected settings in YAML.", received=received, advice=reason) from None
    if not isinstance(values, Mapping):
        raise SettingsError("Expected settings as `name: value` lines.", received=received)
    for name, value in values.items():
        # Only the type is told: a few lines of YAML can describe a list that fills the memory when it is printed.
        if not isinstance(name, str) or not isinstance(value, (str, int, float, bool, type(None))):
            raise SettingsError(
                "Expected settings whose values are text, numbers, true, false or null.",
                received=received | {"setting": str(name)[:80], "type": type(value).__name__},
            )
    return dict(values)
