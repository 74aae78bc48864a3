"""What is checked before any kernel starts: paths, and the backbone's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenebook.core.backbones import NAMED_WEIGHTS, find_backbone
from scenebook.core.errors import SettingsError, WeightsError
from scenebook.core.profiles import find_plan
from scenebook.core.run_directory import project_root
from scenebook.core.settings import DRAWN_SCENES, INTEL, WEIGHTS_SUFFIXES, Settings, check_runtime
from scenebook.data.finding import check_sizes, find_images
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

    def locate(path: str) -> Path:
        return base / Path(path).expanduser()

    changes: dict[str, Any] = {}
    own_data = settings.dataset not in (DRAWN_SCENES, INTEL)
    if own_data:
        changes["dataset"] = str(check_source(locate(settings.dataset)))
    if settings.ablation_plan is not None:
        changes["ablation_plan"] = str(find_plan(settings.ablation_plan, project_root() / "profiles", base))
    for name in ("class_map", "claims_file"):
        value = getattr(settings, name)
        if value is not None:
            path = locate(value)
            if not path.is_file():
                raise SettingsError(f"Expected {name} to be an existing file.", received={name: str(path)})
            changes[name] = str(path.resolve())
    if "class_map" in changes:
        ClassMap.load(Path(changes["class_map"]))
    if own_data:
        check_sizes(find_images(Path(changes["dataset"]), class_map=changes.get("class_map"), groups=settings.groups))
    if settings.samples_dir is not None:
        changes["samples_dir"] = str(check_folder(locate(settings.samples_dir)))
    claims = load_claims(claims_path(changes.get("claims_file"))).claims
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
        weights = locate(settings.weights)
        if not weights.name.endswith(WEIGHTS_SUFFIXES) or not weights.is_file():
            raise WeightsError(
                f"Expected weights to be one of {', '.join(NAMED_WEIGHTS)}, or an existing .weights.h5 or .keras file.",
                received={"weights": str(weights)},
            )
        changes["weights"] = str(weights.resolve())
    named = find_backbone(settings.backbone).find_weights(settings.weights)
    if named and named.package:
        named.require_file()
    return settings.updated(changes)
