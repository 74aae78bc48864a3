"""YAML files that people write: read safely, with the line of every entry, so that an error can name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scenebook.core.errors import InputError

MAX_YAML_BYTES = 1_000_000
Location = tuple[int | str, ...]
"""Where something stands: `("claims", 6, "expect")`."""

_NOT_YAML = (yaml.YAMLError, RecursionError, ValueError)  # a date that is none is a ValueError
_NULL, _INTEGER, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "int", "float"))
_NUMBERS = {
    _INTEGER: re.compile(r"[-+]?[0-9]+$"),
    _FLOAT: re.compile(
        r"(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
"""What is a number: decimals only."""


class _TwiceError(ValueError):
    """A key stands twice in one mapping: YAML would take the last one and say nothing."""


class _Loader(yaml.SafeLoader):
    """Reads numbers as people do: YAML 1.1 takes 010 for 8, 1:30 for 90, and 1e-4 for a text."""

    references = True

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if not self.references and self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="no references to other places", problem_mark=mark)
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                raise _TwiceError({"key": name, "line": line, "first in line": lines[name]})
            lines[name] = line
        return node


class _TextLoader(_Loader):
    """Leaves `007` and `no` as they are written; only null is not a text."""


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that `_Loader`, or YAML 1.1, would read as numbers."""


def _read_integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


_Loader.add_constructor(_INTEGER, _read_integer)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag not in _NUMBERS]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    for _kind in (_Loader, _Dumper):
        _kind.add_implicit_resolver(_tag, _pattern, list("-+.0123456789"))
_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag == _NULL]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says, what messages call it (`what`), and its tree (`root`), which knows the lines."""

    name: str
    what: str
    error_type: type[InputError]
    content: Any
    root: yaml.Node | None

    def find_line(self, location: Location) -> int:
        """Returns the line, counted from 1, of the deepest part of a location that the file has."""
        if self.root is None:
            return 1
        node, line = self.root, self.root.start_mark.line
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


def read_yaml(
    path: Path,
    what: str,
    error_type: type[InputError] = InputError,
    *,
    most_bytes: int = MAX_YAML_BYTES,
    references: bool = True,
    as_text: bool = False,
) -> YamlFile:
    """Reads a YAML file, which messages call `what`: `claims file`.

    Unless there may be `references`, no place refers to another one: a few lines of them can describe more than fits
    into memory. With `as_text`, all that is not null stays the text that it is written as.

    Raises:
        InputError: Of `error_type`: it cannot be read, is too large, is no YAML, or has a key twice in one place.
    """
    received: dict[str, Any] = {"file": path.name}
    try:
        if path.stat().st_size > most_bytes:
            received["bytes"] = path.stat().st_size
            raise error_type(f"Expected a {what} of at most {most_bytes:,} bytes.", received=received)
        loader = (_TextLoader if as_text else _Loader)(path.read_text(encoding="utf-8-sig"))
        loader.references = references
        root = loader.get_single_node()
        return YamlFile(path.name, what, error_type, None if root is None else loader.construct_document(root), root)
    except _TwiceError as error:
        twice = received | error.args[0]
        raise error_type(f"Expected every key of the {what} once in its place.", received=twice) from None
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            received["line"] = error.object[: error.start].count(b"\n") + 1
        raise error_type(f"Expected a readable {what} in UTF-8.", received=received, advice=f"{error}.") from None
    except _NOT_YAML as error:
        if mark := getattr(error, "problem_mark", None):
            received["line"] = mark.line + 1
        problem = getattr(error, "problem", None) or " ".join(str(error).split()) or "too deeply nested"
        raise error_type(f"Expected a {what} in YAML: {problem}.", received=received) from None


def parse_scalar(text: str) -> Any:
    """Returns the number, the truth value or the null that a text is in YAML, or the text."""
    try:
        value = _Loader(text).get_single_data()
    except _NOT_YAML:
        return text
    return value if value is None or isinstance(value, (int, float, bool)) else text


def dump_yaml(values: Mapping[str, Any]) -> str:
    """Returns `name: value` lines that `read_yaml` reads as the same."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
