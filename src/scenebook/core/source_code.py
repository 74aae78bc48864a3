"""What code does, as a digest: comments, docstrings and layout do not count."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import scenebook
from scenebook.core.provenance import sha256_bytes

PACKAGE = Path(scenebook.__file__).parent


@dataclass(frozen=True)
class ModuleCode:
    """A module of this package.

    Attributes:
        digest: SHA-256 of its syntax tree without docstrings.
        imports: The modules of this package that it imports, anywhere in it but for type checkers.
    """

    digest: str
    imports: frozenset[str]


def digest_cell(source: str) -> str:
    """Returns the SHA-256 of what a notebook's cell does.

    A cell that is not plain Python, because it has a line of IPython's own, counts as it is written.
    """
    try:
        return _digest(ast.parse(source))
    except SyntaxError:
        return sha256_bytes(source.encode("utf-8", "surrogatepass"))


def digest_modules(sources: Iterable[str]) -> dict[str, str]:
    """Returns the digest of each module of this package that code imports, directly or through another one.

    Args:
        sources: Python code; what cannot be parsed imports nothing.

    Returns:
        Module name to digest, sorted. `scenebook` itself and the packages around a module count as imported.
    """
    waiting = [name for source in sources for name in _imports_of(source)]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            module = read_module(name)
            found[name] = module.digest
            waiting += module.imports
    return dict(sorted(found.items()))


@cache
def read_module(name: str) -> ModuleCode:
    """Returns what is known of a module of this package, `scenebook.evaluation.metrics.scores` say."""
    tree = ast.parse(_file_of(name).read_bytes())
    imports = frozenset(_list_imports(tree))
    for node in ast.walk(tree):
        _drop_docstrings(node)
    return ModuleCode(_digest(tree), imports)


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
