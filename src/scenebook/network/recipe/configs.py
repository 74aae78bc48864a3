"""Digests of Keras' objects and of arrays, without what differs from process to process."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

import keras
import numpy as np

from scenebook.network.recipe.compiled import PLAIN_TYPES, is_library


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


def list_parts(value: Any) -> list[Any]:
    """Returns an object of Keras' and all layers within it."""
    return list(value._flatten_layers()) if isinstance(value, keras.Layer) else [value]


def list_attributes(value: Any) -> list[tuple[str, Any]]:
    """Returns what an object of Keras' may do differently without its configuration saying so, by name.

    A configuration has functions by their names only, or without the global names that they use; and not every layer's
    tells of what was changed after it was made.
    """
    own = not is_library(type(value).__module__)
    return [
        (key, item)
        for key, item in sorted(vars(value).items(), key=lambda entry: entry[0])
        if key not in _list_usual()
        and not key.startswith("_self_")
        and (own or _is_function(item) or (isinstance(item, PLAIN_TYPES) and not key.startswith("_")))
    ]


def _is_function(value: Any) -> bool:
    return callable(value) and not type(value).__module__.startswith("keras.")


@functools.cache
def _list_usual() -> frozenset[str]:
    """Returns the attributes of any layer that was called: Keras' own."""
    layer = keras.layers.Identity(name="usual")
    layer(np.zeros((1, 1), np.float32))
    return frozenset(vars(layer)) - {"trainable", "supports_masking", "autocast"}


def find_own_code(value: Any) -> str:
    """Returns the name of an object of Keras that runs code which its configuration does not hold; else nothing.

    Of a function, Keras' configurations give the name, or the code without the values that it uses.
    """
    names = (getattr(part, "name", type(part).__name__) for part in list_parts(value) if _has_own_code(part))
    return str(next(names, ""))


def _has_own_code(part: Any) -> bool:
    if isinstance(part, keras.layers.Lambda) or not is_library(type(part).__module__) or _is_patched(type(part)):
        return True
    return any(
        callable(item) and not is_library(getattr(item, "__module__", None) or "") for item in vars(part).values()
    )


def _is_patched(kind: type) -> bool:
    return any(
        isinstance(value, FunctionType) and name != "__new__" and not is_library(value.__module__ or "")
        for base in kind.__mro__
        for name, value in vars(base).items()
    )
