"""The phases of a training: what each fits, and whether `fit` is called so that its state can be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.network.recipe.configs import digest_config


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


def describe_phase(part: keras.Model, base: keras.Model | None, first: int, epochs: int) -> Phase:
    """Returns what is about to be fit, compiled; `base` was cut off before it,"""
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
            advice="Call `compile` of what `data.accelerate` has returned first.",
        )
    own = {id(variable) for variable in network.trainable_variables}
    if not {id(variable) for variable in part.trainable_variables} <= own:
        raise InputError(
            "Expected layers of the model that `data.accelerate` was given.",
            received={"model": part.name},
            advice="Fit what `data.accelerate` has returned: copies of its layers would leave the model untrained.",
        )


def check_callbacks(caller: Any, given: Sequence[keras.callbacks.Callback]) -> None:
    """Checks that `fit` has the callbacks of `data.resume` only: others may have a state that nobody keeps.

    Args:
        caller: Keras' list of all callbacks.
        given: Those of `data.resume`.

    Raises:
        InputError: It has others.
    """
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
