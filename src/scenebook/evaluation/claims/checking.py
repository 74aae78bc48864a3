"""What can be wrong in a claims file whose keys and types are right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from scenebook.core.settings import Settings
from scenebook.core.yaml_files import Location
from scenebook.evaluation.claims.measures import ARTIFACT, MEASURES, NONE
from scenebook.evaluation.claims.paper_measures import OWN_MEASURES
from scenebook.evaluation.claims.schema import Claim, ClaimsFile, Paper

_RANGES = tuple(name for name in Settings.model_fields if name.endswith("_range"))
Problem = tuple[Location, str, object, str]
"""Where in the file, what was expected, what is there, and what to do about it."""


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
    if claim.own is not None:
        own = OWN_MEASURES.get(claim.own)
        if own is None:
            yield (
                ("own",),
                "a registered measure of the paper's own numbers",
                claim.own,
                name_near(claim.own, OWN_MEASURES),
            )
            return
        if getattr(paper, own.needs) is None:
            yield ("own",), f"the paper's {own.needs} in the file, from which this is computed", claim.own, ""
        if _is_no_number(claim.reported):
            yield ("reported",), "a number, because it is held against one", claim.reported, ""
        wanted_of = own.of
    if claim.measure in MEASURES:
        wanted_of = MEASURES[claim.measure].of or wanted_of
    elif claim.measure != NONE and not ARTIFACT.fullmatch(claim.measure):
        known = f"Registered: {', '.join(MEASURES)}."
        yield ("measure",), "folder/file.json:dotted.path, a registered measure, or none", claim.measure, known
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
