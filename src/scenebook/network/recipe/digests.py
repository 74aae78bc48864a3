"""What functions of a notebook do, as digests: their code, and every value of the notebook that they use.

Code counts as Python has compiled it, not as a file says it, so that what is digested is what runs. Comments, layout
and the text of docstrings do not count. A function of a library counts by its name, one of this package by its name and
the code of its module: versions of libraries stand in every key.
"""

from __future__ import annotations

import collections
import enum
import functools
import hashlib
import inspect
import json
import os
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.source_code import PACKAGE, digest_modules
from scenebook.network.code_digests import WITHOUT_EFFECT
from scenebook.network.recipe import describing

_SERIALIZED = (
    keras.Layer,
    keras.Optimizer,
    keras.Loss,
    keras.Metric,
    keras.Regularizer,
    keras.Initializer,
    keras.DTypePolicy,
    keras.optimizers.schedules.LearningRateSchedule,
)
_MUTABLE = (list, dict, set, bytearray, np.ndarray, tf.Variable, keras.Variable)
_CHANGING = frozenset(
    {"add", "append", "assign", "clear", "discard", "extend", "fill", "insert", "pop", "popitem", "put", "remove"}
    | {"reverse", "setdefault", "sort", "update"}
)
"""Methods that change an object: what was digested before the call may be something else after it."""
_NATIVE = (tf.DType, np.dtype, types.GenericAlias, tf.TensorShape, slice, range)


@dataclass
class CodeDigest:
    """What functions depend on: values of the notebook, and modules of this package whose code they run.

    `parts` are their digests by name, `used` the notebook's values themselves. With any of the `unknown`, which cannot
    be digested, equal parts prove nothing.
    """

    parts: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    used: dict[str, Any] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        return not self.unknown

    @property
    def sha256(self) -> str:
        return _sha256(json.dumps(self.parts, sort_keys=True))


def digest_code(functions: Mapping[str, Any], *, states: bool = True) -> CodeDigest:
    """Digests functions of a notebook, and other values, with all that they use, by their names.

    `states` says whether the state counts in which Keras' layers draw random numbers.
    """
    walker = _Walker(states)
    for name, function in functions.items():
        walker.result.used[name] = function
        walker.result.parts[name] = walker.digest(function, name)
    imports = [f"import {module}" for module in sorted(walker.modules)]
    walker.result.parts |= digest_modules(imports, without=WITHOUT_EFFECT, numbers=True)
    return walker.result


class _Walker:
    """Digests values one by one; a function that is met again, or that calls itself, counts once."""

    def __init__(self, states: bool) -> None:
        self.result = CodeDigest()
        self._states = states
        self.modules: set[str] = set()
        self._seen: dict[int, str] = {}
        self._kept: list[Any] = []  # an id is only valid as long as its object lives

    def digest(self, value: Any, name: str) -> str:
        """Returns the digest of a value; `name` is what it is called where it is used."""
        if type(value) in describing.PLAIN_TYPES:
            return _sha256(f"{type(value).__name__} {value!r}")
        if id(value) in self._seen:
            return self._seen[id(value)]
        self._kept.append(value)
        self._seen[id(value)] = f"again {len(self._seen)}"
        digest = _sha256("\n".join(self._describe(value, name)))
        self._seen[id(value)] = digest
        return digest

    def _describe(self, value: Any, name: str) -> Iterator[str]:
        kind = type(value)
        yield f"{kind.__module__}.{kind.__qualname__}" if describing.is_library(kind.__module__) else kind.__qualname__
        if not describing.is_library(kind.__module__):
            yield self.digest(kind, name)
            if hasattr(value, "__dict__") and not isinstance(value, (type, enum.Enum, *_SERIALIZED)):
                yield self.digest(vars(value), name)
        if isinstance(value, types.ModuleType):
            yield from self._describe_module(value, name)
        elif isinstance(value, types.FunctionType):
            yield from self._describe_function(value, name)
        elif isinstance(value, type):
            yield from self._describe_class(value, name)
        elif isinstance(value, functools.partial):
            yield self.digest((value.func, value.args, value.keywords), name)
        elif inspect.ismethod(value):
            yield self.digest((value.__self__, value.__func__), name)
        elif isinstance(value, enum.Enum):
            yield self.digest((kind, value.name), name)
        elif isinstance(value, describing.PLAIN_TYPES):  # of a class of the notebook's own
            yield next(plain.__repr__(value) for plain in (bytes, str, complex, float, int) if isinstance(value, plain))
        elif type(value) in (collections.defaultdict, type(os.environ), np.ma.MaskedArray):
            yield self._miss(name, kind)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield self.digest(key, name)
                yield self.digest(item, f"{name}[{key!r}]")
        elif isinstance(value, (set, frozenset)):
            yield from sorted(self.digest(item, name) for item in value)
        elif isinstance(value, (list, tuple)):
            for number, item in enumerate(value):
                yield self.digest(item, f"{name}[{number}]")
        elif isinstance(value, (np.ndarray, np.generic, tf.Tensor, tf.Variable, keras.Variable)):
            array = np.asarray(value)
            yield (
                self._miss(name, "an array of objects") if array.dtype.hasobject else describing.digest_arrays([array])
            )
        elif isinstance(value, _SERIALIZED):
            yield from self._describe_keras(value, name)
        elif callable(getattr(value, "python_function", None)):  # tf.function
            yield self.digest(value.python_function, name)
        elif is_dataclass(value):
            for item in fields(value):
                yield self.digest(getattr(value, item.name), f"{name}.{item.name}")
        elif isinstance(value, _NATIVE) or (isinstance(value, np.ufunc) and getattr(np, value.__name__, None) is value):
            yield repr(value)
        elif callable(getattr(value, "model_dump", None)):  # settings
            yield self.digest(value.model_dump(), name)
        elif isinstance(value, property):
            yield self.digest((value.fget, value.fset), name)
        elif isinstance(value, (staticmethod, classmethod)):
            yield self.digest(value.__func__, name)
        elif describing.is_named(value) and describing.is_found(value):
            yield from self._describe_library(value.__module__, value.__qualname__, name)
        elif describing.is_library(kind.__module__) or not hasattr(value, "__dict__"):
            yield self._miss(name, kind)

    def _miss(self, name: str, kind: type | str) -> str:
        what = kind if isinstance(kind, str) else f"a {kind.__module__}.{kind.__qualname__}"
        self.result.unknown.append(f"{name}, {what}")
        return "unknown"

    def _describe_library(self, module: str, qualname: str, name: str) -> Iterator[str]:
        yield f"{module}.{qualname}"
        if module.partition(".")[0] == PACKAGE.name:
            self.modules.add(module)
        if describing.depends_on_outside(module, qualname):
            yield self._miss(name, f"{module}.{qualname}, depends on more than its arguments")

    def _describe_module(self, module: types.ModuleType, name: str) -> Iterator[str]:
        if describing.is_library(module.__name__):
            yield from self._describe_library(module.__name__, "", name)
            return
        for key, value in sorted(vars(module).items()):
            if not key.startswith("__"):
                yield key
                yield self.digest(value, f"{module.__name__}.{key}")

    def _describe_class(self, kind: type, name: str) -> Iterator[str]:
        yield kind.__qualname__
        if describing.is_library(kind.__module__):
            yield from self._describe_library(kind.__module__, kind.__qualname__, name)
            return
        for base in kind.__bases__:
            yield self.digest(base, f"{name}'s base")
        for key, value in sorted(vars(kind).items()):
            if key not in ("__module__", "__doc__", "__dict__", "__weakref__", "__firstlineno__", "__annotations__"):
                yield key
                yield self.digest(value, f"{name}.{key}")

    def _describe_keras(self, value: Any, name: str) -> Iterator[str]:
        yield self.digest(type(value), name)
        if isinstance(value, keras.Model) and not describing.is_library(type(value).__module__):
            yield self._miss(name, type(value))
            return
        try:
            config = value.get_config()
        except NotImplementedError:
            yield self._miss(name, type(value))
            return
        yield self.digest(describing.unnamed(config), f"{name}'s configuration")
        for variable in getattr(value, "variables" if self._states else "weights", None) or []:
            yield self.digest(variable, f"{name}'s weights")
        for part in describing.list_parts(value):
            yield self.digest(type(part), name)
            for key, item in describing.list_attributes(part):
                yield self.digest((key, item), f"{name}.{key}")

    def _describe_function(self, function: types.FunctionType, name: str) -> Iterator[str]:
        if describing.is_library(function.__module__ or "") and describing.is_library(
            function.__globals__.get("__name__", "")
        ):
            yield from self._describe_library(function.__module__, function.__qualname__, name)
            if "<locals>" not in function.__qualname__:
                return
        else:
            yield from self._describe_code(function, name)
        yield self.digest((function.__defaults__, function.__kwdefaults__), f"{name}'s defaults")
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            yield self.digest(cell.cell_contents, f"{name}.{key}") if _is_full(cell) else "empty"
        for key, value in vars(function).items():
            yield self.digest((key, value), f"{name}.{key}")

    def _describe_code(self, function: types.FunctionType, name: str) -> Iterator[str]:
        yield describing.describe_compiled(function.__code__)
        changes = describing.list_arguments(function.__code__, "LOAD_ATTR", "LOAD_METHOD") & _CHANGING or any(
            describing.list_arguments(function.__code__, "STORE_SUBSCR", "DELETE_SUBSCR", "STORE_ATTR", "DELETE_ATTR")
        )
        for path in sorted(describing.list_globals(function.__code__)):
            yield ".".join(path)
            value, used = describing.resolve_path(path, function.__globals__)
            if value is describing.NOT_DEFINED:
                yield "missing"  # the call fails, or the name is set before it: a digest cannot know
                self._miss(path[0], "not defined yet")
                continue
            if path[0] in function.__globals__:
                self.result.used[path[0]] = function.__globals__[path[0]]
            digest = self.digest(value, used)
            if changes and (isinstance(value, _MUTABLE) or _is_own(value)):
                yield self._miss(used, f"perhaps changed by {name}")
            if path[0] in function.__globals__ and not isinstance(value, types.ModuleType):
                self.result.parts[used] = digest
            yield digest
        for module in sorted(describing.list_arguments(function.__code__, "IMPORT_NAME")):
            found = sys.modules.get(module)
            yield self.digest(found, module) if found is not None else self._miss(module, "not imported yet")
        for key in sorted(describing.list_arguments(function.__code__, "STORE_GLOBAL", "DELETE_GLOBAL")):
            yield self._miss(key, f"written by {name}")


def _is_own(value: Any) -> bool:
    return not describing.is_library(type(value).__module__) and not isinstance(value, (type, types.FunctionType))


def _is_full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
