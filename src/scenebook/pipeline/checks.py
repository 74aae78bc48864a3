"""What is checked before any kernel starts: paths, and the backbone's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenebook.core.backbones import NAMED_WEIGHTS, find_backbone
from scenebook.core.errors import SettingsError, WeightsError
from scenebook.core.settings import (
    DRAWN_SCENES,
    INTEL,
    WEIGHTS_SUFFIXES,
    Settings,
    check_runtime,
)
from scenebook.data.finding import find_images
from scenebook.data.images import check_folder, check_source
from scenebook.data.user_tables import ClassMap
from scenebook.evaluation.claims.loading import claims_path, load_claims


def resolve_paths(settings: Settings, base: Path) -> Settings:
    """Returns settings whose folders and files are absolute, and checks that they are there.

    Args:
        settings: The settings; relative paths in them start at `base`.
        base: Where the command was typed.

    Raises:
        InputError: A folder or a file is missing, or the backbone is unknown.
    """
    changes: dict[str, Any] = {}
    if settings.dataset not in (DRAWN_SCENES, INTEL):
        source = check_source(base / Path(settings.dataset).expanduser())
        changes["dataset"] = str(source)
    if settings.class_map is not None:
        changes["class_map"] = str(_check_class_map(base / Path(settings.class_map).expanduser()))
    if "dataset" in changes:
        find_images(source, class_map=changes.get("class_map"))
    if settings.samples_dir is not None:
        changes["samples_dir"] = str(check_folder(base / Path(settings.samples_dir).expanduser()))
    if settings.claims_file is not None:
        changes["claims_file"] = str(_check_file("claims_file", base / Path(settings.claims_file).expanduser()))
    claims = load_claims(claims_path(changes.get("claims_file"))).claims
    if settings.ablation_plan is not None:
        changes["ablation_plan"] = str(_check_file("ablation_plan", base / Path(settings.ablation_plan).expanduser()))
    if settings.ablation_plan is not None or settings.ablations != "none":
        # What studies need takes longer to import than all else that is checked here.
        from scenebook.study.plan import load_plan, plan_path
        from scenebook.study.verdicts import check_claims

        variants = load_plan(plan_path(changes.get("ablation_plan")), settings)
        # The project's plan goes with the project's claims: of another paper's claims it tests what it can.
        if settings.ablation_plan is not None:
            check_claims(variants, claims)
    check_runtime(settings.frozen_layers_runtime)
    if settings.weights not in NAMED_WEIGHTS:
        changes["weights"] = str(_check_weights(base / Path(settings.weights).expanduser()))
    find_backbone(settings.backbone).find_weights(settings.weights)
    return settings.updated(changes)


def _check_class_map(path: Path) -> Path:
    file = _check_file("class_map", path)
    ClassMap.load(file)
    return file


def _check_file(setting: str, path: Path) -> Path:
    if not path.is_file():
        raise SettingsError(f"Expected {setting} to be an existing file.", received={setting: str(path)})
    return path.resolve()


def _check_weights(path: Path) -> Path:
    if not path.name.endswith(WEIGHTS_SUFFIXES) or not path.is_file():
        raise WeightsError(
            f"Expected weights to be one of {', '.join(NAMED_WEIGHTS)}, or an existing .weights.h5 or .keras file.",
            received={"weights": str(path)},
        )
    return path.resolve()
