"""`settings.yaml` of a run, which somebody else may have made or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from scenebook.core.errors import SettingsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import SETTINGS

_MOST_BYTES = 100_000
_ADVICE = "`make report` with this RUN, and the PROFILE or DATA that it was made from, writes them again."


class _Loader(yaml.SafeLoader):
    """Without references from one place to another: a few lines of them can describe more than fits into memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("settings hold no references to other places")
        return super().compose_node(parent, index)


def read_settings(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the names and values of a run's `settings.yaml`, which need not be valid: they may be of another version.

    Raises:
        SettingsError: It is missing, too large for settings, no YAML, or holds what is no scalar.
    """
    path = run_dir.path(SETTINGS)
    received = {"file": SETTINGS, "run": run_dir.name}
    if not path.is_file():
        raise SettingsError("Expected a run with its settings.", received=received, advice=_ADVICE)
    if path.stat().st_size > _MOST_BYTES:
        raise SettingsError(
            f"Expected settings of at most {_MOST_BYTES:,} bytes.",
            received=received | {"bytes": path.stat().st_size},
            advice=_ADVICE,
        )
    try:
        values = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:  # a date that is none is a ValueError
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SettingsError("Expected settings in YAML.", received=received, advice=f"{reason}. {_ADVICE}") from None
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
