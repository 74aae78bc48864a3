"""What code does, as a digest: comments, docstrings, layout and the texts of errors do not count."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import scenebook
from scenebook.core.provenance import sha256_bytes

PACKAGE = Path(scenebook.__file__).parent

TEXT_MODULES = frozenset(f"scenebook.core.{name}" for name in ("errors", "progress", "sentences", "wording"))
"""Modules that only make text for people: no number depends on them, nor on what they are called with."""


@dataclass(frozen=True)
class ModuleCode:
    """A module of this package.

    Attributes:
        digest: SHA-256 of its syntax tree without docstrings and without what errors say.
        numbers: The same, also without what goes to `TEXT_MODULES` and without descriptions of settings.
        imports: The modules of this package that it imports, anywhere in it but for type checkers.
        is_empty: Whether there is nothing in it but a docstring.
    """

    digest: str
    numbers: str
    imports: frozenset[str]
    is_empty: bool


def digest_cell(source: str) -> str:
    """Returns the SHA-256 of what a notebook's cell does.

    A cell that is not plain Python, because it has a line of IPython's own, counts as it is written.
    """
    try:
        return _digest(ast.parse(source))
    except SyntaxError:
        return sha256_bytes(source.encode("utf-8", "surrogatepass"))


def digest_modules(sources: Iterable[str], *, without: Collection[str] = (), numbers: bool = False) -> dict[str, str]:
    """Returns the digest of each module of this package that code imports, directly or through another one.

    Args:
        sources: Python code; what cannot be parsed may import every module.
        without: Modules that are left out, with what only they import.
        numbers: Whether only what can change a number counts: texts for people are left out.

    Returns:
        Module name to digest, sorted. The packages around a module count as imported where they hold code.
    """
    left_out = {*without, *(TEXT_MODULES if numbers else ())}
    waiting = [name for source in sources for name in _imports_of(source)]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name not in found and name not in left_out:
            module = read_module(name)
            if not module.is_empty:
                found[name] = module.numbers if numbers else module.digest
            waiting += module.imports
    return dict(sorted(found.items()))


@cache
def read_module(name: str) -> ModuleCode:
    """Returns what is known of a module of this package, `scenebook.evaluation.metrics.classification` say."""
    tree = ast.parse(_file_of(name).read_bytes())
    imports = frozenset(_list_imports(tree))
    for node in ast.walk(tree):
        _drop_docstrings(node)
    tree = _WithoutErrors().visit(tree)
    return ModuleCode(_digest(tree), _digest(_WithoutText(tree).visit(copy.deepcopy(tree))), imports, not tree.body)


class _WithoutErrors(ast.NodeTransformer):
    """An error that is raised ends a computation: what it says is in no result."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise()


class _WithoutText(ast.NodeTransformer):
    """Drops what a module hands to `TEXT_MODULES`, the imports of these, and descriptions of pydantic's fields."""

    def __init__(self, tree: ast.AST) -> None:
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in TEXT_MODULES]
        self._names = {alias.asname or alias.name for node in imports for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module in TEXT_MODULES else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self._names:
            return ast.Name(node.func.id, ast.Load())
        if isinstance(node.func, ast.Name) and node.func.id == "Field":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
        return node


def _imports_of(source: str) -> set[str]:
    """Lines of IPython's own are left out; of what still is no Python, nothing is known: it may import everything."""
    plain = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!", "?")))
    try:
        return _list_imports(ast.parse(plain))
    except SyntaxError:
        files = PACKAGE.rglob("*.py")
        parts = (file.relative_to(PACKAGE.parent).with_suffix("").parts for file in files)
        return {".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts}


def _list_imports(tree: ast.AST) -> set[str]:
    """Returns the modules of this package that are imported; packages around them too: their code runs as well."""
    named: set[str] = set()
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in named if name.split(".")[0] == PACKAGE.name]
    around = {".".join(part[:length]) for part in parts for length in range(1, len(part) + 1)}
    return {name for name in around if _file_of(name).is_file()}


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes below one, but not what stands under `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield from _walk(child)


def _file_of(name: str) -> Path:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _drop_docstrings(node: ast.AST) -> None:
    """Texts that stand alone document what is before or around them."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        node.body = [statement for statement in node.body if not _is_text(statement)]


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _digest(tree: ast.AST) -> str:
    parts: list[str] = []
    _describe(tree, parts)
    return sha256_bytes("\n".join(parts).encode("utf-8", "surrogatepass"))


def _describe(value: Any, parts: list[str]) -> None:
    """Lists a syntax tree in one order, without line numbers; `ast.dump` takes three times as long."""
    if isinstance(value, ast.AST):
        parts.append(type(value).__name__)
        for name in value._fields:
            _describe(getattr(value, name, None), parts)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for item in value:
            _describe(item, parts)
        parts.append("]")
    else:
        parts.append(f"{type(value).__name__} {value!r}")
