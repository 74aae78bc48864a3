"""Reads a claims file and checks all that can be checked without a run. An error names the claim and the line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from scenebook.core.errors import ClaimsError
from scenebook.core.run_directory import project_root
from scenebook.core.settings import Settings
from scenebook.core.yaml_files import Location, find_line, read_yaml
from scenebook.evaluation.claims.measures import ABLATION, ARTIFACT, MEASURES, NO_MEASURE
from scenebook.evaluation.claims.paper_measures import PAPER_MEASURES
from scenebook.evaluation.claims.schema import (
    Claim,
    ClaimsFile,
    Conditions,
    Expectation,
    Paper,
    ParameterCounts,
    StudyExpectation,
)

WHAT = "claims file"
_UNIONS = {"recipe": "a list of names, or all"}
"""What to say of a key that takes values of several types, where that is not a number, a text, true or false."""
_RANGES = tuple(name for name in Settings.model_fields if name.endswith("_range"))
Problem = tuple[Location, str, object, str]
"""Where in the file, what was expected, what is there, and what to do about it."""


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
        "study": StudyExpectation,
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


def find_problems(loaded: ClaimsFile) -> Iterator[Problem]:
    """Yields what is wrong in a claims file whose keys and types are right."""
    yield from _check_paper(loaded.paper)
    numbers: dict[str, int] = {}
    for number, claim in enumerate(loaded.claims):
        at: Location = ("claims", number)
        if claim.id in numbers:
            yield (*at, "id"), "every id once", claim.id, f"Claim number {numbers[claim.id] + 1} has it too."
        numbers[claim.id] = number
        for location, expected, received, advice in _check_claim(claim, loaded.paper):
            yield (*at, *location), expected, received, advice


def _check_paper(paper: Paper) -> Iterator[Problem]:
    names, matrix = paper.classes, paper.confusion_matrix
    if len(set(names)) < len(names):
        yield ("paper", "classes"), "every class once", ", ".join(names), ""
    if matrix is not None and {len(matrix), *map(len, matrix)} != {len(names)}:
        yield ("paper", "confusion_matrix"), "a row and a column for each of the paper's classes", len(matrix), ""
    for name, value in paper.recipe.items():
        if name not in Settings.model_fields:
            yield ("paper", "recipe", name), "the name of a setting", name, name_near(name, Settings.model_fields)
        elif not _has_type(value, Settings.model_fields[name].annotation):
            known = "`python -m scenebook params` lists what each takes."
            yield ("paper", "recipe", name), "a value of the type that the setting takes", value, known


def _check_claim(claim: Claim, paper: Paper) -> Iterator[Problem]:
    wanted_of = ""
    if (name := claim.paper_measure) is not None:
        measure = PAPER_MEASURES.get(name)
        if measure is None:
            near = name_near(name, PAPER_MEASURES)
            yield ("paper_measure",), "a registered measure of the paper's own numbers", name, near
            return
        if getattr(paper, measure.needs) is None:
            yield ("paper_measure",), f"the paper's {measure.needs} in the file, from which this is computed", name, ""
        if _is_no_number(claim.reported):
            yield ("reported",), "a number, because it is held against one", claim.reported, ""
        wanted_of = measure.of
    if claim.measure in MEASURES:
        wanted_of = MEASURES[claim.measure].of or wanted_of
    elif claim.measure != NO_MEASURE and not ARTIFACT.fullmatch(claim.measure):
        known = f"Registered: {', '.join(MEASURES)}."
        yield ("measure",), "folder/file.json:dotted.path, a registered measure, or none", claim.measure, known
    if claim.measure == ABLATION and not (claim.study and claim.study.directions):
        advice = "Write study: {accuracy: lower}, or higher, or gap: smaller or larger, or both."
        yield ("study",), "what the claim expects of a training, because of measure ablation", None, advice
    elif claim.study and claim.measure != ABLATION:
        yield ("measure",), f"{ABLATION}, because study says what is expected", claim.measure, ""
    if wanted_of:
        known_of = paper.classes if wanted_of == "class" else _RANGES
        if claim.of not in known_of:
            yield ("of",), f"the name of a {wanted_of}", claim.of, name_near(str(claim.of), known_of)
    expect = claim.expect
    if (expect.kind != "equals" or expect.tolerance) and _is_no_number(claim.reported):
        yield ("reported",), f"a number, because of expect {expect.kind}", claim.reported, ""
    elif claim.percent and not isinstance(claim.reported, (bool, str)) and not -1 <= claim.reported <= 1:
        yield ("reported",), "a share of one, because of percent", claim.reported, "Write 0.89 for 89%."
    if expect.kind == "within" and not expect.tolerance:
        yield ("expect",), "a tolerance above 0, because of expect within", expect.tolerance, ""
    yield from _check_recipe(claim, paper)


def _check_recipe(claim: Claim, paper: Paper) -> Iterator[Problem]:
    for name in claim.applies_to.recipe if claim.applies_to.recipe != "all" else ():
        if name not in paper.recipe:
            near = name_near(name, paper.recipe)
            yield ("applies_to", "recipe"), "names of settings that paper.recipe gives", name, near
    if claim.applies_to.same_classes and not paper.classes:
        yield ("applies_to", "same_classes"), "the paper's classes in the file", "none", ""


def _has_type(value: object, annotation: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _is_no_number(value: object) -> bool:
    return isinstance(value, (bool, str))


def name_near(name: str, known: Iterable[str]) -> str:
    """Returns the advice that names the nearest known name, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names) or 'none'}."
