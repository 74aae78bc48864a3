"""Digests of Keras' objects and of arrays, without what differs from process to process."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np


def unnamed(config: Any) -> Any:
    """Returns what Keras says of an object, without what differs from process to process.

    Names count how many layers of a kind were made before, and shared objects are numbered by their addresses: names
    become numbers in the order in which they are given, each within its model.
    """
    return _rename(config, {}, itertools.count())


def _rename(config: Any, names: dict[str, str], numbers: Iterator[int]) -> Any:
    if isinstance(config, Mapping):
        if isinstance(config.get("name"), str):
            names[config["name"]] = f"name {next(numbers)}"
        own = dict(names) if "layers" in config else names
        return {key: _rename(value, own, numbers) for key, value in config.items() if key != "shared_object_id"}
    if isinstance(config, (list, tuple)):
        return [_rename(value, names, numbers) for value in config]
    return names.get(config, config) if isinstance(config, str) else config


def digest_config(config: Any) -> str:
    """Returns the SHA-256 of what Keras says of a model or of its compilation, as `unnamed` has it."""
    return hashlib.sha256(json.dumps(unnamed(config), sort_keys=True, default=str).encode()).hexdigest()


def digest_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Returns the SHA-256 of arrays: their dtypes, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
