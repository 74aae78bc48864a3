"""The files that keep the state of a training: a checkpoint after each epoch, and a note of one that has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from scenebook.core.errors import MissingArtifactError
from scenebook.core.keys import Key
from scenebook.core.progress import print_progress
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import FINISHED_FIT, MODEL
from scenebook.network.recipe.phases import Phase
from scenebook.network.training import HISTORY_COLUMNS

EpochRow = dict[str, float]  # an epoch of the history, by `HISTORY_COLUMNS`


class Checkpoint(NamedTuple):
    """The state of a training after an epoch: what it depends on, its epochs so far, and all values.

    These are weights, seeds and the optimizer's variables; `stops` has what `collect_stop` returns of each.
    """

    key: Key
    rows: list[EpochRow]
    state: list[np.ndarray]
    stops: list[list[np.ndarray]]


def name_phase_file(file: str, phase: int) -> str:
    """Returns where the state of a phase, counted from 1, is kept: each keeps its own."""
    return file if phase < 2 else file.replace(".npz", f".phase{phase}.npz")


def delete_checkpoints(run_dir: RunDirectory, file: str) -> None:
    path = run_dir.path(file)
    for one in (path, *path.parent.glob(f"{path.stem}.phase*.npz")):
        one.unlink(missing_ok=True)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a state in one file, which is replaced as a whole and is on the disk before it is."""
    rows = np.array([[row.get(name, np.nan) for name in HISTORY_COLUMNS] for row in checkpoint.rows])
    arrays = {f"state_{number}": array for number, array in enumerate(checkpoint.state)}
    for number, stop in enumerate(checkpoint.stops):
        arrays |= {f"stop_{number}_{place}": array for place, array in enumerate(stop)}
    key = np.array(json.dumps(checkpoint.key))
    with replacing(path, durable=True) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, key=key, history=rows, **arrays)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Returns what `write_checkpoint` wrote; `None` without a file, and, with a line of progress, of a damaged one."""
    if not path.is_file():
        return None
    try:
        # Opened here: of a damaged archive, numpy would leave its own file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            key, rows = json.loads(str(stored["key"])), stored["history"]
            state = _read_numbered(stored, "state")
            stops: list[list[np.ndarray]] = []
            while f"stop_{len(stops)}_0" in stored.files:
                stops.append(_read_numbered(stored, f"stop_{len(stops)}"))
    except Exception as error:  # a bit that is wrong can lead anywhere in the reader of an archive
        print_progress(f"the checkpoint is damaged and is not used: {error}")
        return None
    return Checkpoint(key, [_read_row(dict(zip(HISTORY_COLUMNS, row, strict=True))) for row in rows], state, stops)


def _read_numbered(stored: Any, name: str) -> list[np.ndarray]:
    count = sum(file.startswith(f"{name}_") for file in stored.files)
    return [stored[f"{name}_{number}"] for number in range(count)]


def collect_stop(stopping: keras.callbacks.EarlyStopping) -> list[np.ndarray]:
    """Returns all that an early stopping remembers: float64 `(4,)`, and the best weights where it keeps them."""
    best = np.nan if stopping.best is None else float(stopping.best)
    facts = np.array([stopping.wait, stopping.stopped_epoch, stopping.best_epoch, best], np.float64)
    return [facts, *(stopping.best_weights or [])]


def restore_stop(stopping: keras.callbacks.EarlyStopping, remembered: Sequence[np.ndarray]) -> None:
    """Gives an early stopping, when `fit` has begun, what it remembered."""
    facts, *weights = remembered
    stopping.wait, stopping.stopped_epoch, stopping.best_epoch = (int(value) for value in facts[:3])
    stopping.best = None if np.isnan(facts[3]) else float(facts[3])
    stopping.best_weights = list(weights) or None


def has_stopped(remembered: Sequence[np.ndarray]) -> bool:
    """Returns whether an early stopping, from `collect_stop`, has ended its phase."""
    return bool(remembered[0][1] > 0)


class FinishedTraining(NamedTuple):
    """A training that has ended: what it depended on, its epochs and phases, and the SHA-256 of the run's network."""

    key: Key
    rows: list[EpochRow]
    phases: list[Phase]
    model: str


def write_finished(run_dir: RunDirectory, key: Key, rows: Sequence[EpochRow], phases: Sequence[Phase]) -> None:
    """Notes a training whose network is saved."""
    # As text: JSON has no numbers for what is not finite.
    told = [{name: repr(value) for name, value in row.items()} for row in rows]
    content = {"model": sha256_file(run_dir.require(MODEL)), "history": told, "key": key}
    run_dir.write_json(FINISHED_FIT, {**content, "phases": [phase._asdict() for phase in phases]})


def read_finished(run_dir: RunDirectory) -> FinishedTraining | None:
    """Returns what `write_finished` wrote; `None` where there is none, or its network is no longer the run's."""
    try:
        told = run_dir.read_json(FINISHED_FIT)
        rows, phases = [_read_row(row) for row in told["history"]], [Phase(**row) for row in told["phases"]]
        finished = FinishedTraining(dict(told["key"]), rows, phases, str(told["model"]))
        same = sha256_file(run_dir.require(MODEL)) == finished.model
    except (MissingArtifactError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return finished if same else None


def _read_row(row: Mapping[str, Any]) -> EpochRow:
    return {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
