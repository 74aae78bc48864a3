"""Reads a claims file and checks all that can be checked without a run. An error names the claim and the line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from scenebook.core.errors import ClaimsError
from scenebook.core.project import expand_home, project_folder
from scenebook.core.settings import Settings
from scenebook.core.validation import Problem, describe_place, explain_problem, is_valid, name_near, read_model
from scenebook.core.yaml_files import Location, YamlFile, read_yaml
from scenebook.evaluation.claims.schema import (
    ABLATION,
    ARTIFACT,
    NO_MEASURE,
    PAPER_MEASURES,
    RUN_MEASURES,
    Claim,
    ClaimsFile,
    Paper,
)

_UNIONS = {"recipe": "a list of names, or all"}
"""What to say of a key that takes values of several types, where that is not a number, a text, true or false."""
_RANGES = tuple(name for name in Settings.model_fields if name.endswith("_range"))


def claims_path(claims_file: Path | str | None) -> Path:
    """Returns the claims file of a run: the one that the setting names, or the project's own."""
    return expand_home(claims_file) if claims_file else project_folder("report") / "claims.yaml"


def load_claims(path: Path) -> ClaimsFile:
    """Reads a claims file.

    Raises:
        ClaimsError: It cannot be read, or an entry is wrong.
    """
    return _load(path)[0]


def find_claim(listed: ClaimsFile, *, measure: str, kind: str) -> Claim | None:
    """Returns the first claim on what a run measures so, and that expects so; `None` where there is none."""
    return next((one for one in listed.claims if one.measure == measure and one.expect.kind == kind), None)


def list_works(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Returns the keys of the works that a claims file cites, each with where that is, for messages.

    Raises:
        ClaimsError: As `load_claims`.
    """
    loaded, file = _load(path)
    found: list[tuple[str, Location]] = [(loaded.paper.source, ("paper", "source"))] if loaded.paper.source else []
    found += [(key, ("claims", n, "source")) for n, claim in enumerate(loaded.claims) for key in claim.source]
    return [(key, describe_place(file, at, _name_entry(file.content, at))) for key, at in found]


def _load(path: Path) -> tuple[ClaimsFile, YamlFile]:
    file = read_yaml(path, "claims file", ClaimsError)
    name_entry = partial(_name_entry, file.content)
    loaded = read_model(file, ClaimsFile, name_entry, unions=_UNIONS)
    for problem in find_problems(loaded):
        raise explain_problem(problem, file, name_entry(problem.location))
    return loaded, file


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
            yield Problem((*at, "id"), "every id once", claim.id, f"Claim number {numbers[claim.id] + 1} has it too.")
        numbers[claim.id] = number
        for problem in _check_claim(claim, loaded.paper):
            yield problem._replace(location=(*at, *problem.location))


def _check_paper(paper: Paper) -> Iterator[Problem]:
    names, matrix = paper.classes, paper.confusion_matrix
    if len(set(names)) < len(names):
        yield Problem(("paper", "classes"), "every class once", ", ".join(names))
    if matrix is not None and {len(matrix), *map(len, matrix)} != {len(names)}:
        yield Problem(("paper", "confusion_matrix"), "a row and a column for each of the paper's classes", len(matrix))
    for name, value in paper.recipe.items():
        if name not in Settings.model_fields:
            near = name_near(name, Settings.model_fields)
            yield Problem(("paper", "recipe", name), "the name of a setting", name, near)
        elif not is_valid(Settings.model_fields[name].annotation, value):
            known = "`python -m scenebook params` lists what each takes."
            yield Problem(("paper", "recipe", name), "a value of the type that the setting takes", value, known)


def _check_claim(claim: Claim, paper: Paper) -> Iterator[Problem]:
    wanted_of, is_number = "", not isinstance(claim.reported, (bool, str))
    if (name := claim.paper_measure) is not None:
        measure = PAPER_MEASURES.get(name)
        if measure is None:
            near = name_near(name, PAPER_MEASURES)
            yield Problem(("paper_measure",), "a registered measure of the paper's own numbers", name, near)
            return
        if getattr(paper, measure.needs) is None:
            expected = f"the paper's {measure.needs} in the file, from which this is computed"
            yield Problem(("paper_measure",), expected, name)
        if not is_number:
            yield Problem(("reported",), "a number, because it is held against one", claim.reported)
        wanted_of = measure.of
    if claim.measure in RUN_MEASURES:
        wanted_of = RUN_MEASURES[claim.measure] or wanted_of
    elif claim.measure != NO_MEASURE and not ARTIFACT.fullmatch(claim.measure):
        known = f"Registered: {', '.join(RUN_MEASURES)}."
        yield Problem(("measure",), "folder/file.json:dotted.path, a registered measure, or none", claim.measure, known)
    if claim.measure == ABLATION and not (claim.study and claim.study.directions):
        advice = "Write study: {accuracy: lower}, or higher, or gap: smaller or larger, or both."
        yield Problem(("study",), "what the claim expects of a training, because of measure ablation", None, advice)
    elif claim.study and claim.measure != ABLATION:
        yield Problem(("measure",), f"{ABLATION}, because study says what is expected", claim.measure)
    if wanted_of:
        known_of = paper.classes if wanted_of == "class" else _RANGES
        if claim.of not in known_of:
            yield Problem(("of",), f"the name of a {wanted_of}", claim.of, name_near(str(claim.of), known_of))
    expect = claim.expect
    if (expect.kind != "equals" or expect.tolerance) and not is_number:
        yield Problem(("reported",), f"a number, because of expect {expect.kind}", claim.reported)
    elif claim.percent and not isinstance(claim.reported, (bool, str)) and not -1 <= claim.reported <= 1:
        yield Problem(("reported",), "a share of one, because of percent", claim.reported, "Write 0.89 for 89%.")
    if expect.kind == "within" and not expect.tolerance:
        yield Problem(("expect",), "a tolerance above 0, because of expect within", expect.tolerance)
    for name in claim.applies_to.recipe if claim.applies_to.recipe != "all" else ():
        if name not in paper.recipe:
            near = name_near(name, paper.recipe)
            yield Problem(("applies_to", "recipe"), "names of settings that paper.recipe gives", name, near)
    if claim.applies_to.same_classes and not paper.classes:
        yield Problem(("applies_to", "same_classes"), "the paper's classes in the file", "none")
