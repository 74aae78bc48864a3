"""Reads files of a run that somebody else may have made or changed: what is wrong with one is an error in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import pandas as pd
import yaml

from scenebook.artifacts import MANIFEST, SETTINGS, RunDirectory
from scenebook.errors import InputError, SettingsError
from scenebook.pipeline import load_manifest

_MOST_SETTINGS_BYTES = 100_000
_MOST_NAMES = 20
_Content = TypeVar("_Content")


def read_manifest(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns a run's manifest; its `stages` and `files` are there, each a mapping of mappings.

    Raises:
        InputError: There is no such run, or its manifest is not one.
    """
    if not run_dir.path(MANIFEST).is_file():
        raise InputError(
            "Expected a run that was started before.",
            received={"run": run_dir.name},
            advice="`python -m scenebook report` makes one.",
        )
    return _reading(run_dir, MANIFEST, lambda: load_manifest(run_dir))


def read_mapping(run_dir: RunDirectory, relative: str) -> dict[str, Any]:
    """Returns the content of a JSON file.

    Raises:
        ScenebookError: It is missing, or no JSON object.
    """
    content = _reading(run_dir, relative, lambda: json.loads(run_dir.require(relative).read_text(encoding="utf-8")))
    if not isinstance(content, dict):
        raise InputError("Expected a JSON object.", received={"file": relative, "type": type(content).__name__})
    return content


def read_table(run_dir: RunDirectory, relative: str, columns: Collection[str]) -> pd.DataFrame:
    """Returns a CSV file's table, text columns as text.

    Args:
        run_dir: The run.
        relative: The file.
        columns: Which columns it must have; there may be others.

    Raises:
        ScenebookError: It is missing, no table, or lacks a column.
    """
    table = _reading(run_dir, relative, lambda: run_dir.read_csv(relative))
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(
            f"Expected the columns {', '.join(columns)}.",
            received={"file": relative, "columns": list(table.columns)[:_MOST_NAMES]},
        )
    return table


def read_settings(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the names and values of a run's `settings.yaml`, which need not be valid: they may be of another version.

    Raises:
        SettingsError: It is missing, too large for settings, no YAML, or holds what is no scalar.
    """
    path = run_dir.path(SETTINGS)
    received = {"file": SETTINGS, "run": run_dir.name}
    if not path.is_file():
        raise SettingsError("Expected a run with its settings.", received=received)
    if path.stat().st_size > _MOST_SETTINGS_BYTES:
        raise SettingsError(
            f"Expected settings of at most {_MOST_SETTINGS_BYTES:,} bytes.",
            received=received | {"bytes": path.stat().st_size},
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:  # a date that is none is a ValueError
        raise SettingsError("Expected settings in YAML.", received=received, advice=_in_one_line(error)) from None
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


def _reading(run_dir: RunDirectory, relative: str, read: Callable[[], _Content]) -> _Content:
    try:
        return read()
    except (ValueError, TypeError, OSError, RecursionError) as error:  # pandas' and JSON's errors are ValueErrors
        raise InputError(
            f"Expected {relative} to be readable.",
            received={"run": run_dir.name, "file": relative},
            advice=_in_one_line(error),
        ) from None


def _in_one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
