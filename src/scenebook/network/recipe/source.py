"""The recipe's source: collected from the cells as they were run, kept with the run, and loaded by every worker."""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scenebook.core.errors import InputError
from scenebook.core.project import project_root
from scenebook.network.recipe.describing import PLAIN_TYPES, is_library, is_named
from scenebook.network.recipe.digests import CodeDigest

FUNCTIONS = ("prepare", "build_model", "train_model")
"""What a recipe defines: what happens to a batch, which model is built, how it is trained."""

_HEADING = (
    '"""What the cells of notebook 02 defined when this run was trained: collected by scenebook, not to be edited."""'
)


class _Statement(NamedTuple):
    cell: int
    line: int
    text: str
    names: frozenset[str]


def collect_source(names: Mapping[str, Any], digest: CodeDigest) -> str:
    """Returns a module that defines the functions of a recipe as they are now.

    It has imports, plain values, then the statements that made all else, in the order in which they were run. Only its
    digest tells whether it says the same: a value may have been changed since. Among the notebook's variables, `In` is
    the list of cells as they were run; the digest knows which of them the functions use.
    """
    bound = _list_bound(names)
    imports, values, statements = set(), set(), set()
    waiting = list(digest.used)
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done or name not in names:
            continue
        done.add(name)
        value = names[name]
        if (text := _write_import(name, value)) is not None:
            imports.add(text)
        elif type(value) in PLAIN_TYPES:
            values.add(f"{name} = {value!r}")
        elif name in bound:
            statements.add(bound[name])
            waiting += bound[name].names
    ordered = [statement.text for statement in sorted(statements)]
    return "\n\n".join([_HEADING, "\n".join(sorted(imports)), "\n".join(sorted(values)), *ordered]) + "\n"


def _write_import(name: str, value: Any) -> str | None:
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__} as {name}"
    if not is_named(value) or not is_library(value.__module__):
        return None
    module, own_name = value.__module__, value.__qualname__
    if getattr(sys.modules[module], own_name, None) is value:
        return f"from {module} import {own_name} as {name}"
    return None


def _list_bound(names: Mapping[str, Any]) -> dict[str, _Statement]:
    found: dict[str, _Statement] = {}
    for number, cell in enumerate(names.get("In", [names.get("__source__", "")])):
        try:
            tree = ast.parse(cell)
        except SyntaxError:
            continue
        for node in tree.body:
            start = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
            text = "\n".join(cell.splitlines()[start - 1 : node.end_lineno])
            for name in _list_names(node):
                found[name] = _Statement(number, start, text, frozenset(_list_used(node)))
    return found


def _list_used(node: ast.stmt) -> Iterator[str]:
    """Yields the names that a statement needs when it is run; what a function's body uses, its digest knows."""
    parts: list[ast.AST | None] = [node]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [*node.decorator_list, node.args, node.returns]
    for item in (item for part in parts if part is not None for item in ast.walk(part)):
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load):
            yield item.id


def _list_names(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)}
    return set()


def load_source(text: str) -> types.ModuleType:
    """Runs the source of a recipe as a module of its own, and returns it.

    Modules beside the notebooks can be imported by it, as they can by the notebooks.

    Raises:
        InputError: It cannot be run.
    """
    file = f"<recipe {hashlib.sha256(text.encode()).hexdigest()[:12]}>"
    module = types.ModuleType("recipe")
    module.__dict__["__source__"] = text
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    folder = str(project_root() / "notebooks")
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise InputError(
            "Expected cells of notebook 02 whose functions also work by themselves.",
            received={"error": f"{type(error).__name__}: {error}"},
            advice="Let `prepare`, `build_model` and `train_model` use their arguments, imports and plain values only.",
        ) from error
    return module
