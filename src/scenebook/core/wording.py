"""Small pieces of English that depend on data."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Iterable, Sequence

MOST_NAMED = 12
"""So many names are listed in a sentence; of more, the rest is counted."""


def join_names(names: Sequence[str]) -> str:
    """Returns 'a', 'a and b', or 'a, b and c'; 'none' for no name."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def join_some(names: Iterable[str], most: int = MOST_NAMED, other: str = "other", others: str = "") -> str:
    """Returns the names as `join_names` does; of more than `most`, the first and how many others there are."""
    names = list(names)
    rest = [count_noun(len(names) - most, other, others)] if len(names) > most else []
    return join_names(names[:most] + rest)


def say_each(shown: int, count: int) -> str:
    """Returns 'each class', or 'each of the first 30 of 300 classes' where not all are shown."""
    return "each class" if shown >= count else f"each of the first {shown:,} of {count:,} classes"


def count_noun(count: int, noun: str, plural: str = "") -> str:
    """Returns '1 file', '2 files', '1,350 images'; `plural` where it is not the singular with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def say_number(count: int) -> str:
    """Returns 'none', 'one', '2', '1,350'."""
    return {0: "none", 1: "one"}.get(count, f"{count:,}")


def tell_nearest(name: object, known: Iterable[str], shown: str = "{}") -> str:
    """Returns 'Did you mean epochs? ' with the known name nearest to a wrong one; nothing where none is near.

    Upper and lower case count as the same. `shown` is how a name is written, as `[@{}]`.
    """
    names = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(str(name).casefold(), names, n=1, cutoff=0.5)
    return f"Did you mean {shown.format(names[near[0]])}? " if near else ""


def shorten(text: str, limit: int) -> str:
    """Returns a text of at most `limit` characters; what is left out of its middle shows as an ellipsis."""
    if len(text) <= limit:
        return text
    start = limit // 2
    return f"{text[:start]}…{text[len(text) - (limit - 1 - start) :]}"


def name_file(path: str) -> str:
    """Returns a file's name without its folders, shortened, for captions."""
    return shorten(str(path).rsplit("/", 1)[-1], 24)


def format_share(share: float) -> str:
    """Returns a probability as a percentage that never says 0 or 100 of what is neither."""
    if 0 < share <= 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def say_share(share: float) -> str:
    """Returns what `format_share` does in words that fit a sentence."""
    return format_share(share).replace("<", "less than ").replace(">", "more than ")


def printable(text: object) -> str:
    """Returns a text in one line that any file can hold.

    Line breaks and tabs become spaces; control signs, halves of characters (from file names that are not UTF-8) and
    code points that XML forbids become the replacement character.
    """
    signs = []
    for sign in str(text):
        if sign.isspace():
            signs.append(" ")
        elif unicodedata.category(sign) in {"Cc", "Cs"} or ord(sign) & 0xFFFE == 0xFFFE:
            signs.append("\N{REPLACEMENT CHARACTER}")
        else:
            signs.append(sign)
    return "".join(signs)


def shorten_all(texts: Sequence[str], limit: int) -> list[str]:
    """Shortens names and keeps them apart.

    Names that would become equal lose their common start instead of their middle; what is equal even then is numbered.
    `limit` is in characters, at least 12.
    """
    short = [shorten(text, limit) for text in texts]
    for alike in _find_equal(short):
        start = len(os.path.commonprefix([texts[position] for position in alike]))  # noqa: RUF071 (of characters)
        for position in alike:
            rest = texts[position][max(start - 4, 0) :]
            short[position] = f"…{rest}" if len(rest) < limit else f"…{rest[: limit - 2]}…"
    for alike in _find_equal(short):
        for number, position in enumerate(alike, start=1):
            short[position] = f"{shorten(texts[position], limit - 5)} ({number})"
    return short


def _find_equal(texts: Sequence[str]) -> list[list[int]]:
    positions: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        positions.setdefault(text, []).append(position)
    return [alike for alike in positions.values() if len(alike) > 1]


def signed(value: float, digits: int) -> str:
    """Returns a number with its sign, a real minus if it is negative; what is rounded to 0 has none."""
    text = f"{value:+.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text[1:]


def as_typed(value: object) -> str:
    """Returns a setting's value as one would type it on the command line."""
    return {"None": "none", "True": "true", "False": "false"}.get(str(value), str(value))


def show_setting(value: object) -> str:
    """Returns a setting's value without the folders of a path, which would show how the owner's disk is arranged."""
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("\\", "/").rpartition("/")[2]
