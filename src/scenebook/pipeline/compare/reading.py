"""Reads files of a run that somebody else may have made or changed: what is wrong with one is an error in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import pandas as pd

from scenebook.core.errors import InputError
from scenebook.core.run_directory import MANIFEST, RunDirectory
from scenebook.pipeline.manifest import load_manifest

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
