"""Python's compiled code: what it does, wherever it stands, which names it looks up, and whose it is."""

from __future__ import annotations

import bisect
import builtins
import dis
import functools
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scenebook.core.provenance import sha256_bytes
from scenebook.core.source_code import PACKAGE

PLAIN_TYPES = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
"""Values that their `repr` tells whole."""

NOT_DEFINED = object()
"""What a name leads to that is not defined."""

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
