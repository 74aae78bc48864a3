"""The state of a training: kept after every epoch, found after an interruption, and loaded when nothing has changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.keys import Key, list_changes
from scenebook.core.progress import print_progress
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import CHECKPOINT, FINISHED_FIT, MODEL
from scenebook.core.wording import count_noun
from scenebook.network import training
from scenebook.network.recipe import checkpoints, phases
from scenebook.network.recipe.describing import digest_arrays, digest_config
from scenebook.network.recipe.digests import CodeDigest
from scenebook.network.training import HistoryWriter


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
        self.phases: list[phases.Phase] = []
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
        self._stoppings: list[keras.callbacks.EarlyStopping] = []
        self._finished = False
        self._resumable = run_dir is not None and code is not None and code.is_known

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        return [self.history, training.StopOnNonFiniteLoss(), training.ProgressLines(), *self._more, self]

    @property
    def network(self) -> keras.Model | None:
        return self._network

    def note_model(self, model: keras.Model, runtime: str) -> None:
        """Notes what is about to be trained, before the first phase, and what its frozen layers run in.

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
                network["first weights"] = digest_arrays(map(np.asarray, phases.list_state(model)))
                self._key = {**self._about, "network": {**network, **self._code.parts}}

    def begin_phase(
        self, part: keras.Model, epochs: int, callbacks: Sequence[keras.callbacks.Callback], *, base: keras.Model | None
    ) -> tuple[int, int]:
        """Loads the state that this training has furthest on, as far as it belongs to this phase.

        Args:
            part: What is fit in this phase; compiled.
            epochs: How many epochs the phase has.
            callbacks: Those of the notebook's own. They may have a state, so that with any but Keras' `EarlyStopping` a
                phase begins anew.
            base: What was cut off before it.

        Returns:
            The epoch that is trained first, and the one after the last, counted over all phases. They are equal where
            nothing is left to do.

        Raises:
            InputError: What is fit is not compiled, or not a part of the network.
        """
        phases.check_part(part, self._network)
        self._part, self._optimizer = part, part.optimizer
        self._compiled.append(phases.digest_compilation(part))
        if len(self._compiled) == 1 and self._key is not None:
            self._finished_key = self._make_key()
            self._finished = self._restore_finished()
        number = len(self._compiled)
        if self._finished:
            firsts = [phase.first_epoch for phase in self.phases[number - 1 : number + 1]]
            first, last = [*firsts, len(self.history.rows), len(self.history.rows)][:2]
            self._bounds = (first, last)
            return last, last
        # What Keras' early stopping remembers is kept; what other callbacks do is not known.
        self._stoppings = [one for one in callbacks if type(one) is keras.callbacks.EarlyStopping]
        self._stops: list[list[np.ndarray]] = []
        self._resumable = self._resumable and len(self._stoppings) == len(callbacks)
        first = len(self.history.rows)
        self.phases.append(phases.describe_phase(part, base, first, epochs))
        self._variables |= {id(item): item for item in phases.list_state(part)}
        if not part.optimizer.built:
            part.optimizer.build(part.trainable_variables)
        done = self._restore_checkpoint() if self._resumable else 0
        self._bounds = (first, max(first, min(done, first + epochs)))
        stopped = any(checkpoints.has_stopped(stop) for stop in self._stops)
        return first + epochs if stopped else self._bounds[1], first + epochs

    def expect(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Notes with which callbacks `fit` is to be called: others may have a state that nobody keeps."""
        self._given = list(callbacks)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that what is fit is what the state was loaded into, and tells `fit` what was trained before.

        Raises:
            InputError: It is not, or `fit` has callbacks that `data.resume` does not know.
        """
        phases.check_fitted(self.model, self._part, self._optimizer, sys._getframe(1).f_locals.get("self"), self._given)
        for row in self.history.rows[slice(*self._bounds)]:
            for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
                if name in row:
                    self.model.history.history.setdefault(name, []).append(row[name])
        if not self._finished:
            for stopping, stop in zip(self._stoppings, self._stops, strict=False):
                checkpoints.restore_stop(stopping, stop)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch != len(self.history.rows):
            raise InputError(
                "Expected each epoch to be trained once.",
                received={"epoch": epoch + 1, "trained": len(self.history.rows)},
                advice="Call `data.resume(part, epochs)` anew for each `fit`.",
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if "accuracy" not in (logs or {}):
            raise InputError(
                'Expected a network that is compiled with metrics=["accuracy"].', received={"logs": list(logs or {})}
            )
        if not self._resumable or self._run_dir is None or self._digest is None or self._code is None:
            return
        if self._digest().parts != self._code.parts:
            print_progress("the training has changed what its recipe uses, so its state is not kept")
            self._resumable = False
            checkpoints.delete_checkpoints(self._run_dir, self._file)
            return
        state = [np.asarray(variable) for variable in self._list_variables()]
        stops = [checkpoints.collect_stop(stopping) for stopping in self._stoppings]
        checkpoint = checkpoints.Checkpoint(self._make_key(), self.history.rows, state, stops)
        checkpoints.write_checkpoint(self._run_dir.path(self._phase_file), checkpoint)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if not self._finished:
            phase, last = self.phases[-1], len(self.history.rows)
            kept = [one.best_epoch + 1 for one in self._stoppings if one.best_weights is not None]
            self.phases[-1] = phase._replace(epochs=last - phase.first_epoch, kept_epoch=kept[-1] if kept else last)

    @property
    def kept_epoch(self) -> int:
        """Of which epoch, counted from 1, the network has its weights; 0 where no phase was fit."""
        return self.phases[-1].kept_epoch if self.phases else 0

    @property
    def _phase_file(self) -> str:
        """Where the state of this phase is kept: what follows a phase may look at the network as it was then."""
        return checkpoints.name_phase_file(self._file, len(self.phases))

    def _make_key(self) -> Key:
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
        checkpoints.delete_checkpoints(self._run_dir, self._file)
        self._run_dir.path(FINISHED_FIT).unlink(missing_ok=True)
        unchanged = self._code is not None and code.parts == self._code.parts and code.is_known
        if self.phases and self._key is not None and unchanged:
            checkpoints.write_finished(self._run_dir, self._finished_key, self.history.rows, self.phases)

    def _restore_finished(self) -> bool:
        if self._run_dir is None or self._file != CHECKPOINT or self._network is None:
            return False
        finished = checkpoints.read_finished(self._run_dir)
        if finished is None or not self._is_mine(finished.key, self._finished_key, "the finished training"):
            return False
        self._network.load_weights(self._run_dir.require(MODEL))
        self.history.rows, self.phases = finished.rows, finished.phases
        self.history.write()
        print_progress(
            f"nothing of the training has changed: its {count_noun(len(finished.rows), 'epoch')} are loaded; without "
            f"{FINISHED_FIT} it is done again"
        )
        return True

    def _restore_checkpoint(self) -> int:
        assert self._run_dir is not None
        checkpoint = checkpoints.read_checkpoint(self._run_dir.path(self._phase_file))
        if checkpoint is None or not self._is_mine(checkpoint.key, self._make_key(), "the checkpoint"):
            return 0
        variables = self._list_variables()
        same = len(checkpoint.stops) == len(self._stoppings)
        if not same or [tuple(variable.shape) for variable in variables] != [one.shape for one in checkpoint.state]:
            print_progress("the checkpoint is of another network and is not used")
            return 0
        for variable, array in zip(variables, checkpoint.state, strict=True):
            variable.assign(array)
        print_progress(f"training goes on after epoch {len(checkpoint.rows)}, from its checkpoint")
        self.history.rows, self._stops = checkpoint.rows, checkpoint.stops
        self.history.write()
        return len(checkpoint.rows)

    def _is_mine(self, key: Key, mine: Key, what: str) -> bool:
        changes = list_changes(key, mine)
        if changes:
            print_progress(f"{what} is not used: {'; '.join(changes[:3])}")
        return not changes

    def _list_variables(self) -> list[Any]:
        """Weights, seeds of layers that draw numbers, and the optimizer's state; what metrics count starts anew."""
        return [*self._variables.values(), *self._optimizer.variables]
