"""Small pieces of English that depend on data."""

from __future__ import annotations

from collections.abc import Sequence


def join_names(names: Sequence[str]) -> str:
    """Returns 'a', 'a and b', or 'a, b and c'; 'none' for no name."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def count_noun(count: int, noun: str, plural: str = "") -> str:
    """Returns '1 file', '2 files', '1,350 pictures'.

    Args:
        count: How many.
        noun: The singular.
        plural: Where it is not the singular with an s.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def shorten(text: str, limit: int) -> str:
    """Returns a text of at most `limit` characters; what is left out of its middle shows as an ellipsis."""
    if len(text) <= limit:
        return text
    start = limit // 2
    return f"{text[:start]}…{text[len(text) - (limit - 1 - start) :]}"


def name_file(path: str, limit: int = 24) -> str:
    """Returns a file's name without its folders, shortened, for captions."""
    return shorten(str(path).rsplit("/", 1)[-1], limit)


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
