"""Markdown with fields that a report fills from its run: the sentences stay as they are typed when the run changes.

A field stands in braces, as in a sentence of `say`, and may state a bound that the sentence around it relies on:

* `{accuracy:.1%}` shows a value; `{accuracy.low:.1%}` a bound of its interval.
* `{finding}` shows a whole sentence that was written from the run.
* `{accuracy>0.85:.1%}` shows a value, and warns in a run in which it is not above 0.85.
* `{better_than_baseline=true}` shows nothing, and warns in a run in which it is false.

Mathematics and code are left alone, and a brace that is doubled is text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scenebook.core.errors import InputError, MissingArtifactError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import FIELDS
from scenebook.core.sentences import Filled, Sourced, fill, format_field, look_up
from scenebook.core.wording import tell_nearest

_TOKEN = re.compile(
    r"(?P<kept>^ {0,3}(?P<fence>`{3,}|~{3,}).*?(?:^ {0,3}(?P=fence)|\Z)"
    r"|(?P<ticks>`+).+?(?<!`)(?P=ticks)(?!`)"
    r"|(?<!\\)\$\$.+?\$\$|(?<![\\\w])\$(?=\S)[^$\n]*?[^\s$]\$(?!\d)"
    r"|\\begin\{(?P<name>\w+\*?)\}.+?\\end\{(?P=name)\}"
    r"|\{\{|\}\})"
    r"|\{(?P<field>[A-Za-z_]\w*(?:\.\w+)?)\s*(?:(?P<sign><=|>=|=|<|>)\s*(?P<bound>[^{}:=<>]+?))?\s*"
    r"(?::(?P<spec>[^{}]*))?\}",
    re.DOTALL | re.MULTILINE,
)
_SIGNS = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "=": operator.eq}
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Fields:
    """What Markdown may name: values and scores, and sentences by name, whose own fields name values."""

    values: Sourced
    sentences: Mapping[str, str]


def collect_fields(sources: Sequence[Mapping[str, Any]], sentences: Mapping[str, str]) -> Fields:
    """Returns the fields of sources, the first of which that knows a name counts, and of sentences."""
    joined = Sourced.join(*sources)
    can_be_shown = (
        name
        for name, value in joined.items()
        if isinstance(value, (str, bool, int, float)) or (isinstance(value, Mapping) and "value" in value)
    )
    shown = {name: (joined[name], joined.source_of(name)) for name in can_be_shown}
    fields = Fields(Sourced.from_pairs(shown), sentences)
    for sentence in sentences.values():
        fill(sentence, (fields.values,))
    return fields


def write_fields(run_dir: RunDirectory, fields: Fields) -> None:
    """Writes the fields of a run's Markdown to `conclusion/fields.json`."""
    values = {name: {"value": value, "source": fields.values.source_of(name)} for name, value in fields.values.items()}
    run_dir.write_json(FIELDS, {"values": values, "sentences": dict(fields.sentences)})


def read_fields(run_dir: RunDirectory) -> Fields | None:
    """Returns the fields of a run's Markdown; `None` where its last notebook has not written any."""
    try:
        content = run_dir.read_json(FIELDS)
    except MissingArtifactError:
        return None
    pairs = {name: (entry["value"], entry["source"]) for name, entry in content["values"].items()}
    return Fields(Sourced.from_pairs(pairs), content["sentences"])


def fill_markdown(text: str, fields: Fields) -> tuple[Filled, list[str]]:
    """Returns Markdown with its fields filled, and a sentence for each bound that does not hold in this run."""
    parts: list[str] = []
    warnings: list[str] = []
    end = 0
    for match in _TOKEN.finditer(text):
        parts.append(_double(text[end : match.start()]))
        end = match.end()
        name, sign, spec = match["field"], match["sign"], match["spec"]
        if match["kept"] is not None:
            kept = match["kept"]
            parts.append(kept if kept in ("{{", "}}") else _double(kept))
        elif name in fields.sentences and not sign:
            parts.append(fields.sentences[name])
        else:
            _check_name(name, fields)
            if sign and not _holds(name, sign, match["bound"], fields):
                shown = format_field(name, spec or "", (fields.values,)).lower()
                warnings.append(
                    f"the text is written for {name} {sign} {match['bound']}, and in this run it is {shown}"
                )
            if not sign or spec is not None:
                parts.append(f"{{{name}:{spec}}}" if spec else f"{{{name}}}")
    parts.append(_double(text[end:]))
    return fill("".join(parts), (fields.values,)), warnings


def _double(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _check_name(name: str, fields: Fields) -> None:
    known = sorted({*fields.values, *fields.sentences})
    if name.partition(".")[0] not in known:
        raise InputError(
            "Expected a field that this run knows.",
            received={"field": name},
            advice=f"{tell_nearest(name, known)}A brace that is text is doubled. Known: {', '.join(known)}.",
        )


def _holds(name: str, sign: str, bound: str, fields: Fields) -> bool:
    value = look_up(name, (fields.values,))
    wanted: Any = _BOOLEANS.get(bound.lower(), bound)
    try:
        if not isinstance(wanted, bool) and not isinstance(value, str):
            wanted = float(bound.rstrip("%")) / (100 if bound.endswith("%") else 1)
        return bool(_SIGNS[sign](value, wanted))
    except (TypeError, ValueError):
        raise InputError(
            "Expected a bound that the value of the field can be compared with.",
            received={"field": name, "bound": bound, "value": value},
        ) from None
