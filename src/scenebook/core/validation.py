"""Content that a pydantic model describes: checked, with errors in our words that name the entry and its line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from scenebook.core.errors import InputError
from scenebook.core.wording import tell_nearest
from scenebook.core.yaml_files import Location, YamlFile

Model = TypeVar("Model", bound=BaseModel)
_adapter = cache(TypeAdapter)


class Problem(NamedTuple):
    """What is wrong with some content.

    Attributes:
        expected: What was expected there, as the object of 'Expected'.
        rule: The rule that a value breaks, as a clause: 'input should be greater than 0'.
    """

    location: Location
    expected: str
    received: object = None
    advice: str = ""
    rule: str = ""


def validate(
    annotation: Any,
    content: Any,
    make_error: Callable[[Problem], Exception],
    *,
    context: object = None,
    unions: Mapping[str, str] | None = None,
) -> Any:
    """Returns content as the model, or the type, that it has to be; raises what `make_error` returns where it is wrong.

    `context` is for the model's validators; `unions` says what to expect of keys that take values of several types.
    """
    try:
        return _adapter(annotation).validate_python(content, context=context)
    except ValidationError as error:
        raise make_error(_explain(error, annotation, content, unions or {})) from None


def is_valid(annotation: Any, value: object) -> bool:
    """Returns whether a value is of a type, as it stands."""
    try:
        _adapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def read_model(
    file: YamlFile,
    model: type[Model],
    name_entry: Callable[[Location], str] = lambda location: ".".join(map(str, location)),
    *,
    advice: str = "",
    **options: Any,
) -> Model:
    """Returns what a file says as a model; `options` are for `validate`.

    A place in it is called what `name_entry` returns; a problem without advice of its own gets this `advice`.

    Raises:
        InputError: Of the file's type: an entry is missing, unknown or wrong; it is named with its line.
    """
    if not isinstance(file.content, dict):
        keys = ", ".join(model.model_fields)
        expected = f"Expected the {file.what} to be a mapping with the keys {keys}."
        raise file.error_type(expected, received={"file": file.name}, advice=advice)

    def make_error(problem: Problem) -> InputError:
        told = problem._replace(advice=problem.advice or advice)
        return explain_problem(told, file, name_entry(problem.location))

    validated: Model = validate(model, file.content, make_error, **options)
    return validated


def explain_problem(problem: Problem, file: YamlFile, entry: str) -> InputError:
    """Returns the error for what is wrong at an entry of a file; only numbers and texts are shown as they are."""
    value = problem.received
    shown = value if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__
    received = describe_place(file, problem.location, entry) | {"value": shown}
    return file.error_type(f"Expected {problem.expected}.", received=received, advice=problem.advice)


def describe_place(file: YamlFile, location: Location, entry: str) -> dict[str, Any]:
    """Returns file, entry and line of a place, for messages."""
    return {"file": file.name, "entry": entry, "line": file.find_line(location)}


def _explain(error: ValidationError, annotation: Any, content: object, unions: Mapping[str, str]) -> Problem:
    """Returns the problem to tell of: an unknown key, which may be the one that is missing, misspelt, or the first."""
    errors = error.errors(include_url=False)
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    location = _locate(first, content)
    if first["type"] == "extra_forbidden":
        known = _list_keys(annotation, location)
        advice = f"{tell_nearest(location[-1], known)}Known here: {', '.join(known)}."
        return Problem(location, "only known keys", location[-1], advice)
    if first["type"] == "missing":
        return Problem(location, f"the key {location[-1]}")
    if len({one["type"] for one in errors if _locate(one, content) == location}) > 1:
        expected = unions.get(str(location[-1]), "a number, a text, true or false")
        return Problem(location, expected, first["input"])
    rule = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
    return Problem(location, f"a valid entry: {rule}", first["input"], rule=rule)


def _locate(error: Any, content: object) -> Location:
    """Returns the part of pydantic's location that the content has: of a union it also names the members."""
    kept: list[int | str] = []
    for part in error["loc"]:
        if (isinstance(content, dict) and part in content) or (isinstance(content, list) and isinstance(part, int)):
            content = content[part]
            kept.append(part)
    return (*kept, error["loc"][-1]) if error["type"] == "missing" else tuple(kept)


def _list_keys(annotation: Any, location: Location) -> list[str]:
    models = _list_models(annotation)
    for part in location[:-1]:
        found = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        models = _list_models(found[0]) if found else models
    return [key for model in models for key in model.model_fields]


def _list_models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _list_models(argument)]


def name_near(name: str, known: Collection[str]) -> str:
    """Returns the advice that names the nearest known name, or all of them."""
    return tell_nearest(name, known).strip() or f"Known: {', '.join(known) or 'none'}."
