"""Where the values of settings come from: profiles, `name=value` texts that override them, and `settings.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from scenebook.core.errors import SettingsError
from scenebook.core.project import OWN_PROFILE, expand_home, project_folder, project_root
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import SETTINGS
from scenebook.core.settings import DRAWN_SCENES, INTEL, Settings, check_names
from scenebook.core.wording import tell_nearest
from scenebook.core.yaml_files import parse_scalar, read_yaml


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Parses `name=value` texts, several of them in one text when separated by spaces.

    The value is read as YAML, so `true`, `1e-3`, `none` and `null` mean what they say; quotes around it go. A value
    that holds a space is given in a text of its own: `samples_dir=my images`.

    Raises:
        SettingsError: A text is not of the form `name=value`, the name is unknown, or it is given two values.
    """
    overrides: dict[str, Any] = {}
    for part in (part for text in texts for part in _split_overrides(text)):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value:
            advice = "`none` stands for no value."
            raise SettingsError("Expected a setting as name=value.", received={"set": part}, advice=advice)
        quoted = len(value) > 2 and value[0] == value[-1] and value[0] in "\"'"
        read = _parse_value(name, value[1:-1] if quoted else value)
        if overrides.setdefault(name, read) != read:
            received = {name: [overrides[name], read]}
            raise SettingsError("Expected one value for each setting.", received=received)
    check_names(overrides)
    return overrides


def _split_overrides(text: str) -> list[str]:
    """Splits at spaces, but only before the next `name=`, so that values may hold spaces."""
    parts: list[str] = []
    for word in text.split():
        starts = word.partition("=")[0].isidentifier() and "=" in word
        if starts or not parts:
            parts.append(word)
        else:
            parts[-1] += " " + word
    return parts


def _parse_value(name: str, text: str) -> Any:
    """A setting that is text stays text: a folder may be called `2024` or `007`."""
    field = Settings.model_fields.get(name)
    if field is not None and get_origin(field.annotation) is Literal:
        return text
    if text.lower() == "none":
        return None
    return text if field is not None and field.annotation in (str, str | None) else parse_scalar(text)


def load_profile(path: Path) -> dict[str, Any]:
    """Reads a profile, a YAML file of settings, or raises `SettingsError` where it is none."""
    values = read_yaml(path, "profile", SettingsError, as_text=True).content or {}
    if not isinstance(values, dict):
        raise SettingsError("Expected a profile of `name: value` lines.", received={"profile": str(path)})
    if _is_plan(path):
        raise SettingsError(
            "Expected a profile: this file is a plan of variants.",
            received={"profile": str(path)},
            advice=f'Name it so: SET="ablations=full ablation_plan={path}".',
        )
    check_names(values)
    return {name: _parse_value(name, value) if isinstance(value, str) else value for name, value in values.items()}


def load_named_profile(profile: str) -> tuple[str, dict[str, Any]]:
    """Returns a profile's name, and what `load_profile` does. That of a project names images that lie in it."""
    path = find_profile(profile, project_folder("profiles"))
    values = load_profile(path)
    if profile == OWN_PROFILE and values.get("dataset") not in (DRAWN_SCENES, INTEL, None):
        values["dataset"] = str(project_root() / values["dataset"])
    return path.stem, values


def find_profile(profile: str, folder: Path) -> Path:
    """Returns the path of a profile given by name (a file in `folder`) or as a path to a YAML file."""
    path, by_name = expand_home(profile), folder / f"{profile}.yaml"
    if by_name.is_file() and Path(profile).name == profile:
        return by_name
    if path.is_file():
        return path
    known = sorted({path.stem for path in folder.glob("*.yaml")} - {*list_plans(folder)})
    raise SettingsError(
        "Expected a profile's name or a YAML file.",
        received={"profile": profile},
        advice=f"{tell_nearest(profile, known)}Known profiles: {', '.join(known)}.",
    )


def read_settings(run_dir: RunDirectory) -> dict[str, Any]:
    """Returns the names and values of a run's `settings.yaml`, which need not be valid: anybody may have made it.

    Raises:
        SettingsError: It is missing, too large for settings, no YAML, or holds what is no scalar.
    """
    path, received = run_dir.path(SETTINGS), {"file": SETTINGS, "run": run_dir.name}
    advice = "`make report` with this RUN, and the PROFILE or DATA that it was made from, writes them again."
    if not path.is_file():
        raise SettingsError("Expected a run with its settings.", received=received, advice=advice)
    try:
        file = read_yaml(path, "file of settings", SettingsError, most_bytes=100_000, references=False)
    except SettingsError as error:
        advice = f"{error.advice} {advice}".strip()
        raise SettingsError(error.expected, received=received | error.received, advice=advice) from None
    if not isinstance(file.content, Mapping):
        raise SettingsError("Expected settings as `name: value` lines.", received=received, advice=advice)
    for name, value in file.content.items():
        if not isinstance(name, str) or not isinstance(value, (str, int, float, bool, type(None))):
            # Only the type is told: a number of thousands of digits cannot be printed.
            received |= {"setting": name[:80] if isinstance(name, str) else "", "type": type(value).__name__}
            expected = "Expected settings whose values are text, numbers, true, false or null."
            raise SettingsError(expected, received=received, advice=advice)
    return dict(file.content)


def list_plans(folder: Path) -> list[str]:
    """Returns the names of the plans of studies that lie beside the profiles, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml") if _is_plan(path))


def _is_plan(path: Path) -> bool:
    content = read_yaml(path, "profile", SettingsError).content
    return isinstance(content, dict) and "variants" in content


def find_plan(plan: str, folder: Path, base: Path) -> Path:
    """Returns the path of a plan of variants given by name (a file in `folder`) or as a path that starts at `base`."""
    path, by_name = base / expand_home(plan), folder / f"{plan}.yaml"
    if path.is_file():
        return path.resolve()
    if Path(plan).name == plan and by_name.is_file():
        return by_name.resolve()
    known = list_plans(folder)
    raise SettingsError(
        "Expected ablation_plan to be an existing file, or the name of a plan beside the profiles.",
        received={"ablation_plan": plan},
        advice=f"{tell_nearest(plan, known)}Known plans: {', '.join(known)}.",
    )
