"""The state of a training: kept after every epoch, found after an interruption, and loaded when nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from scenebook.core.errors import InputError, MissingArtifactError
from scenebook.core.keys import Key, list_changes
from scenebook.core.progress import print_progress
from scenebook.core.provenance import sha256_file, sha256_lines, training_versions
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import CHECKPOINT, FINISHED_FIT, MODEL
from scenebook.core.settings import Settings
from scenebook.core.wording import count_noun
from scenebook.data.splitting import SplitImages
from scenebook.network import training
from scenebook.network.code_digests import digest_training_code
from scenebook.network.recipe.configs import digest_arrays, digest_config
from scenebook.network.recipe.digests import CodeDigest
from scenebook.network.training import HISTORY_COLUMNS, HistoryWriter

_WITHOUT_EFFECT = frozenset({"accelerate", "feature_cache_gb", "seeds", "frozen_layers_runtime", "weights"})
"""Settings that change how long a training takes, or what follows it; the runtime counts by its name, weights by their
values."""


class Phase(NamedTuple):
    """What was fit, and how.

    Attributes:
        first_epoch: Index of the phase's first epoch.
        epochs: How many epochs it has.
        trainable_params: How many numbers were trained.
        frozen_layers: How many layers were cut off before what was fit.
        optimizer: Its class.
        rates: Its learning rate at the first step, and decay and momentum where it has them.
        loss: The loss.
    """

    first_epoch: int
    epochs: int
    trainable_params: int
    frozen_layers: int
    optimizer: str
    rates: dict[str, float]
    loss: str


class Keeper(keras.callbacks.Callback):
    """Keeps weights, the optimizer's state and the history of a training after every epoch.

    Args:
        run_dir: The run; `None`: nothing is kept but the history, in memory.
        about: From `describe_training`.
        code: The digest of the recipe.
        file: The checkpoint's path in the run. Only the run's own training is also kept finished, with its network.
        callbacks: Further callbacks of `fit`.
    """

    def __init__(
        self,
        run_dir: RunDirectory | None = None,
        about: Key | None = None,
        code: CodeDigest | None = None,
        *,
        file: str = CHECKPOINT,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        super().__init__()
        is_own = file == CHECKPOINT
        self.history = HistoryWriter(run_dir if is_own else None)
        self.phases: list[Phase] = []
        self._run_dir, self._about, self._code, self._file = run_dir, about or {}, code, file
        self._more = list(callbacks)
        self._key: Key | None = None
        self._network: keras.Model | None = None
        self._variables: dict[int, Any] = {}
        self._finished = False
        self._resumable = run_dir is not None and code is not None and code.is_known

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """What `fit` has to call."""
        return [self.history, training.StopOnNonFiniteLoss(), training.ProgressLines(), *self._more, self]

    def note_model(self, model: keras.Model, runtime: str) -> None:
        """Notes what is about to be trained, before the first phase.

        Args:
            model: The whole network.
            runtime: What its frozen layers run in.
        """
        if self._network is None:
            self._network = model
            if self._resumable:
                assert self._code is not None
                network = {"layers": digest_config(model.get_config()), "runtime": runtime}
                network["first weights"] = digest_arrays(model.get_weights())
                self._key = {**self._about, "network": {**network, **self._code.parts}}

    def begin_phase(
        self, part: keras.Model, epochs: int, *, base: keras.Model | None, resumable: bool
    ) -> tuple[int, int]:
        """Loads the state that this training has furthest on, as far as it belongs to this phase.

        Args:
            part: What is fit in this phase; compiled.
            epochs: How many epochs the phase has.
            base: What was cut off before it.
            resumable: Whether all that `fit` depends on is in the state: no callback has a state of its own.

        Returns:
            The epoch that is trained first, and the one after the last, counted over all phases. They are equal where
            nothing is left to do.
        """
        if not self.phases and not self._finished:
            self._finished = self._key is not None and self._restore_finished()
        if self._finished:
            return len(self.history.rows), len(self.history.rows)
        # With callbacks of the notebook's own, a phase may have ended early.
        first = sum(phase.epochs for phase in self.phases) if self._resumable else len(self.history.rows)
        self._resumable = self._resumable and resumable
        self.phases.append(_describe_phase(part, base, first, epochs))
        counted = {id(variable) for variable in part.metrics_variables}
        self._variables |= {id(item): item for item in part.variables if id(item) not in counted}
        if not part.optimizer.built:
            part.optimizer.build(part.trainable_variables)
        self._optimizer = part.optimizer
        done = self._restore_checkpoint() if self._resumable else 0
        return max(first, min(done, first + epochs)), first + epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the state in one file, which is replaced as a whole and is on the disk before it is."""
        if "accuracy" not in (logs or {}):
            raise InputError(
                'Expected a network that is compiled with metrics=["accuracy"].', received={"logs": list(logs or {})}
            )
        if not self._resumable or self._run_dir is None:
            return
        state = {f"state_{number}": np.asarray(variable) for number, variable in enumerate(self._list_variables())}
        rows = np.array([[row.get(name, np.nan) for name in HISTORY_COLUMNS] for row in self.history.rows])
        head = {"key": np.array(json.dumps(self._key)), "phase": np.array(len(self.phases)), "history": rows}
        with replacing(self._run_dir.path(self._file), durable=True) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **head, **state)

    def finish(self, code: CodeDigest) -> None:
        """Notes that the training has ended and its network is saved; the checkpoint is of no more use.

        Args:
            code: The recipe's digest, made anew: a training that has changed what it uses is not kept.
        """
        assert self._run_dir is not None
        self._run_dir.path(self._file).unlink(missing_ok=True)
        self._run_dir.path(FINISHED_FIT).unlink(missing_ok=True)
        if self._key is None or self._code is None or code.parts != self._code.parts or not code.is_known:
            return
        # As text: JSON has no numbers for what is not finite.
        rows = [{name: repr(value) for name, value in row.items()} for row in self.history.rows]
        told = {"model": sha256_file(self._run_dir.require(MODEL)), "history": rows, "key": self._key}
        self._run_dir.write_json(FINISHED_FIT, {**told, "phases": [phase._asdict() for phase in self.phases]})

    def _restore_finished(self) -> bool:
        if self._run_dir is None or self._file != CHECKPOINT or self._network is None:
            return False
        try:
            told = self._run_dir.read_json(FINISHED_FIT)
            key, digest = dict(told["key"]), told["model"]
            rows, phases = [_read_row(row) for row in told["history"]], [Phase(**row) for row in told["phases"]]
            file = self._run_dir.require(MODEL)
        except (MissingArtifactError, ValueError, KeyError, TypeError, AttributeError):
            return False
        if not self._is_mine(key, "the finished training") or sha256_file(file) != digest:
            return False
        self._network.load_weights(file)
        self.history.rows, self.phases = rows, phases
        self.history.write()
        print_progress(
            f"nothing of the training has changed: its {count_noun(len(rows), 'epoch')} are loaded; without "
            f"{FINISHED_FIT} it is done again"
        )
        return True

    def _restore_checkpoint(self) -> int:
        """Returns how many epochs of the whole training are done."""
        file = self._run_dir.path(self._file) if self._run_dir is not None else None
        if file is None or not file.is_file():
            return 0
        try:
            # Opened here: of a damaged archive, numpy would leave its own file open.
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                key, rows, phase = json.loads(str(stored["key"])), stored["history"], int(stored["phase"])
                state = [stored[f"state_{number}"] for number in range(len(stored.files) - 3)]
        except Exception as error:  # a bit that is wrong can lead anywhere in the reader of an archive
            print_progress(f"the checkpoint is damaged and is not used: {error}")
            return 0
        if phase < len(self.phases) or not self._is_mine(key, "the checkpoint"):
            return 0
        # What was trained in an earlier phase comes first, in the order of the phases.
        variables = self._list_variables() if phase == len(self.phases) else list(self._variables.values())
        if [tuple(variable.shape) for variable in variables] != [array.shape for array in state[: len(variables)]]:
            print_progress("the checkpoint is of another network and is not used")
            return 0
        for variable, array in zip(variables, state, strict=False):
            variable.assign(array)
        if phase == len(self.phases):
            print_progress(f"training goes on after epoch {len(rows)}, from its checkpoint")
        self.history.rows = [_read_row(dict(zip(HISTORY_COLUMNS, row, strict=True))) for row in rows]
        self.history.write()
        return len(rows)

    def _is_mine(self, key: Key, what: str) -> bool:
        changes = list_changes(key, self._key or {})
        if changes:
            print_progress(f"{what} is not used: {'; '.join(changes[:3])}")
        return not changes

    def _list_variables(self) -> list[Any]:
        """Weights, seeds of layers that draw numbers, and the optimizer's state; what metrics count starts anew."""
        return [*self._variables.values(), *self._optimizer.variables]


def describe_training(settings: Settings, parts: Sequence[SplitImages]) -> Key:
    """Returns what a training depends on besides its recipe and its network.

    Args:
        settings: The settings that the recipe is given.
        parts: The training and validation images, and others that are looked at.
    """
    return {
        "settings": {name: value for name, value in settings.model_dump().items() if name not in _WITHOUT_EFFECT},
        "images": {str(number): _digest_images(part) for number, part in enumerate(parts)},
        "modules": digest_training_code(settings.backbone),
        "versions": training_versions(),
    }


def _digest_images(images: SplitImages) -> str:
    """Returns the SHA-256 of the files and labels of images."""
    return sha256_lines(f"{digest} {label}" for digest, label in zip(images.digests, images.labels, strict=True))


def _describe_phase(part: keras.Model, base: keras.Model | None, first: int, epochs: int) -> Phase:
    loss = part.loss if isinstance(part.loss, str) else getattr(part.loss, "name", getattr(part.loss, "__name__", ""))
    return Phase(
        first_epoch=first,
        epochs=epochs,
        trainable_params=sum(int(np.prod(weight.shape)) for weight in part.trainable_weights),
        frozen_layers=0 if base is None else len(base.layers) - len(base.inputs),
        optimizer=type(part.optimizer).__name__,
        rates=_read_rates(part.optimizer),
        loss=str(loss),
    )


def _read_rates(optimizer: keras.Optimizer) -> dict[str, float]:
    config = optimizer.get_config()
    rate = config.pop("learning_rate")
    schedule = rate.get("config", {}) if isinstance(rate, Mapping) else {"initial_learning_rate": rate}
    first = schedule.get("initial_learning_rate", float(optimizer.learning_rate))
    rates = {"learning_rate": first, "decay": schedule.get("decay_rate"), "momentum": config.get("momentum")}
    return {name: float(value) for name, value in rates.items() if value is not None}


def _read_row(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
