"""`settings.yaml` of a run, which somebody else may have made or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenebook.core.errors import SettingsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import SETTINGS
from scenebook.core.yaml_files import read_yaml

_MOST_BYTES = 100_000
_ADVICE = "`make report` with this RUN, and the PROFILE or DATA that it was made from, writes them again."


def read_settings(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the names and values of a run's `settings.yaml`, which need not be valid: they may be of another version.

    Raises:
        SettingsError: It is missing, too large for settings, no YAML, or holds what is no scalar.
    """
    path = run_dir.path(SETTINGS)
    received = {"file": SETTINGS, "run": run_dir.name}
    if not path.is_file():
        raise SettingsError("Expected a run with its settings.", received=received, advice=_ADVICE)
    try:
        what = "file of settings"
        values = read_yaml(path, what, SettingsError, most_bytes=_MOST_BYTES, references=False).content
    except SettingsError as error:
        advice = f"{error.advice} {_ADVICE}".strip()
        raise SettingsError(error.expected, received=received | error.received, advice=advice) from None
    if not isinstance(values, Mapping):
        raise SettingsError("Expected settings as `name: value` lines.", received=received, advice=_ADVICE)
    for name, value in values.items():
        # Only the type is told: a number of thousands of digits cannot be printed.
        if not isinstance(name, str) or not isinstance(value, (str, int, float, bool, type(None))):
            setting = name[:80] if isinstance(name, str) else type(name).__name__
            raise SettingsError(
                "Expected settings whose values are text, numbers, true, false or null.",
                received=received | {"setting": setting, "type": type(value).__name__},
                advice=_ADVICE,
            )
    return dict(values)
