"""Code in objects of Keras that their configurations do not hold."""

from __future__ import annotations

from collections.abc import Iterable
from types import FunctionType
from typing import Any

import keras

from scenebook.network.recipe.compiled import is_library


def find_own_code(value: Any) -> str:
    """Returns the name of an object of Keras that runs code which its configuration does not hold; else nothing.

    Of a function, Keras' configurations give the name, or the code without the values that it uses.

    Args:
        value: A layer, a model with all its layers, an optimizer, a loss and so on.
    """
    parts: Iterable[Any] = value._flatten_layers() if isinstance(value, keras.Layer) else [value]
    return next((str(getattr(part, "name", type(part).__name__)) for part in parts if _has_own_code(part)), "")


def _has_own_code(part: Any) -> bool:
    if isinstance(part, keras.layers.Lambda) or not is_library(type(part).__module__) or _is_patched(type(part)):
        return True
    return any(
        callable(item) and not is_library(getattr(item, "__module__", None) or "") for item in vars(part).values()
    )


def _is_patched(kind: type) -> bool:
    """Returns whether a method of a library's class was replaced by one that is not the library's."""
    return any(
        isinstance(value, FunctionType) and name != "__new__" and not is_library(value.__module__ or "")
        for base in kind.__mro__
        for name, value in vars(base).items()
    )
