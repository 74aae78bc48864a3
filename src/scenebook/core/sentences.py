"""Sentences with fields, as `{accuracy:.1%}`: how a value becomes text, in notebooks and in the front matter alike."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scenebook.core.errors import InputError

VALUE_BEGINS, VALUE_ENDS = "\ufdd0", "\ufdd1"
"""Stand around each value in the Markdown of a filled sentence. Unicode keeps them free: no text has them."""
NUMBER_DIGITS = "\ufdd2\ufdd3\ufdd4\ufdd5\ufdd6\ufdd7\ufdd8\ufdd9\ufdda\ufddb"
"""Behind `VALUE_BEGINS`, the digits of the value's number: pandoc moves footnotes, so that order would not tell it."""
_MARKS = re.compile("[\ufdd0-\ufddb]")
_OTHER_SURROGATES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_MISSING = object()


class Sourced(dict[str, Any]):
    """Named values that know where they come from: a sentence hands it on to the report. Otherwise a plain dictionary.

    Args:
        values: Name to value.
        file: The file that holds them under these names, relative to the run.
        origins: Name to origin, of values that do not stand in `file` under their own name.
    """

    def __init__(self, values: Mapping[str, Any], file: str = "", origins: Mapping[str, str] | None = None) -> None:
        super().__init__(values)
        self._file = file
        self._origins = origins or {}

    @classmethod
    def from_pairs(cls, pairs: Mapping[str, tuple[Any, str]]) -> Sourced:
        """Returns values that are each given with their origin, by name."""
        values, origins = ({name: pair[place] for name, pair in pairs.items()} for place in (0, 1))
        return cls(values, origins=origins)

    @classmethod
    def join(cls, *sources: Mapping[str, Any]) -> Sourced:
        """Returns the values of several sources, each with where it comes from; the first that knows a name counts."""
        pairs: dict[str, tuple[Any, str]] = {}
        for source in reversed(sources):
            origin = source.source_of if isinstance(source, Sourced) else lambda name: ""
            pairs |= {name: (value, origin(name)) for name, value in source.items()}
        return cls.from_pairs(pairs)

    def source_of(self, path: str) -> str:
        """Returns where `accuracy` or `accuracy.low` comes from, as `evaluation/metrics.json: accuracy`, or nothing."""
        name, dot, bound = path.partition(".")
        origin = self._origins.get(name, "")
        if origin.endswith(f": {name}"):
            return f"{origin}{dot}{bound}"
        return origin or (f"{self._file}: {path}" if self._file else "")


Sentence = tuple[str, Sourced]
"""A sentence with fields, and their values."""


def join_sentences(sentences: Iterable[Sentence]) -> tuple[str | Sourced, ...]:
    """Returns sentences as one text, and behind it the values of each: all that `say` takes.

    Their fields have names of their own.
    """
    texts, values = zip(*sentences, strict=True)
    return " ".join(texts), *values


@dataclass(frozen=True)
class Used:
    """A value in a filled sentence: as shown, its name in the sentence, and file and path within it.

    Without a source, the notebook's cell computed it.
    """

    text: str
    field: str
    source: str = ""


@dataclass(frozen=True)
class Filled:
    """A sentence whose fields are filled, as Markdown, and what was used for them, in its order.

    What was inserted is escaped, and stands between `VALUE_BEGINS`, with its place in `used`, and `VALUE_ENDS`.
    """

    markdown: str
    used: list[Used] = field(default_factory=list)


def fill(sentence: str, sources: Sequence[Mapping[str, Any]]) -> Filled:
    """Fills the fields of a sentence, in which `{{` stands for a brace, from the first source that knows their name.

    Raises:
        InputError: A field names nothing that was given, reaches for an attribute or cannot be formatted as it asks, or
            a brace is never closed.
    """
    parts: list[str] = []
    used: list[Used] = []
    for literal, name, spec, conversion in _parse(sentence):
        parts.append(without_marks(literal))
        if name is not None:
            if conversion:
                raise InputError("Expected a field without a conversion.", received={"field": name})
            text = without_marks(format_field(name, spec or "", sources))
            number = "".join(NUMBER_DIGITS[int(digit)] for digit in str(len(used)))
            holder = next(source for source in sources if name.partition(".")[0] in source)
            used.append(Used(text, name, holder.source_of(name) if isinstance(holder, Sourced) else ""))
            parts.append(f"{VALUE_BEGINS}{number}{escape(text)}{VALUE_ENDS}")
    return Filled("".join(parts), used)


def has_fields(sentence: str) -> bool:
    """Returns whether there is something to fill in; a brace that is never closed is an `InputError`."""
    return any(name is not None for _, name, _, _ in _parse(sentence))


def _parse(sentence: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(sentence))
    except ValueError as error:
        raise InputError(
            f"Expected a field that is opened and closed: {error}.", advice="A brace that is text is written {{ or }}."
        ) from None


def format_field(name: str, spec: str, sources: Sequence[Mapping[str, Any]]) -> str:
    """Returns a value as text, shown as `spec` says, `.1%` say.

    Its name, `accuracy`, is that of a value or of a score, `accuracy.low` and `accuracy.high` are a score's bounds. It
    is looked up in the first of the sources that knows it.

    Raises:
        InputError: It names nothing that was given, or cannot be shown so.
    """
    value = look_up(name, sources)
    try:
        return show_minus(value, as_utf8(format(value, spec)))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"Expected a format that fits the value of the field: {error}.",
            received={"field": name, "format": spec, "value": value},
        ) from None


def show_minus(value: Any, text: str) -> str:
    """Returns the text of a value; that of a negative number with a real minus in place of the hyphen."""
    is_negative = isinstance(value, int | float) and text.startswith("-")
    return f"\N{MINUS SIGN}{text[1:]}" if is_negative else text


def look_up(field_name: str, sources: Sequence[Mapping[str, Any]]) -> Any:
    """Returns the value that a field names, or raises `InputError` where it names nothing that was given."""
    name, _, bound = field_name.partition(".")
    found = next((source[name] for source in sources if name in source), _MISSING)
    if isinstance(found, Mapping):
        found = found.get(bound or "value", _MISSING) if bound in ("", "low", "high") else _MISSING
    elif bound:
        found = _MISSING
    if found is _MISSING:
        raise InputError(
            "Expected a field that names a value, or a score's low or high.",
            received={"field": field_name},
            advice="Known: " + ", ".join(sorted({key for source in sources for key in source})) + ".",
        )
    return found


def without_marks(text: str) -> str:
    """Returns Markdown without the marks around values, for whoever cannot read them."""
    return _MARKS.sub("", text)


def escape(text: str) -> str:
    """Returns text from data as Markdown that shows it as it is: a class called `*x*` or `<b>` stays text."""
    one_line = " ".join(as_utf8(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]()#+!<>|~$@^&\"'-])", r"\\\1", one_line)
    # A number with a dot at the start of a line would begin a list.
    return re.sub(r"^(\d+)\.(?=\s|$)", r"\1\\.", escaped)


def as_utf8(text: str) -> str:
    """Returns text that can be written as UTF-8: what is none in a file's name becomes replacement signs.

    Linux keeps such bytes as lone surrogates of one range; names of Windows may hold those of any.
    """
    return _OTHER_SURROGATES.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def clean_text(text: str) -> str:
    """Returns text that can be written as UTF-8 and shown.

    What is no UTF-8 in a file's name becomes replacement signs, control characters other than newline and tab go, and
    line ends become newlines.
    """
    text = as_utf8(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROLS.sub("", text)
