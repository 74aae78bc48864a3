"""The plan of a study: which variants of the run's recipe there are, read from a YAML file and resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenebook.core.backbones import NAMED_WEIGHTS, find_backbone
from scenebook.core.combinations import list_without_effect
from scenebook.core.errors import SettingsError
from scenebook.core.project import project_folder
from scenebook.core.settings import NO_AUGMENTATION, TRAINING, WEIGHTS_SUFFIXES, Settings
from scenebook.core.validation import read_model
from scenebook.core.yaml_files import read_yaml

BASE = "base"
NONE, CLAIMS, FULL = "none", "claims", "full"
"""Values of the setting `ablations`."""

CHANGEABLE = (*(name for name in TRAINING if name not in ("image_size", "augmentation_seed", "seed")), "weights")
"""Settings that a variant may change; the images are the same for all of a study."""

OF_BACKBONES = ("backbone", "weights")
"""Settings that say where a network starts from."""

ALL_OF_IT = "augmentation"
"""What a variant calls all operations of the augmentation: `augmentation: off`."""

LAYERS = "trainable_base_layers"
LAST = ("last block", "last stage")
"""Values of `trainable_base_layers` that only the built network can turn into a number."""

_SEEDS_OF_A_CLAIM = 3


@dataclass(frozen=True)
class Variant:
    """One variant of the run's recipe.

    Attributes:
        name: Its name, also in files; `base` is the run's own recipe.
        change: The settings that differ from the run's, with their values; `trainable_base_layers` may be one of
            `LAST`. Empty for the base.
        claim: The id of the claim that it tests, or `None`.
        direction: `forward` where it is what the claim speaks of, `opposite` where it is the reverse, else empty.
        seeds: How often it is trained, each time on another fold.
    """

    name: str
    title: str
    change: Mapping[str, Any]
    claim: str | None
    direction: str
    seeds: int

    @property
    def has_own_weights(self) -> bool:
        """Whether it starts from another backbone than the run, or from other weights."""
        return any(name in self.change for name in OF_BACKBONES)

    def apply_to(self, settings: Settings) -> Settings:
        """Returns the run's settings with the change, but for `trainable_base_layers` that are one of `LAST`."""
        known = {name: value for name, value in self.change.items() if not (name == LAYERS and value in LAST)}
        # How often a variant is trained is said by its own `seeds`.
        return settings.updated({"seeds": 1, **known})


_NAMES = (*CHANGEABLE, ALL_OF_IT)


class _Times(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    times: Annotated[float | int, Field(gt=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    title: str = Field(min_length=1, max_length=200)
    change: dict[Literal[_NAMES], bool | int | float | str | _Times] = Field(min_length=1)  # type: ignore[valid-type]
    claim: str | None = None
    opposite: bool = False
    seeds: int | None = Field(None, ge=1, le=100)


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    variants: list[_Entry]


def plan_path(ablation_plan: str | None) -> Path:
    """Returns the file that the setting `ablation_plan` names."""
    return Path(ablation_plan) if ablation_plan else project_folder("profiles") / "ablations.yaml"


def load_plan(path: Path, settings: Settings) -> list[Variant]:
    """Reads the variants of a study: the base, and every variant that differs from it, in the order of the file."""
    file = read_yaml(path, "plan of variants", SettingsError)
    rule = "a setting's value, or {times: factor} with a factor above 0"
    advice = "profiles/ablations.yaml says at its top how such a file is written."
    entries = read_model(file, _Plan, unions=dict.fromkeys(_NAMES, rule), advice=advice).variants
    names = [BASE, *(entry.name for entry in entries)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError("Expected another name for each variant.", received={"plan": path.name, "name": twice[0]})
    variants = [variant for entry in entries if (variant := _resolve(entry, settings, path)).change]
    seeds = max((variant.seeds for variant in variants), default=1)
    return [Variant(BASE, "as the run", {}, None, "", seeds), *variants]


def choose_variants(variants: Sequence[Variant], ablations: str) -> list[Variant]:
    """Returns the variants that the setting `ablations` asks for: `none` of them, those with `claims`, or all."""
    wanted = {NONE: [], CLAIMS: [one for one in variants if one.claim or one.name == BASE], FULL: list(variants)}
    return wanted[ablations]


def _resolve(entry: _Entry, settings: Settings, path: Path) -> Variant:
    change = {}
    for name, wanted in _write_out(entry, path).items():
        value = _multiply(getattr(settings, name), wanted.times) if isinstance(wanted, _Times) else wanted
        if name == "weights" and isinstance(value, str) and value not in NAMED_WEIGHTS:
            value = str((path.parent / Path(value).expanduser()).resolve())
        if value != getattr(settings, name):
            change[name] = value
    seeds = entry.seeds or (_SEEDS_OF_A_CLAIM if entry.claim else 1)
    direction = ("opposite" if entry.opposite else "forward") if entry.claim else ""
    variant = Variant(entry.name, entry.title, change, entry.claim, direction, seeds)
    try:
        # What changes nothing beside the other settings would be trained for nothing.
        changed = variant.apply_to(settings)
        idle = list_without_effect(changed)
        find_backbone(changed.backbone)
        if changed.weights not in NAMED_WEIGHTS and not changed.weights.endswith(WEIGHTS_SUFFIXES):
            raise SettingsError(
                f"Expected weights to be one of {', '.join(NAMED_WEIGHTS)}, or a .weights.h5 or .keras file.",
                received={"weights": changed.weights},
            )
    except SettingsError as error:
        raise SettingsError(
            f"In the plan {path.name}, variant {entry.name}: {error.expected}",
            received=error.received,
            advice=error.advice,
        ) from None
    return replace(variant, change={name: value for name, value in change.items() if name not in idle})


def _write_out(entry: _Entry, path: Path) -> dict[str, Any]:
    """Returns the change with `augmentation: off` as the settings that it stands for; others beside it prevail.

    Another backbone without weights has those of its own that are taken when nothing is said.
    """
    change: dict[str, Any] = dict(entry.change)
    if "backbone" in change:
        change.setdefault("weights", NAMED_WEIGHTS[0])
    if ALL_OF_IT not in change:
        return change
    if entry.change[ALL_OF_IT] is not False:
        raise SettingsError(
            f"In the plan {path.name}, variant {entry.name}: Expected augmentation to be off.",
            received={ALL_OF_IT: entry.change[ALL_OF_IT]},
            advice="To change it, name its settings one by one.",
        )
    return NO_AUGMENTATION | {name: value for name, value in change.items() if name != ALL_OF_IT}


def _multiply(value: Any, factor: float) -> Any:
    product = value * factor
    # 0.001 times 0.1 is 0.0001, not the nearest sum of powers of two that multiplying leaves.
    return max(min(value, 1), round(product)) if isinstance(value, int) else float(f"{product:.12g}")
