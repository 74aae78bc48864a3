"""A training that goes on where it was interrupted, and is not done again when nothing of it has changed."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CodeType
from typing import Any

import keras
import numpy as np

from scenebook.core.errors import MissingArtifactError
from scenebook.core.keys import Key, list_changes
from scenebook.core.progress import print_progress
from scenebook.core.provenance import sha256_bytes, sha256_file, sha256_lines, training_versions
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import CHECKPOINT, FINISHED_FIT, MODEL
from scenebook.core.settings import TRAINING, Settings
from scenebook.core.source_code import digest_cell
from scenebook.core.wording import count_noun
from scenebook.data.splitting import SplitImages
from scenebook.network.backbones import weights_digest
from scenebook.network.code_digests import digest_training_code
from scenebook.network.frozen.cutting import describe_frozen_layers
from scenebook.network.training import HISTORY_COLUMNS, HistoryWriter


def make_fit_key(
    settings: Settings,
    train: SplitImages,
    validation: SplitImages,
    *,
    base: keras.Model,
    tail: keras.Model,
    runtime: str,
    feeds: Sequence[Callable[..., Any]] = (),
) -> Key:
    """Returns what a training depends on: with an equal key it would give the same network.

    Args:
        settings: The settings.
        train: The training images.
        validation: The validation images.
        base: From `split_frozen`.
        tail: The same; compiled.
        runtime: What the frozen layers run in.
        feeds: Functions outside this package that make the batches: what they do counts as well.
    """
    return {
        "settings": settings.model_dump(include=set(TRAINING)),
        "images": {"training": _digest_images(train), "validation": _digest_images(validation)},
        "network": {
            "base": describe_frozen_layers(base)["digest"],
            "tail": _digest_config(tail.get_config()),
            "optimizer and loss": _digest_config(tail.get_compile_config()),
            "weights": weights_digest(settings.weights, settings.backbone) or settings.weights,
            "runtime": runtime,
            "first weights": _digest_arrays(tail.get_weights()),
            **{name: digest for feed in feeds for name, digest in _digest_function(feed).items()},
        },
        "modules": digest_training_code(settings.backbone),
        "versions": training_versions(),
    }


def make_seeds_key(settings: Settings, parts: Sequence[SplitImages]) -> Key:
    """Returns what the trainings from further seeds depend on, which are made by this package alone.

    The parts are the training, validation and test images.
    """
    return {
        "settings": settings.model_dump(include={*TRAINING, "seeds"}),
        "images": {str(number): _digest_images(part) for number, part in enumerate(parts)},
        "network": {"weights": weights_digest(settings.weights, settings.backbone) or settings.weights},
        "modules": digest_training_code(settings.backbone),
        "versions": training_versions(),
    }


def read_kept(run_dir: RunDirectory, file: str, key: Key) -> list[dict[str, Any]] | None:
    """Returns the rows of a file that was made with this key; `None` where there is none."""
    try:
        told = run_dir.read_json(file)
        return list(told["rows"]) if told["key"] == key else None
    except (MissingArtifactError, ValueError, KeyError, TypeError):
        return None


def _digest_arrays(arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _digest_function(function: Callable[..., Any]) -> dict[str, str]:
    """Digests what a function of a notebook does: its code, and the functions, numbers and arrays of the notebook that
    it uses. What it takes from this package or from a library is known by its version."""
    found: dict[str, str] = {}
    waiting = [function]
    while waiting:
        one = waiting.pop()
        found[one.__name__] = digest_cell(textwrap.dedent(inspect.getsource(one)))
        for name in sorted(_list_names(one.__code__) & set(one.__globals__)):
            value = one.__globals__[name]
            if inspect.isfunction(value) and value.__module__ == function.__module__:
                waiting += [value] if value.__name__ not in found else []
            elif isinstance(value, (int, float, str)):
                found[name] = repr(value)
            elif isinstance(value, np.ndarray) or keras.ops.is_tensor(value):
                found[name] = _digest_arrays([np.asarray(value)])
    return found


def _list_names(code: CodeType) -> set[str]:
    """Returns the names that code looks up, in functions within it too."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_list_names, inner))


def _digest_images(images: SplitImages) -> str:
    return sha256_lines(f"{digest} {label}" for digest, label in zip(images.digests, images.labels, strict=True))


def _digest_config(config: Any) -> str:
    """Digests what Keras says of a model or its compilation, without what differs from process to process.

    Names count how many layers of a kind were made before, and shared objects are numbered by their addresses.
    """
    names: dict[str, str] = {}
    _collect_names(config, names)
    text = re.sub(r'"shared_object_id": \d+', "", json.dumps(config, sort_keys=True, default=str))
    return sha256_bytes(re.sub(r'"([^"\\]*)"', lambda found: names.get(found[1], found[0]), text).encode())


def _collect_names(config: Any, names: dict[str, str]) -> None:
    if isinstance(config, Mapping):
        if isinstance(config.get("name"), str):
            names.setdefault(config["name"], f"name {len(names)}")
        for value in config.values():
            _collect_names(value, names)
    elif isinstance(config, (list, tuple)):
        for value in config:
            _collect_names(value, names)


class Checkpoint(keras.callbacks.Callback):
    """Keeps the state of a training after every epoch, and finds it again.

    One file holds weights, the optimizer's state, the history so far and the key; it is replaced as a whole, and has to
    be on the disk before it is. Give it to `fit` after the history, with the epoch from `restore` as `initial_epoch`.

    Args:
        run_dir: The run.
        model: The whole network, as it is saved.
        tail: What is fit; compiled.
        history: The history of this training.
        key: From `make_fit_key`. A state with another key is never used.
        file: The checkpoint's path in the run. Only the run's own training is also kept finished, with its network.
    """

    def __init__(
        self,
        run_dir: RunDirectory,
        model: keras.Model,
        tail: keras.Model,
        history: HistoryWriter,
        key: Key,
        file: str = CHECKPOINT,
    ) -> None:
        super().__init__()
        self._run_dir, self._file, self._key = run_dir, file, key
        self._network, self._tail, self._history = model, tail, history

    def restore(self) -> int:
        """Loads the state of this training that is furthest on, and the history with it.

        Returns:
            How many epochs are done: all of them, where the training had ended; 0 where there is nothing to go on from.
        """
        done = (self._restore_finished() if self._file == CHECKPOINT else 0) or self._restore_checkpoint()
        if done:
            self._history.write()
        return done

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the state."""
        state = {f"state_{number}": np.asarray(variable) for number, variable in enumerate(self._variables())}
        rows = np.array([[row.get(name, np.nan) for name in HISTORY_COLUMNS] for row in self._history.rows])
        with replacing(self._run_dir.path(self._file), durable=True) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, key=np.array(json.dumps(self._key)), history=rows, **state)

    def finish(self) -> None:
        """Notes that the training has ended and its network is saved; the checkpoint is of no more use."""
        # As text: JSON has no numbers for what is not finite.
        rows = [{name: repr(value) for name, value in row.items()} for row in self._history.rows]
        told = {"model": sha256_file(self._run_dir.require(MODEL)), "history": rows, "key": self._key}
        self._run_dir.write_json(FINISHED_FIT, told)
        self._run_dir.path(self._file).unlink(missing_ok=True)

    def _restore_finished(self) -> int:
        try:
            told = self._run_dir.read_json(FINISHED_FIT)
            key, digest = dict(told["key"]), told["model"]
            rows = [_read_row(row) for row in told["history"]]
            file = self._run_dir.require(MODEL)
        except (MissingArtifactError, ValueError, KeyError, TypeError, AttributeError):
            return 0
        if not self._is_mine(key, "the finished training") or sha256_file(file) != digest:
            return 0
        self._network.load_weights(file)
        self._history.rows = rows
        print_progress(
            f"nothing of the training has changed: its {count_noun(len(rows), 'epoch')} are loaded; without "
            f"{FINISHED_FIT} it is done again"
        )
        return len(rows)

    def _restore_checkpoint(self) -> int:
        file = self._run_dir.path(self._file)
        if not file.is_file():
            return 0
        try:
            # Opened here: of a damaged archive, numpy would leave its own file open.
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                key, rows = json.loads(str(stored["key"])), stored["history"]
                state = [stored[f"state_{number}"] for number in range(len(stored.files) - 2)]
        except Exception as error:  # a bit that is wrong can lead anywhere in the reader of an archive
            print_progress(f"the checkpoint is damaged and is not used: {error}")
            return 0
        if not self._is_mine(key, "the checkpoint"):
            return 0
        variables = self._variables()
        if [tuple(variable.shape) for variable in variables] != [array.shape for array in state]:
            print_progress("the checkpoint is of another network and is not used")
            return 0
        for variable, array in zip(variables, state, strict=True):
            variable.assign(array)
        self._history.rows = [_read_row(dict(zip(HISTORY_COLUMNS, row, strict=True))) for row in rows]
        print_progress(f"training goes on after epoch {len(rows)}, from its checkpoint")
        return len(rows)

    def _is_mine(self, key: Key, what: str) -> bool:
        changes = list_changes(key, self._key)
        if changes:
            print_progress(f"{what} is not used: {'; '.join(changes[:3])}")
        return not changes

    def _variables(self) -> list[Any]:
        """Weights, seeds of layers that draw numbers, and the optimizer's state; what metrics count starts anew."""
        optimizer = self._tail.optimizer
        if not optimizer.built:
            optimizer.build(self._tail.trainable_variables)
        counted = {id(variable) for variable in self._tail.metrics_variables}
        own = [variable for variable in self._tail.variables if id(variable) not in counted]
        return [*own, *optimizer.variables]


def _read_row(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
