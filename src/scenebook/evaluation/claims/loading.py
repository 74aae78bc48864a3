"""Reads a claims file and checks all that can be checked without a run. An error names the claim and the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, ValidationError

from scenebook.core.errors import ClaimsError
from scenebook.core.run_directory import project_root
from scenebook.core.yaml_files import Location, find_line, read_yaml
from scenebook.evaluation.claims.checking import Problem, find_problems, name_near
from scenebook.evaluation.claims.schema import Claim, ClaimsFile, Conditions, Expectation, Paper, ParameterCounts

WHAT = "claims file"
_UNIONS = {"recipe": "a list of names, or all"}
"""What to say of a key that takes values of several types, where that is not a number, a text, true or false."""


def claims_path(claims_file: Path | str | None) -> Path:
    """Returns the claims file of a run: the one that the setting names, or the project's own."""
    return Path(claims_file).expanduser() if claims_file else project_root() / "report" / "claims.yaml"


def load_claims(path: Path) -> ClaimsFile:
    """Reads a claims file.

    Raises:
        ClaimsError: It cannot be read, or an entry is wrong; the error names the claim and the line.
    """
    return _load(path)[0]


def list_works(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Returns the keys of the works that a claims file cites, each with where that is, for messages.

    Raises:
        ClaimsError: As `load_claims`.
    """
    loaded, content, root = _load(path)
    found: list[tuple[str, Location]] = [(loaded.paper.source, ("paper", "source"))] if loaded.paper.source else []
    found += [(key, ("claims", n, "source")) for n, claim in enumerate(loaded.claims) for key in claim.source]
    return [(key, _describe_place(path, root, content, location)) for key, location in found]


def _load(path: Path) -> tuple[ClaimsFile, dict[str, Any], yaml.Node | None]:
    content, root = read_yaml(path, WHAT, ClaimsError)
    if not isinstance(content, dict):
        raise ClaimsError(f"Expected a {WHAT} with the keys paper and claims.", received={"file": path.name})
    if "name" in content:
        _refuse(path, root, content, (("name",), "a key that is known", "name", "Known: paper, claims."))
    try:
        loaded = ClaimsFile.model_validate({**content, "name": path.name})
    except ValidationError as error:
        _refuse(path, root, content, _explain(error, content))
    for problem in find_problems(loaded):
        _refuse(path, root, content, problem)
    return loaded, content, root


def _explain(error: ValidationError, content: object) -> Problem:
    """Returns the problem to tell of: an unknown key, which may be the one that is missing, misspelt, or the first."""
    errors = error.errors(include_url=False)
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    location = _in_file(first["loc"], content)
    if first["type"] == "extra_forbidden":
        near = name_near(str(location[-1]), [name for name in _model_at(location).model_fields if name != "name"])
        return location, "a key that is known", location[-1], near
    if first["type"] == "missing":
        return location, f"the key {location[-1]}", None, ""
    of_a_union = len({one["type"] for one in errors if _in_file(one["loc"], content) == location}) > 1
    if of_a_union:
        return location, _UNIONS.get(str(location[-1]), "a number, a text, true or false"), first["input"], ""
    return location, f"a valid entry: {first['msg'][:1].lower()}{first['msg'][1:]}", first["input"], ""


def _in_file(location: Location, content: object) -> Location:
    """Returns the part of pydantic's location that the file has: of a union it also names the members."""
    kept: list[int | str] = []
    for part in location:
        if isinstance(content, dict):
            if part not in content:
                return (*kept, part) if part == location[-1] else tuple(kept)
            content = content[part]
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            content = content[part]
        else:
            break
        kept.append(part)
    return tuple(kept)


def _model_at(location: Location) -> type[BaseModel]:
    below: dict[str, type[BaseModel]] = {
        "paper": Paper,
        "parameters": ParameterCounts,
        "expect": Expectation,
        "applies_to": Conditions,
    }
    if location[0] == "claims" and len(location) == 3:
        return Claim
    return below.get(str(location[-2]), ClaimsFile) if len(location) > 1 else ClaimsFile


def _refuse(path: Path, root: yaml.Node | None, content: object, problem: Problem) -> NoReturn:
    location, expected, received, advice = problem
    shown = received if isinstance(received, (bool, int, float, str, type(None))) else type(received).__name__
    received = {**_describe_place(path, root, content, location), "value": shown}
    raise ClaimsError(f"Expected {expected}.", received=received, advice=advice)


def _describe_place(path: Path, root: yaml.Node | None, content: object, location: Location) -> dict[str, Any]:
    return {"file": path.name, "entry": _name_entry(content, location), "line": find_line(root, location)}


def _name_entry(content: object, location: Location) -> str:
    """Returns 'claim accuracy: expect.kind' for `("claims", 6, "expect", "kind")`."""
    claims = content.get("claims") if isinstance(content, dict) else None
    if location[:1] == ("claims",) and len(location) > 1 and isinstance(claims, list):
        number = int(location[1])
        entry = claims[number]
        name = entry.get("id") if isinstance(entry, dict) else None
        rest = ".".join(str(part) for part in location[2:])
        return f"claim {name or f'number {number + 1}'}" + (f": {rest}" if rest else "")
    return ".".join(str(part) for part in location)
