"""Files of runs that somebody else may have made, read and matched: what is wrong with one is an error in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from scenebook.core.errors import InputError, SettingsError
from scenebook.core.profiles import read_settings
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MANIFEST, PREDICTIONS, SPLITS
from scenebook.core.settings import Settings, make_settings
from scenebook.core.wording import join_names
from scenebook.evaluation.metrics.calibration import compute_log_losses
from scenebook.evaluation.metrics.classification import as_arrays
from scenebook.pipeline.checks import resolve_paths
from scenebook.pipeline.manifest import load_started

SPLIT_COLUMNS = ("path", "label", "split", "sha256")
"""Columns of the list of images that are compared."""
_WEIGHTS = ("support", "n")


def read_manifest(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns a run's manifest, or raises `InputError` where there is no such run or its manifest is not one."""
    with _reading(run_dir, MANIFEST):
        return load_started(run_dir)


def read_mapping(run_dir: RunDirectory, relative: str) -> dict[str, Any]:
    """Returns the content of a JSON file, or raises `ScenebookError` where it is missing or no JSON object."""
    with _reading(run_dir, relative):
        content = json.loads(run_dir.require(relative).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise InputError("Expected a JSON object.", received={"file": relative, "type": type(content).__name__})
    return content


def read_table(run_dir: RunDirectory, relative: str, columns: Collection[str]) -> pd.DataFrame:
    """Returns a CSV file's table, or raises `ScenebookError` where it is missing, no table, or lacks a column."""
    with _reading(run_dir, relative):
        table = run_dir.read_csv(relative)
    if not set(columns) <= set(table):
        raise InputError(
            f"Expected the columns {', '.join(columns)}.",
            received={"file": relative, "columns": list(table.columns)},
        )
    return table


@contextmanager
def _reading(run_dir: RunDirectory, relative: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, OSError, RecursionError) as error:  # pandas' and JSON's errors are ValueErrors
        raise InputError(
            f"Expected {relative} to be readable.",
            received={"run": run_dir.name, "file": relative},
            advice=" ".join(f"{type(error).__name__}: {error}".split())[:300],
        ) from None


def check_settings(run_dir: RunDirectory, trust: bool, changes: Mapping[str, Any] | None = None) -> Settings:
    """Returns the settings of a run, or `changes` in place of them, checked like a stranger's, with absolute paths.

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
            "Expected weights that are not a .keras file: such a file describes a whole model, and can hold code that "
            "runs when it is loaded. Keras' safe mode, which refuses such code, is used in any case.",
            received={"weights": weights},
            advice="If you know who made this file, say so with --trust.",
        )


def load_tested(run_dir: RunDirectory) -> pd.DataFrame:
    """Returns a row a test image (path, sha256, label, predicted, log_loss), or raises `ScenebookError`."""
    splits = read_table(run_dir, SPLITS, SPLIT_COLUMNS)
    predictions = read_table(run_dir, PREDICTIONS, ("path", "label", "predicted"))
    tested = splits.loc[splits["split"] == "test", ["path", "sha256"]]
    predictions["log_loss"] = _measure_losses(run_dir, predictions)
    table = predictions[["path", "label", "predicted", "log_loss"]].merge(tested, on="path")
    if len(table) != len(predictions) or len(table) != len(tested) or table["path"].duplicated().any():
        raise InputError(
            f"Expected in {PREDICTIONS} the test images of {SPLITS}, each once.",
            received={"run": run_dir.name, "predictions": len(predictions), "test images": len(tested)},
            advice="Make the run again: its stages come from different data.",
        )
    return table


def _measure_losses(run_dir: RunDirectory, predictions: pd.DataFrame) -> np.ndarray:
    class_names = [name.removeprefix("p_") for name in predictions.columns if name.startswith("p_")]
    unknown = sorted({*predictions["label"]} - {*class_names})
    try:
        if unknown:
            raise ValueError(f"There is none for {join_names(unknown[:3])}.")
        probs, positions = as_arrays(predictions, class_names)
        losses = compute_log_losses(probs, positions)
        if not np.isfinite(losses).all() or not ((probs >= 0) & (probs <= 1)).all():
            raise ValueError("A probability lies outside 0 to 1, or is missing.")
    except ValueError as error:  # of as_arrays: a probability that is no number
        raise InputError(
            "Expected a probability for each class that occurs as a label.",
            received={"run": run_dir.name, "file": PREDICTIONS},
            advice=str(error),
        ) from None
    return losses


def list_machine(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a manifest says of the machine and of the versions of libraries, by name."""
    parts = [manifest.get(part) for part in ("machine", "versions")]
    return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}


def match_images(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Finds the images that are in both tables, which have a path and a sha256 an image: by both, the rest by bytes.

    Bytes that lie at several paths are several images: of two copies here and one there, one is only here.

    Returns:
        The images of both, with the columns `<name>_first` and `<name>_second`; the rest of `first`; that of
        `second`.
    """
    pairs = []
    for keys in (["sha256", "path"], ["sha256"]):
        found = _pair_up(first, second, keys)
        pairs.append(found)
        first = first[~first.index.isin(found["index_first"])]
        second = second[~second.index.isin(found["index_second"])]
    matched = pd.concat(pairs).sort_values("index_first", ignore_index=True)
    return matched.drop(columns=["index_first", "index_second"]), first, second


def _pair_up(first: pd.DataFrame, second: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Returns the rows with equal keys, the n-th of one table with the n-th of the other."""
    numbered = []
    for table, name in ((first, "first"), (second, "second")):
        ordered = table.sort_values("path", kind="stable")
        renamed = ordered.add_suffix(f"_{name}").assign(**{f"index_{name}": ordered.index})
        numbered.append(renamed.assign(turn=ordered.groupby(keys).cumcount()))
    sides = [[f"{key}_{name}" for key in keys] + ["turn"] for name in ("first", "second")]
    return numbered[0].merge(numbered[1], left_on=sides[0], right_on=sides[1]).drop(columns="turn")


def compare_tables(first: pd.DataFrame, second: pd.DataFrame) -> tuple[int, float]:
    """Compares two tables of the same columns, rows by their path, or by their place where there is none.

    Returns:
        How many rows only one of them has, or have another text (in the column in which most have); and the largest
        mean difference of a column of numbers: absolute where all lie in `[0, 1]`, else as a share of the column's
        largest one. A row counts by its images where a column says how many it stands for.
    """
    most = max(len(first), len(second))
    if "path" in first and not first["path"].duplicated().any() and not second["path"].duplicated().any():
        common = first["path"][first["path"].isin(second["path"])]
        most = len(first) + len(second) - len(common)
        first, second = (table.set_index("path", drop=False).loc[common] for table in (first, second))
    length = min(len(first), len(second))
    first, second = (table.iloc[:length].reset_index(drop=True) for table in (first, second))
    numeric = [name for name in first if is_numeric_dtype(first[name]) and is_numeric_dtype(second[name])]
    others = [name for name in first if name not in numeric]
    texts = max((int((first[name].astype(str) != second[name].astype(str)).sum()) for name in others), default=0)
    weights = next((first[name].to_numpy(float) for name in _WEIGHTS if name in numeric), np.ones(length))
    numbers = max((_mean_difference(first[name], second[name], weights) for name in numeric), default=0.0)
    return most - length + texts, numbers


def list_differences(first: pd.Series, second: pd.Series) -> np.ndarray:
    """Returns the absolute differences of two columns, float `(n,)`.

    What is missing in both, or the same text in both, differs by 0; what is missing in one, or is another text, by
    infinity.
    """
    if not all(is_numeric_dtype(column) for column in (first, second)):
        return np.where(first.astype(str).to_numpy() == second.astype(str).to_numpy(), 0.0, np.inf)
    one, other = (column.to_numpy(dtype=float, na_value=np.nan) for column in (first, second))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.nan_to_num(np.abs(one - other), nan=np.inf))


def _mean_difference(first: pd.Series, second: pd.Series, weights: np.ndarray) -> float:
    differences = list_differences(first, second)
    known = first.to_numpy(dtype=float, na_value=np.nan)
    largest = float(np.nanmax(np.abs(known))) if np.isfinite(known).any() else 0.0
    scale = 1.0 if np.all((known >= 0) & (known <= 1) | np.isnan(known)) else largest
    if not differences.any():
        return 0.0
    if not np.isfinite(differences).all() or weights.sum() <= 0:
        return float("inf")
    return float((differences * weights).sum() / weights.sum() / scale)


def as_number(value: Any) -> str:
    """Returns a score with its interval, `0.912 (0.880 to 0.940)`, or a number, or a dash for none."""
    if is_score(value):
        return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
    if is_number(value):
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return "–" if value is None else str(value)


def is_number(value: object) -> TypeGuard[float]:
    """Tells whether a value of a JSON file is a number."""
    # The bounds keep out what is none, and whole numbers too large to be computed with.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300


def is_score(value: Any) -> TypeGuard[dict[str, float]]:
    """Tells whether a value of a JSON file is a score with its bounds."""
    return isinstance(value, dict) and all(is_number(value.get(part)) for part in ("value", "low", "high"))
