"""YAML files that people write: read safely, with the line of every entry, so that an error can name it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from scenebook.core.errors import InputError

MAX_BYTES = 1_000_000
Location = tuple[int | str, ...]
"""Where something stands: `("claims", 6, "expect")`."""


class _Loader(yaml.SafeLoader):
    """Reads 1e-4 as a number too; YAML 1.1 takes it for a text, because it has no dot."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))


def read_yaml(path: Path, what: str, error_type: type[InputError] = InputError) -> tuple[Any, yaml.Node | None]:
    """Returns what a file says, and its tree, which knows the lines.

    Args:
        path: The file.
        what: What it is, for messages: `claims file`.
        error_type: Which error to raise.

    Raises:
        InputError: It cannot be read, is no YAML, or has a key twice in one place: YAML would take the last one and say
            nothing.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise error_type(f"Expected a {what} of at most a megabyte.", received={"file": path.name})
        text = path.read_text(encoding="utf-8-sig")
        loader = _Loader(text)
        root = loader.get_single_node()
        _check_once(root, path, what, error_type)
        return (None if root is None else loader.construct_document(root)), root
    except (OSError, UnicodeDecodeError) as error:
        read = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else None
        where = {} if read is None else {"line": read.count(b"\n") + 1}
        raise error_type(
            f"Expected a readable {what} in UTF-8.", received={"file": path.name, **where}, advice=f"{error}."
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        received = {"file": path.name, **({"line": mark.line + 1} if mark is not None else {})}
        problem = getattr(error, "problem", None) or " ".join(str(error).split()) or "too deeply nested"
        raise error_type(f"Expected a {what} in YAML: {problem}.", received=received) from None


def _check_once(root: yaml.Node | None, path: Path, what: str, error_type: type[InputError]) -> None:
    """Raises an error for a key that stands twice in one mapping."""
    waiting: list[yaml.Node | None] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                received = {"file": path.name, "key": name, "line": line, "first in line": lines[name]}
                raise error_type(f"Expected every key of the {what} once in its place.", received=received)
            lines[name] = line
            waiting.append(value)


def find_line(root: yaml.Node | None, location: Location) -> int:
    """Returns the line, counted from 1, of the deepest part of a location that the file has."""
    if root is None:
        return 1
    node, line = root, root.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            node, line = found[-1][1], found[-1][0].start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1
