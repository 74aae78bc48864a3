"""The phases of a training: what each fits, and whether `fit` is called so that its state can be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from scenebook.core.errors import InputError
from scenebook.network.recipe.describing import digest_config


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
