"""The phases of a training, whether `fit` is called so that its state can be kept, and the files that keep it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from scenebook.core.errors import InputError, MissingArtifactError
from scenebook.core.keys import Key
from scenebook.core.progress import print_progress
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import FINISHED_FIT, MODEL
from scenebook.network.recipe.describing import digest_config
from scenebook.network.training import HISTORY_COLUMNS


class Phase(NamedTuple):
    """What was fit, and how; optimizer and schedule are their classes.

    Attributes:
        first_epoch: Index of the phase's first epoch.
        epochs: How many epochs it has had, or may have before it is fit.
        frozen_layers: How many layers were cut off before what was fit.
        rates: Its learning rate at the first step or at the end of the warm-up; and, where it has them, decay,
            momentum, weight decay, and how many steps the warm-up has.
        kept_epoch: Of which epoch, counted from 1 over all phases, the weights are that it has left.
    """

    first_epoch: int
    epochs: int
    trainable_params: int
    frozen_layers: int
    optimizer: str
    schedule: str
    rates: dict[str, float]
    loss: str
    label_smoothing: float
    kept_epoch: int = 0


def describe_phase(part: keras.Model, base: keras.Model | None, first: int, epochs: int) -> Phase:
    """Returns what is about to be fit, compiled; `base` was cut off before it,"""
    loss = part.loss if isinstance(part.loss, str) else getattr(part.loss, "name", getattr(part.loss, "__name__", ""))
    # With mixed precision, Keras wraps it in one that scales the loss.
    optimizer = getattr(part.optimizer, "inner_optimizer", part.optimizer)
    schedule, rates = _read_rates(optimizer)
    return Phase(
        first_epoch=first,
        epochs=epochs,
        trainable_params=sum(int(np.prod(weight.shape)) for weight in part.trainable_weights),
        frozen_layers=0 if base is None else len(base.layers) - len(base.inputs),
        optimizer=type(optimizer).__name__,
        schedule=schedule,
        rates=rates,
        loss=str(loss),
        label_smoothing=float(getattr(part.loss, "label_smoothing", 0.0)),
    )


def _read_rates(optimizer: keras.Optimizer) -> tuple[str, dict[str, float]]:
    config = optimizer.get_config()
    rate = config.pop("learning_rate")
    named: Any = (
        rate if isinstance(rate, Mapping) else {"class_name": "constant", "config": {"initial_learning_rate": rate}}
    )
    schedule = named.get("config", {})
    # After a warm-up, what a cosine falls from is its target.
    first = schedule.get("warmup_target") or schedule.get("initial_learning_rate", float(optimizer.learning_rate))
    rates = {"learning_rate": first, "decay": schedule.get("decay_rate")}
    rates |= {name: config.get(name) for name in ("momentum", "weight_decay")}
    rates["warmup_steps"] = schedule.get("warmup_steps") or None
    return str(named["class_name"]), {name: float(value) for name, value in rates.items() if value is not None}


def list_state(model: keras.Model) -> list[Any]:
    """Returns weights and the state of layers that draw random numbers; what metrics count starts anew."""
    counted = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in counted]


def digest_compilation(model: keras.Model) -> str:
    """Returns the SHA-256 of how a model was compiled, as far as Keras says it."""
    try:
        return digest_config(model.get_compile_config())
    except (TypeError, ValueError, NotImplementedError, AttributeError):
        return "unknown"  # code of the recipe's, which is digested itself


def check_part(part: keras.Model, network: keras.Model | None) -> None:
    """Checks what `data.resume` was given.

    Raises:
        InputError: It is not compiled, or not a part of the network.
    """
    if network is None:
        raise InputError(
            "Expected `data.accelerate(model)` before `data.resume`.",
            received={"model": part.name},
            advice="`part, train_ds, val_ds = data.accelerate(model)` gives what is to be compiled and fit.",
        )
    if not part.compiled:
        raise InputError(
            "Expected a model that is compiled before `data.resume`.",
            received={"model": part.name},
            advice="First call `compile` on the model that `data.accelerate` has returned.",
        )
    own = {id(variable) for variable in network.trainable_variables}
    if not {id(variable) for variable in part.trainable_variables} <= own:
        raise InputError(
            "Expected layers of the model that `data.accelerate` was given.",
            received={"model": part.name},
            advice="Fit the model that `data.accelerate` has returned: copies of its layers leave it untrained.",
        )


def check_epoch(epoch: int, trained: int) -> None:
    """Raises `InputError` where an epoch, counted from 0, is not the one after those that were trained."""
    if epoch != trained:
        raise InputError(
            "Expected each epoch to be trained once.",
            received={"epoch": epoch + 1, "trained": trained},
            advice="Call `data.resume(part, epochs)` anew for each `fit`.",
        )


def check_fitted(
    model: keras.Model, part: keras.Model | None, optimizer: Any, caller: Any, given: Sequence[keras.callbacks.Callback]
) -> None:
    """Checks that `fit` is called as `data.resume` has prepared it: with that part, optimizer and callbacks.

    Other callbacks may have a state that nobody keeps. `caller` is Keras' list of all of them.

    Raises:
        InputError: Something else is fit, it was compiled anew, or `fit` has other callbacks.
    """
    if part is None or model is not part or model.optimizer is not optimizer:
        raise InputError(
            "Expected `fit` of the model that `data.resume` was given, as it was compiled then.",
            received={"model": getattr(model, "name", None)},
            advice="Compile it first, then call `data.resume`, then `fit`.",
        )
    known = {id(callback) for callback in given}
    for callback in getattr(caller, "callbacks", []):
        if id(callback) not in known and not isinstance(
            callback, (keras.callbacks.History, keras.callbacks.ProgbarLogger)
        ):
            raise InputError(
                "Expected no callbacks but those of `data.resume`.",
                received={"callback": type(callback).__name__},
                advice="Give further ones to it: `data.resume(part, epochs, callbacks=[...])`.",
            )


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
