"""What a training computes on, and how precisely: a CPU in float32, or graphics cards, alone or several together."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from scenebook.core.errors import SettingsError
from scenebook.core.settings import AUTO, FLOAT32, Settings

MIXED = "mixed_float16"
_WITH_TENSOR_CORES = (7, 0)
"""From this compute capability on, cards compute faster in float16 (https://www.tensorflow.org/guide/mixed_precision)."""


def describe_device() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")) if gpus else "CPU"


def set_precision(precision: str) -> None:
    """Sets what layers that are built from now on compute in; their weights are float32 in any case.

    `float32` is without the shorter TensorFloat-32 of some cards, `mixed` float16 where that is enough, and `auto` is
    mixed where all GPUs are faster at it.
    """
    policy = _choose_policy(precision)
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_tensor_float_32_execution(policy != FLOAT32)
    keras.config.set_dtype_policy(policy)


def _choose_policy(precision: str) -> str:
    if precision == AUTO:
        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        capabilities = [tuple(about.get("compute_capability") or (0, 0)) for about in details]
        return MIXED if capabilities and min(capabilities) >= _WITH_TENSOR_CORES else FLOAT32
    return FLOAT32 if precision == FLOAT32 else MIXED


def describe_computing(settings: Settings) -> dict[str, Any]:
    """Returns what a training's numbers depend on besides a CPU's in float32, for keys: nothing where it is that."""
    device, policy = describe_device(), _choose_policy(settings.precision)
    return {
        **({"device": device} if device != "CPU" else {}),
        **({"precision": policy} if policy != FLOAT32 else {}),
        **({"devices": settings.devices} if settings.devices > 1 else {}),
    }


def sharing(devices: int) -> AbstractContextManager[Any]:
    """Returns a context in which networks are built and trained on several GPUs, each with its share of each batch.

    Raises:
        SettingsError: There are not so many.
    """
    return _mirror(devices).scope() if devices > 1 else nullcontext()


@functools.cache
def _mirror(devices: int) -> tf.distribute.Strategy:
    found = [device.name for device in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")]
    if len(found) < devices:
        raise SettingsError(
            "Expected a machine with as many devices as are to share a training.",
            received={"devices": devices, "found": len(found)},
            advice="Set devices to 1, or let CUDA_VISIBLE_DEVICES name more graphics cards.",
        )
    return tf.distribute.MirroredStrategy(found[:devices])


def share_statistics(model: keras.Model, devices: int) -> None:
    """Lets batch normalisation look at the whole batch where several devices have a part of it each."""
    for layer in model._flatten_layers() if devices > 1 else ():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def leave_devices(model: keras.Model) -> None:
    """Lets a trained network, and what is built next, compute in float32: its weights are float32 already."""
    keras.config.set_dtype_policy(FLOAT32)
    for layer in model._flatten_layers():
        if getattr(layer, "synchronized", False):
            layer.synchronized = False
        if layer.dtype_policy.name == MIXED:
            layer.dtype_policy = FLOAT32
