"""The state of a training: kept after every epoch, found after an interruption, and loaded when nothing has changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from scenebook.core.errors import InputError, MissingArtifactError
from scenebook.core.keys import Key, list_changes
from scenebook.core.progress import print_progress
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import RunDirectory, replacing
from scenebook.core.run_files import CHECKPOINT, FINISHED_FIT, MODEL
from scenebook.core.wording import count_noun
from scenebook.network import training
from scenebook.network.recipe.configs import digest_arrays, digest_config
from scenebook.network.recipe.digests import CodeDigest
from scenebook.network.recipe.phases import (
    Phase,
    check_callbacks,
    check_part,
    describe_phase,
    digest_compilation,
    list_state,
)
from scenebook.network.training import HISTORY_COLUMNS, HistoryWriter


class Keeper(keras.callbacks.Callback):
    """Keeps weights, the optimizer's state and the history of a training after every epoch.

    Args:
        run_dir: The run; `None`: nothing is kept but the history, in memory.
        about: From `describe_training`.
        digest: Digests the recipe, as often as it is asked: a training may change what it uses.
        file: The checkpoint's path in the run. Only the run's own training is also kept finished, with its network.
        callbacks: Further callbacks of `fit`.
    """

    def __init__(
        self,
        run_dir: RunDirectory | None = None,
        about: Key | None = None,
        digest: Callable[[], CodeDigest] | None = None,
        *,
        file: str = CHECKPOINT,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        super().__init__()
        is_own = file == CHECKPOINT
        self.history = HistoryWriter(run_dir if is_own else None)
        self.phases: list[Phase] = []
        self._run_dir, self._about, self._digest, self._file = run_dir, about or {}, digest, file
        self._code = code = digest() if digest is not None else None
        self._more = list(callbacks)
        self._key: Key | None = None
        self._network: keras.Model | None = None
        self._variables: dict[int, Any] = {}
        self._part: keras.Model | None = None
        self._compiled: list[str] = []
        self._bounds = (0, 0)
        self._given: list[keras.callbacks.Callback] = []
        self._finished = False
        self._resumable = run_dir is not None and code is not None and code.is_known

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """What `fit` has to call."""
        return [self.history, training.StopOnNonFiniteLoss(), training.ProgressLines(), *self._more, self]

    @property
    def network(self) -> keras.Model | None:
        """The whole network; `None` before the first phase."""
        return self._network

    def note_model(self, model: keras.Model, runtime: str) -> None:
        """Notes what is about to be trained, before the first phase.

        Args:
            model: The whole network.
            runtime: What its frozen layers run in.

        Raises:
            InputError: It is another one than before.
        """
        if self._network is not None and model is not self._network:
            raise InputError(
                "Expected one model in all phases.",
                received={"model": model.name},
                advice="Give `data.accelerate` the model that `train_model` is given.",
            )
        if self._network is None:
            self._network = model
            if self._resumable:
                assert self._code is not None
                network = {"layers": digest_config(model.get_config()), "runtime": runtime}
                # The state of layers that draw random numbers, too.
                network["first weights"] = digest_arrays(map(np.asarray, list_state(model)))
                self._key = {**self._about, "network": {**network, **self._code.parts}}

    def begin_phase(
        self, part: keras.Model, epochs: int, callbacks: Sequence[keras.callbacks.Callback], *, base: keras.Model | None
    ) -> tuple[int, int]:
        """Loads the state that this training has furthest on, as far as it belongs to this phase.

        Args:
            part: What is fit in this phase; compiled.
            epochs: How many epochs the phase has.
            callbacks: Those of the notebook's own. They may have a state, so that with any a phase begins anew.
            base: What was cut off before it.

        Returns:
            The epoch that is trained first, and the one after the last, counted over all phases. They are equal where
            nothing is left to do.

        Raises:
            InputError: What is fit is not compiled, or not a part of the network.
        """
        check_part(part, self._network)
        self._part, self._optimizer = part, part.optimizer
        self._compiled.append(digest_compilation(part))
        if len(self._compiled) == 1 and self._key is not None:
            self._finished_key = self._make_key()
            self._finished = self._restore_finished()
        number = len(self._compiled)
        if self._finished:
            firsts = [phase.first_epoch for phase in self.phases[number - 1 : number + 1]]
            first, last = [*firsts, len(self.history.rows), len(self.history.rows)][:2]
            self._bounds = (first, last)
            return last, last
        # With callbacks of the notebook's own, a phase may have ended early.
        first = sum(phase.epochs for phase in self.phases) if self._resumable else len(self.history.rows)
        self._resumable = self._resumable and not callbacks
        self.phases.append(describe_phase(part, base, first, epochs))
        self._variables |= {id(item): item for item in list_state(part)}
        if not part.optimizer.built:
            part.optimizer.build(part.trainable_variables)
        done = self._restore_checkpoint() if self._resumable else 0
        self._bounds = (first, max(first, min(done, first + epochs)))
        return self._bounds[1], first + epochs

    def expect(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Notes with which callbacks `fit` is to be called: others may have a state that nobody keeps."""
        self._given = list(callbacks)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that what is fit is what the state was loaded into, and tells `fit` what was trained before.

        Raises:
            InputError: It is not, or `fit` has callbacks that `data.resume` does not know.
        """
        model = self._part
        if model is None or self.model is not model or model.optimizer is not self._optimizer:
            raise InputError(
                "Expected `fit` of the model that `data.resume` was given, as it was compiled then.",
                received={"model": getattr(self.model, "name", None)},
                advice="Compile it first, then call `data.resume`, then `fit`.",
            )
        check_callbacks(sys._getframe(1).f_locals.get("self"), self._given)
        for row in self.history.rows[slice(*self._bounds)]:
            for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
                if name in row:
                    model.history.history.setdefault(name, []).append(row[name])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks that the epoch is the next one.

        Raises:
            InputError: It was trained before.
        """
        if epoch != len(self.history.rows):
            raise InputError(
                "Expected each epoch to be trained once.",
                received={"epoch": epoch + 1, "trained": len(self.history.rows)},
                advice="Call `data.resume(part, epochs)` anew for each `fit`.",
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the state in one file, which is replaced as a whole and is on the disk before it is."""
        if "accuracy" not in (logs or {}):
            raise InputError(
                'Expected a network that is compiled with metrics=["accuracy"].', received={"logs": list(logs or {})}
            )
        if not self._resumable or self._run_dir is None or self._digest is None or self._code is None:
            return
        if self._digest().parts != self._code.parts:
            print_progress("the training has changed what its recipe uses, so its state is not kept")
            self._resumable = False
            self._delete_checkpoints()
            return
        state = {f"state_{number}": np.asarray(variable) for number, variable in enumerate(self._list_variables())}
        rows = np.array([[row.get(name, np.nan) for name in HISTORY_COLUMNS] for row in self.history.rows])
        head = {"key": np.array(json.dumps(self._make_key())), "history": rows}
        with replacing(self._run_dir.path(self._phase_file), durable=True) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **head, **state)

    @property
    def _phase_file(self) -> str:
        """Where the state of this phase is kept: what follows a phase may look at the network as it was then."""
        return self._file if len(self.phases) < 2 else self._file.replace(".npz", f".phase{len(self.phases)}.npz")

    def _delete_checkpoints(self) -> None:
        if self._run_dir is not None:
            file = self._run_dir.path(self._file)
            for path in (file, *file.parent.glob(f"{file.stem}.phase*.npz")):
                path.unlink(missing_ok=True)

    def _make_key(self) -> Key:
        """The key, with how each phase so far was compiled."""
        assert self._key is not None
        compiled = {f"phase {number}": digest for number, digest in enumerate(self._compiled, start=1)}
        return {**self._key, "network": {**self._key["network"], **compiled}}

    def restore(self) -> None:
        """Gives a training that was loaded its weights again: what follows `fit` has been done twice."""
        if self._finished and self._network is not None and self._run_dir is not None:
            self._network.load_weights(self._run_dir.require(MODEL))

    def finish(self, code: CodeDigest) -> None:
        """Notes that the training has ended and its network is saved; the checkpoint is of no more use.

        Args:
            code: The recipe's digest, made anew: a training that has changed what it uses is not kept.
        """
        assert self._run_dir is not None
        self._delete_checkpoints()
        self._run_dir.path(FINISHED_FIT).unlink(missing_ok=True)
        if self._key is None or self._code is None or code.parts != self._code.parts or not code.is_known:
            return
        if not self.phases:  # nothing that takes long
            return
        # As text: JSON has no numbers for what is not finite.
        rows = [{name: repr(value) for name, value in row.items()} for row in self.history.rows]
        told = {"model": sha256_file(self._run_dir.require(MODEL)), "history": rows, "key": self._finished_key}
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
        if not self._is_mine(key, self._finished_key, "the finished training") or sha256_file(file) != digest:
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
        file = self._run_dir.path(self._phase_file) if self._run_dir is not None else None
        if file is None or not file.is_file():
            return 0
        try:
            # Opened here: of a damaged archive, numpy would leave its own file open.
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                key, rows = json.loads(str(stored["key"])), stored["history"]
                state = [stored[f"state_{number}"] for number in range(len(stored.files) - 2)]
        except Exception as error:  # a bit that is wrong can lead anywhere in the reader of an archive
            print_progress(f"the checkpoint is damaged and is not used: {error}")
            return 0
        if not self._is_mine(key, self._make_key(), "the checkpoint"):
            return 0
        variables = self._list_variables()
        if [tuple(variable.shape) for variable in variables] != [array.shape for array in state]:
            print_progress("the checkpoint is of another network and is not used")
            return 0
        for variable, array in zip(variables, state, strict=True):
            variable.assign(array)
        print_progress(f"training goes on after epoch {len(rows)}, from its checkpoint")
        self.history.rows = [_read_row(dict(zip(HISTORY_COLUMNS, row, strict=True))) for row in rows]
        self.history.write()
        return len(rows)

    def _is_mine(self, key: Key, mine: Key, what: str) -> bool:
        changes = list_changes(key, mine)
        if changes:
            print_progress(f"{what} is not used: {'; '.join(changes[:3])}")
        return not changes

    def _list_variables(self) -> list[Any]:
        """Weights, seeds of layers that draw numbers, and the optimizer's state; what metrics count starts anew."""
        return [*self._variables.values(), *self._optimizer.variables]


def _read_row(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
