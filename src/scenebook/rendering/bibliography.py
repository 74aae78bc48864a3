"""A `.bib` file as data: read by pandoc, with every LaTeX command that is no plain typing made text before."""

from __future__ import annotations

import bisect
import itertools
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from scenebook.core.errors import ReportError
from scenebook.core.sentences import clean_text
from scenebook.rendering import pandoc
from scenebook.rendering.pandoc import Node, plain_text

LARGEST = 20_000_000
"""Bytes of a file. A library of ten thousand works with their abstracts has about as many."""
READ_WHOLE = 100_000  # characters that pandoc reads in about 0.2 s

_START = re.compile(
    r"^[ \t]*@[ \t]*(?!(?:comment|string|preamble)\b)\w+[ \t]*[{(]\s*([^\s,{}()=]+)[ \t]*,",
    re.IGNORECASE | re.MULTILINE,
)
_ANY_START = re.compile(r"^[ \t]*@[ \t]*\w+[ \t]*[{(]", re.MULTILINE)
_PARENTS = re.compile(r"(?:crossref|xdata|xref)\s*=\s*[{\"]([^{}\"]+)", re.IGNORECASE)
_PLACE = re.compile(r"\(line (\d+), column \d+\):?\s*(.*)", re.DOTALL)
_TITLE = re.compile(r"(?<![\w-])(?:book|sub|booksub|main|journal|issue)?title(?:addon)?\s*=\s*(?=[{\"])", re.IGNORECASE)
_MATHS_OR_COMMAND = re.compile(
    r"(?P<maths>(?<!\\)\$(?:\\[^\n]|[^$\\\n])+\$)"
    r"|\\url[ \t]*\{(?P<url>[^{}\n]*)\}"
    r"|\\(?P<name>[A-Za-z]+)(?P<arguments>(?:[ \t]*(?:\{[^{}\n]*\}|\[[^][{}\n]*\]))*)"
    r"|(?P<escaped>\\[^A-Za-z\n])"
    r"|(?P<dollar>\$)"
)
_TYPING = (
    "u v H t c d b k r i j l o L O aa AA ae AE oe OE ss dh DH dj DJ th TH ng NG S P LaTeX TeX ldots dots copyright "
    "emph textbf textit textsl textsc textrm textsuperscript textsubscript "
    "textendash textemdash textquoteleft textquoteright textquotedblleft textquotedblright textbackslash textbar "
    "textasciitilde textasciicircum textdollar textunderscore textless textgreater"
)
_KEPT = frozenset(_TYPING.split())
"""Commands of letters, styles and signs. Any other is shown as it was typed: none may do anything."""
_WEB = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)

Entry = dict[str, Node]
"""What citeproc knows of a work: the name of a field to a node of pandoc's metadata."""


class Bibliography(NamedTuple):
    """The entries of a file by key, and of each key the lines, counted from 1, on which an entry of it begins."""

    name: str
    entries: dict[str, Entry]
    lines: dict[str, list[int]]


def read_bibliography(path: Path, cited: Collection[str] = ()) -> Bibliography:
    """Reads a `.bib` file, BibTeX or BibLaTeX. Titles keep the case in which they are written.

    Of a large file, a whole library say, only the entries are read that are `cited`.

    Raises:
        ReportError: It is not there, too large, no text or broken; with the file, and the line where that is known.
    """
    text = _read_text(path)
    breaks = [found.start() for found in re.finditer("\n", text)]
    starts = [(bisect.bisect(breaks, found.start(1)) + 1, found[1]) for found in _START.finditer(text)]
    try:
        answer = pandoc.run_pandoc(tame(_select(text, cited)), "biblatex", "json")
    except pandoc.PandocError as error:
        raise _explain(str(error), path.name, starts) from None
    references = json.loads(answer)["meta"].get("references", {"c": []})["c"]
    entries: dict[str, Entry] = {}
    for reference in references:
        entry = _with_safe_addresses(reference["c"])
        entries.setdefault(text_of(entry["id"]), entry)
    lines: dict[str, list[int]] = {}
    for line, key in starts:
        lines.setdefault(key, []).append(line)
    return Bibliography(path.name, entries, lines)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise ReportError(f"Expected a bibliography of at most {LARGEST:,} bytes.", received={"file": path.name})
        return clean_text(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = error.strerror or "cannot be read"
        raise ReportError("Expected a bibliography.", received={"path": str(path), "problem": problem}) from None
    except UnicodeDecodeError as error:
        raise ReportError(
            "Expected the bibliography to be UTF-8.",
            received={"file": path.name, "line": error.object[: error.start].count(b"\n") + 1},
        ) from None


def _select(text: str, cited: Collection[str]) -> str:
    """Returns a file's text; of a long one only what the cited entries need, each on its own line as before."""
    if len(text) <= READ_WHOLE:
        return text
    places = [0, *(found.start() for found in _ANY_START.finditer(text)), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    found = [_START.match(piece) for piece in pieces]
    keyed = [(piece, match[1] if match else "") for piece, match in zip(pieces, found, strict=True)]
    needed: set[str] = set()
    waiting = set(cited)
    while waiting:
        needed |= waiting
        parents = [listed for piece, key in keyed if key in waiting for listed in _PARENTS.findall(piece)]
        waiting = {key for listed in parents for key in re.split(r"[\s,]+", listed)} - needed
    return "".join(piece if not key or key in needed else "\n" * piece.count("\n") for piece, key in keyed)


def _explain(problem: str, name: str, starts: list[tuple[int, str]]) -> ReportError:
    """Turns pandoc's message into an error that names the last of the `starts`, lines and keys, before the place."""
    received: dict[str, Any] = {"file": name}
    if found := _PLACE.search(problem):
        line = int(found[1])
        before = [start for start in starts if start[0] < line] or starts[:1]
        received |= {"key": before[-1][1], "begins on line": before[-1][0]} if before else {}
        received |= {"line": line, "problem": " ".join(found[2].split("\n")[0].split())}
    else:
        received["problem"] = " ".join(problem.split())[:200]
    return ReportError(
        "Expected the bibliography to be BibTeX.",
        received=received,
        advice="Look for a brace, a quotation mark or a comma that is missing there or in the entry before.",
    )


def tame(source: str) -> str:
    """Returns BibTeX in which commands are text, unless they only type a letter or set a style.

    LaTeX is a language: pandoc would drop what it does not know, and show some of the rest twice. A dollar sign without
    its partner on the line is one that is meant. Braces around a title keep its letters as they are, where BibTeX makes
    them small.
    """
    return _keep_case(_MATHS_OR_COMMAND.sub(_tame_one, source))


def _tame_one(found: re.Match[str]) -> str:
    if found["dollar"]:
        return r"\$"
    if found["url"] is not None:
        return found["url"]
    if found["name"] is None or found["name"] in _KEPT:
        return found[0]
    arguments = found["arguments"].replace("{", r"\{").replace("}", r"\}")
    return rf"\textbackslash{{}}{found['name']}{_MATHS_OR_COMMAND.sub(_tame_one, arguments)}"


def _keep_case(source: str) -> str:
    parts, position = [], 0
    for found in _TITLE.finditer(source):
        if found.start() < position:
            continue
        end = _end_of_value(source, found.end())
        if end is None:  # Broken, as pandoc will say. To look on would take the square of the length.
            break
        parts += [source[position : found.end() + 1], "{", source[found.end() + 1 : end], "}"]
        position = end
    return "".join([*parts, source[position:]])


def _end_of_value(source: str, start: int) -> int | None:
    depth = 0
    quoted = source[start] == '"'
    for position in range(start + quoted, len(source)):
        sign = source[position]
        if source[position - 1] == "\\" and sign in "{}":
            continue
        depth += (sign == "{") - (sign == "}")
        if (quoted and sign == '"' and depth == 0) or (not quoted and depth == 0) or depth < 0:
            return position if depth == 0 else None
    return None


def _with_safe_addresses(entry: Entry) -> Entry:
    """Makes an address that leads to neither the web nor a DOI a note: it is shown, and is no link."""
    kept: Entry = {}
    notes = []
    for name, value in entry.items():
        pattern = {"url": _WEB, "doi": _DOI}.get(name.lower())
        if pattern is None:
            kept[name] = value
        elif found := pattern.fullmatch(text_of(value).strip()):
            kept[name] = meta_string(found[found.re.groups])
        else:
            notes.append(text_of(value))
    if notes:
        before = [text_of(kept["note"])] if "note" in kept else []
        kept["note"] = meta_string(", ".join([*before, *notes]))
    return kept


def meta_string(text: str) -> Node:
    return {"t": "MetaString", "c": text}


def text_of(value: Node) -> str:
    content = value["c"]
    return content if isinstance(content, str) else plain_text(content)
