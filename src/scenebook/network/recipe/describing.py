"""What a training depends on besides its recipe and its network."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from scenebook.core.keys import Key
from scenebook.core.provenance import sha256_lines, training_versions
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network.code_digests import digest_training_code
from scenebook.network.devices import describe_computing

_WITHOUT_EFFECT = frozenset(
    {
        *("accelerate", "feature_cache_gb", "frozen_layers_runtime", "weights"),
        *("seeds", "cross_validation", "test_time_flip", "precision", "devices"),
    }
)
"""Settings that change how long a training takes, or what follows it; or that count by what they led to: the runtime by
its name, weights by their values, precision and devices by what `describe_computing` returns."""


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
        "versions": {
            **training_versions(settings.frozen_layers_runtime),
            **_describe_keras(),
            **describe_computing(settings),
        },
    }


def _describe_keras() -> dict[str, str]:
    """Returns what Keras is set to, by any cell."""
    told = {"epsilon": keras.config.epsilon(), "floatx": keras.config.floatx(), "jit": tf.config.optimizer.get_jit()}
    return {name: str(value) for name, value in told.items()}


def _digest_images(images: SplitImages) -> str:
    """Returns the SHA-256 of the files and labels of images."""
    return sha256_lines(f"{digest} {label}" for digest, label in zip(images.digests, images.labels, strict=True))
