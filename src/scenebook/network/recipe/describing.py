"""What code and Keras' objects do, told without what differs from process to process."""

from __future__ import annotations

import bisect
import builtins
import dis
import functools
import hashlib
import itertools
import json
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import keras
import numpy as np

from scenebook.core.provenance import sha256_bytes
from scenebook.core.source_code import PACKAGE

PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
"""Values that their `repr` tells whole."""

NOT_DEFINED = object()  # what a name leads to that is not defined

_OUTSIDE_MODULES = frozenset(
    {"datetime", "glob", "importlib", "io", "os", "pathlib", "pickle", "random", "secrets", "shutil", "socket"}
    | {"subprocess", "tempfile", "time", "urllib", "requests", "http"}
)
_OUTSIDE_BUILT_IN = {"eval", "exec", "globals", "input", "locals", "open", "vars", "__import__", "breakpoint"}
_READING_NAMES = (
    *("fromfile", "from_file", "from_pretrained", "genfromtxt", "get_file", "image_dataset", "imread", "list_files"),
    *("load", "memmap", "open", "read", "TFRecord"),
)
"""How the names of functions begin that read files."""

_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_SAME_CALLS = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "RESUME"})


def list_globals(code: types.CodeType) -> set[tuple[str, ...]]:
    """Returns the global names that code looks up, functions within it too, each with the attributes that follow."""
    found: list[list[str]] = []
    follows = False
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found.append([instruction.argval])
            follows = True
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and follows:
            found[-1].append(instruction.argval)
        elif instruction.opname not in ("CACHE", "PUSH_NULL", "EXTENDED_ARG"):
            follows = False
    return set(map(tuple, found)).union(*(list_globals(inner) for inner in _list_inner(code)))


def resolve_path(path: tuple[str, ...], names: Mapping[str, Any]) -> tuple[Any, str]:
    """Follows `module.attribute` as far as modules go; what a function takes from a module is what counts of it."""
    value = names.get(path[0], getattr(builtins, path[0], NOT_DEFINED))
    used = path[0]
    for part in path[1:]:
        if not isinstance(value, types.ModuleType):
            break
        found = getattr(value, part, NOT_DEFINED)
        if found is NOT_DEFINED:
            break
        value, used = found, f"{used}.{part}"
    return value, used


def list_arguments(code: types.CodeType, *operations: str) -> set[str]:
    """Returns the arguments of some of Python's instructions in code, functions within it too."""
    own = {str(item.argval) for item in dis.get_instructions(code) if item.opname in operations}
    return own.union(*(list_arguments(inner, *operations) for inner in _list_inner(code)))


def _list_inner(code: types.CodeType) -> Iterator[types.CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, types.CodeType))


def describe_compiled(code: types.CodeType) -> str:
    """Describes code without where it stands and without its docstring.

    Python compiles a call of `module.function` in two ways, depending on whether the import stands in the same cell:
    both count as one, so instructions are numbered anew.
    """
    bytecode = dis.Bytecode(code)
    instructions = [item for item in bytecode if item.opname not in _SAME_CALLS]
    offsets = [item.offset for item in instructions]

    def place(offset: int) -> int:
        return bisect.bisect_left(offsets, offset)

    told: list[Any] = []
    for item in instructions:
        argument = place(item.argval) if item.opcode in _JUMPS else item.argval
        if isinstance(argument, types.CodeType):
            argument = describe_compiled(argument)
        elif isinstance(argument, frozenset):  # in an order that differs from process to process
            argument = sorted(map(repr, argument))
        told.append((item.opname.replace("LOAD_METHOD", "LOAD_ATTR"), repr(argument)))
    handlers = [(place(item.start), place(item.end), place(item.target)) for item in bytecode.exception_entries]  # type: ignore[attr-defined]
    names = (code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return sha256_bytes(repr((told, handlers, names, counts)).encode("utf-8", "surrogatepass"))


def is_library(module: str) -> bool:
    """Returns whether a module belongs to Python, to an installed package or to this package; else it is the user's."""
    found = sys.modules.get(module)
    if module in ("__main__", "") or found is None:
        return False
    file = getattr(found, "__file__", None)
    if file is None:  # built into Python, or a package without code of its own
        return module.partition(".")[0] in {*sys.stdlib_module_names, *sys.builtin_module_names}
    return _is_installed(file)


@functools.cache
def _is_installed(file: str) -> bool:
    path, paths = Path(file).resolve(), sysconfig.get_paths()
    folders = [*(Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")), PACKAGE]
    return any(path.is_relative_to(folder) for folder in folders)


def is_named(value: Any) -> bool:
    """Returns whether a value is found by the name of its module and its own."""
    return isinstance(getattr(value, "__module__", None), str) and hasattr(value, "__qualname__")


def is_found(value: Any) -> bool:
    """Returns whether a library has this very value under the name that it bears: a wrapper may bear another's."""
    found: Any = sys.modules.get(value.__module__) if is_library(value.__module__) else None
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


def depends_on_outside(module: str, qualname: str) -> bool:
    """Returns whether what a library's function or class gives is in no digest of its name and arguments."""
    if module in ("builtins", "_io") and qualname in _OUTSIDE_BUILT_IN:
        return True
    if module.partition(".")[0] in _OUTSIDE_MODULES or module.startswith("numpy.random"):
        return True
    return qualname.rpartition(".")[2].startswith(_READING_NAMES)


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


def untrained(config: Any) -> Any:
    """Returns the configuration of layers without what differs from build to build, or is set before a training."""
    if isinstance(config, dict):
        return {key: untrained(value) for key, value in config.items() if key not in ("seed", "trainable")}
    return [untrained(value) for value in config] if isinstance(config, (list, tuple)) else config


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
        and (
            own
            or (callable(item) and not type(item).__module__.startswith("keras."))
            or (isinstance(item, PLAIN_TYPES) and not key.startswith("_"))
        )
    ]


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
