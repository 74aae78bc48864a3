"""What code does, as a digest: comments, docstrings, layout and the texts of errors do not count."""

from __future__ import annotations

import ast
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import scenebook
from scenebook.core.provenance import sha256_bytes

PACKAGE = Path(scenebook.__file__).parent

TEXT_MODULES = frozenset(f"scenebook.core.{name}" for name in ("errors", "progress", "sentences", "wording"))
"""Modules that only make text for people: no number depends on them, nor on what they are called with."""

_PARSER = threading.Lock()


def parse_code(source: str | bytes) -> ast.Module:
    """Returns the syntax tree of code. Stages run in threads, and Python 3.11 fails where two parse at a time."""
    with _PARSER:
        return ast.parse(source)


@dataclass(frozen=True)
class ModuleCode:
    """A module of this package.

    Attributes:
        source: Its file's bytes.
        digest: SHA-256 of its syntax tree without docstrings and without what errors say.
        imports: What it imports of this package, anywhere in it but for type checkers: modules, packages around them,
            and names in them.
        is_empty: Whether there is nothing in it but a docstring.
    """

    source: bytes
    digest: str
    imports: frozenset[str]
    is_empty: bool

    @cached_property
    def numbers(self) -> str:
        """The digest without what goes to `TEXT_MODULES` and without descriptions of settings."""
        tree = parse_code(self.source)
        return _digest(_WithoutText(tree).visit(tree), whole=False)


def digest_cell(source: str) -> str:
    """Returns the SHA-256 of what a notebook's cell does.

    A cell that is not plain Python, because it has a line of IPython's own, counts as it is written.
    """
    try:
        return _digest(parse_code(source))
    except SyntaxError:
        return sha256_bytes(source.encode("utf-8", "surrogatepass"))


def list_assigned(sources: Iterable[str]) -> set[str]:
    """Returns the names that cells assign to, anywhere in them; what is no Python has none."""
    names: set[str] = set()
    for source in sources:
        with suppress(SyntaxError):
            nodes = ast.walk(parse_code(source))
            names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names


def digest_modules(sources: Iterable[str], *, without: Collection[str] = (), numbers: bool = False) -> dict[str, str]:
    """Returns the digest of each module of this package that code imports, directly or through another one, by name.

    The packages around a module count as imported where they hold code; code that cannot be parsed may import all.
    Modules that are `without` are left out, with what only they import; where `numbers` alone count, texts for people.
    """
    left_out = {*without, *(TEXT_MODULES if numbers else ())}
    waiting = {name for source in sources for name in _imports_of(source)}
    seen: set[str] = set()
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        module = None if name in left_out else read_module(name)
        if module is not None:
            if not module.is_empty:
                found[name] = module.numbers if numbers else module.digest
            waiting |= module.imports - seen
    return dict(sorted(found.items()))


@cache
def read_module(name: str) -> ModuleCode | None:
    """Returns what is known of a module of this package, `scenebook.evaluation.metrics.classification` say.

    `None` for a name that is no module's. A file that changes is read again after `read_module.cache_clear()`.
    """
    path = PACKAGE.joinpath(*name.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return _read_source(file.read_bytes()) if file.is_file() else None


@cache
def _read_source(source: bytes) -> ModuleCode:
    tree = parse_code(source)
    is_empty = all(_is_text(statement) for statement in tree.body)
    return ModuleCode(source, _digest(tree, whole=False), frozenset(_list_imports(tree)), is_empty)


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
        return _list_imports(parse_code(plain))
    except SyntaxError:
        files = PACKAGE.rglob("*.py")
        parts = (file.relative_to(PACKAGE.parent).with_suffix("").parts for file in files)
        return {".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts}


def _list_imports(tree: ast.AST) -> set[str]:
    """Returns what is imported of this package; packages around it too: their code runs as well."""
    named: set[str] = set()
    for node in _list_statements(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in named if name.split(".")[0] == PACKAGE.name]
    return {".".join(part[:length]) for part in parts for length in range(1, len(part) + 1)}


def _list_statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the statements below a node, but not what stands under `if TYPE_CHECKING:`."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        children = getattr(node, name, [])
        # The body of a lambda or of a condition is an expression.
        for child in children if isinstance(children, list) else []:
            if not isinstance(child, ast.If) or ast.unparse(child.test) != "TYPE_CHECKING":
                yield child
                yield from _list_statements(child)


def _is_text(statement: ast.stmt) -> bool:
    """Texts that stand alone document what is before or around them."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _digest(tree: ast.AST, *, whole: bool = True) -> str:
    parts: list[str] = []
    _describe(tree, parts, whole=whole)
    return sha256_bytes("\n".join(parts).encode("utf-8", "surrogatepass"))


def _describe(value: Any, parts: list[str], *, whole: bool) -> None:
    """Lists a syntax tree in one order, without line numbers; `ast.dump` takes three times as long.

    One that is not `whole` is listed without docstrings, and without what errors say that are raised: they end a
    computation, and are in no result.
    """
    if isinstance(value, ast.AST):
        if not whole and isinstance(value, ast.Raise):
            value = ast.Raise()
        parts.append(type(value).__name__)
        for name in value._fields:
            part = getattr(value, name, None)
            if not whole and name == "body" and isinstance(value, _DOCUMENTED):
                part = [statement for statement in value.body if not _is_text(statement)]
            _describe(part, parts, whole=whole)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for item in value:
            _describe(item, parts, whole=whole)
        parts.append("]")
    else:
        parts.append(f"{type(value).__name__} {value!r}")


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
