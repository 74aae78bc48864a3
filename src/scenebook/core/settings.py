"""The settings of a run: one flat, typed set of names, read from a profile and overridden one by one."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from scenebook.core.errors import SettingsError
from scenebook.core.validation import Problem, validate
from scenebook.core.wording import tell_nearest
from scenebook.core.yaml_files import parse_scalar, read_yaml

DRAWN_SCENES = "scenes"
INTEL = "intel"
OPENVINO = "openvino"
COLOURS = ("brightness", "contrast", "saturation")
AUGMENTATION = (
    "rotation_range",
    "width_shift_range",
    "height_shift_range",
    "shear_range",
    "zoom_range",
    "horizontal_flip",
    "vertical_flip",
    "random_crop",
    *COLOURS,
)
"""The settings of augmentation, an operation each; all of them off: every view is the image as it is."""
NO_AUGMENTATION: dict[str, Any] = {name: False if name.endswith("_flip") else 0 for name in AUGMENTATION}
"""All of them off."""
TRAINING = (
    *(*AUGMENTATION, "views", "augmentation_seed", "image_size"),
    *("backbone", "trainable_base_layers", "preprocessing", "head_pooling", "head_units"),
    *("epochs", "batch_size", "learning_rate", "decay", "momentum", "seed"),
    *("fine_tuning_epochs", "fine_tuning_base_layers", "fine_tuning_learning_rate"),
)
"""The settings that can change the numbers of a training; `weights` do too, but what counts is what is in them."""
WEIGHTS_SUFFIXES = (".weights.h5", ".keras")


class Settings(BaseModel):
    """Every setting of a run. The defaults are those of the sample profile.

    Frozen; an unknown name, a wrong type and a value out of bounds are errors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    dataset: str = Field(
        DRAWN_SCENES,
        min_length=1,
        description="scenes (drawn), intel (Kaggle), a folder of class folders, or a CSV file of path,label",
    )
    class_map: str | None = Field(
        None, min_length=1, description="YAML or CSV file that names the class of each folder; none: the folder's name"
    )
    scenes_train_per_class: int = Field(70, ge=2, le=5000, description="drawn training images a class")
    scenes_test_per_class: int = Field(50, ge=1, le=5000, description="drawn test images a class")
    max_per_class: int | None = Field(
        None, ge=3, description="at most so many images a class in train, and as many in test; none: all"
    )
    max_megapixels: int = Field(64, ge=1, le=1000, description="an image of more millions of pixels is set aside")
    validation_fraction: float = Field(0.1, gt=0, le=0.5, description="share of train that is held out for validation")
    test_fraction: float = Field(
        0.2, gt=0, le=0.5, description="share that is cut as test when there is no test folder"
    )
    image_size: int = Field(96, ge=32, le=1024, description="height and width of the images, in pixels")

    rotation_range: float = Field(20, ge=0, le=180, description="largest rotation either way, in degrees")
    width_shift_range: float = Field(0.1, ge=0, le=1, description="largest horizontal shift, as a share of the width")
    height_shift_range: float = Field(0.1, ge=0, le=1, description="largest vertical shift, as a share of the height")
    shear_range: float = Field(0.2, ge=0, le=80, description="largest shear angle either way, in degrees")
    zoom_range: float = Field(0.1, ge=0, lt=1, description="zoom factors lie between 1-zoom_range and 1+zoom_range")
    horizontal_flip: bool = Field(True, description="mirror every other image, at random")
    vertical_flip: bool = Field(False, description="turn every other image upside down, at random")
    random_crop: float = Field(0, ge=0, le=0.95, description="largest share of the area that a random crop cuts away")
    brightness: float = Field(0, ge=0, le=1, description="largest change of the brightness, as a share of it")
    contrast: float = Field(0, ge=0, le=1, description="largest change of the contrast, as a share of it")
    saturation: float = Field(0, ge=0, le=1, description="largest change of the saturation, as a share of it")
    views: int = Field(
        0, ge=0, le=10000, description="augmented views of each image, shown in turn; 0: a new one in each epoch"
    )
    augmentation_seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the augmented views")

    backbone: str = Field("embedded", min_length=1, description="embedded, or a model's name in keras.applications")
    weights: str = Field(
        "embedded", min_length=1, description="imagenet, embedded, random, or a .weights.h5 or .keras file"
    )
    trainable_base_layers: int = Field(3, ge=0, description="how many of the backbone's last layers are trained")
    preprocessing: Literal["backbone", "rescale"] = Field(
        "backbone", description="the backbone's own, or rescale: 0 to 1, which most backbones were not made for"
    )
    head_pooling: Literal["flatten", "average"] = Field(
        "flatten", description="what the head makes of the backbone's places: keep all of them, or average them"
    )
    head_units: int = Field(64, ge=1, le=65536, description="units of the hidden dense layer of the head")

    epochs: int = Field(16, ge=1, le=10000, description="passes over the training images")
    batch_size: int = Field(32, ge=1, le=4096, description="images in one step of the optimizer")
    learning_rate: float = Field(0.001, gt=0, le=10, description="learning rate of SGD at the first step")
    decay: float = Field(1e-7, ge=0, le=1, description="the learning rate is divided by 1 + decay * step")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    fine_tuning_epochs: int = Field(
        0, ge=0, le=10000, description="epochs of a second phase, in which more of the backbone is trained; 0: none"
    )
    fine_tuning_base_layers: int = Field(
        30, ge=0, description="how many of the backbone's last layers the second phase trains"
    )
    fine_tuning_learning_rate: float = Field(
        1e-5, gt=0, le=10, description="learning rate of SGD at the first step of the second phase"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of drawing, splitting, initial weights and order")
    seeds: int = Field(1, ge=1, le=100, description="how often the network is trained, each time from another seed")

    accelerate: bool = Field(
        True, description="cut off the layers that training does not change and run them once; off: plain fit"
    )
    frozen_layers_runtime: Literal["auto", "tensorflow", "openvino"] = Field(
        "auto", description="what the frozen layers run in; auto: OpenVINO where it is installed"
    )
    feature_cache_gb: float = Field(
        8, ge=0, le=10000, description="most GB that what the frozen layers put out may take in the cache; 0: not kept"
    )

    ablations: Literal["none", "claims", "full"] = Field(
        "none", description="which variants of the recipe are trained: those that test a claim, or all of the plan"
    )
    ablation_plan: str | None = Field(
        None, min_length=1, description="YAML file of the variants; none: profiles/ablations.yaml"
    )

    samples_dir: str | None = Field(
        None, min_length=1, description="folder of class folders with one sample image each; none: taken from test"
    )
    claims_file: str | None = Field(
        None, min_length=1, description="YAML file of the claims that the run is held against; none: report/claims.yaml"
    )

    @property
    def augmentation(self) -> dict[str, Any]:
        """The settings of augmentation, by their names."""
        return {name: getattr(self, name) for name in AUGMENTATION}

    @property
    def is_augmented(self) -> bool:
        """Whether any of its operations is on."""
        return any(self.augmentation.values())

    def view_of(self, epoch: int) -> int:
        """Returns the index of the view that an epoch shows, counted over all phases."""
        return epoch % self.views if self.views else epoch

    def updated(self, changes: Mapping[str, Any]) -> Settings:
        """Returns a copy with `changes` applied and everything checked again."""
        return make_settings({**self.model_dump(), **changes})


def make_settings(values: Mapping[str, Any]) -> Settings:
    """Checks names, types and bounds.

    Raises:
        SettingsError: A name is unknown, a type is wrong, or a value is out of bounds.
    """
    check_names(values)

    def make_error(problem: Problem) -> SettingsError:
        name = str(problem.location[0])
        return SettingsError(
            f"Expected a valid value for the setting {name} ({Settings.model_fields[name].description}): "
            f"{problem.rule}.",
            received={name: values[name]},
            advice="`python -m scenebook params` lists all settings with their bounds.",
        )

    settings: Settings = validate(Settings, dict(values), make_error)
    return settings


def check_names(names: Iterable[str]) -> None:
    """Raises `SettingsError` with the nearest known name for the first name that is no setting."""
    for name in names:
        if name not in Settings.model_fields:
            near = tell_nearest(name, Settings.model_fields)
            raise SettingsError(
                "Expected the name of a setting.",
                received={"setting": name},
                advice=f"{near}`python -m scenebook params` lists all settings.",
            )


def check_runtime(frozen_layers_runtime: str) -> None:
    """Raises `SettingsError` where OpenVINO is asked for and not installed."""
    if frozen_layers_runtime == OPENVINO and importlib.util.find_spec("openvino") is None:
        raise SettingsError(
            "Expected the package openvino to be installed.",
            received={"frozen_layers_runtime": frozen_layers_runtime},
            advice="Install it with `make setup-openvino`, or set frozen_layers_runtime to auto.",
        )


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Parses `name=value` texts, several of them in one text when separated by spaces.

    The value is read as YAML, so `true`, `1e-3`, `none` and `null` mean what they say. A value that holds a space is
    given in a text of its own: `samples_dir=my images`.

    Raises:
        SettingsError: A text is not of the form `name=value`, or the name is unknown.
    """
    overrides: dict[str, Any] = {}
    for text in texts:
        for part in _split_overrides(text):
            name, equals, value = part.partition("=")
            if not equals or not name.strip():
                raise SettingsError("Expected a setting as name=value.", received={"set": part})
            overrides[name.strip()] = _parse_value(name.strip(), value.strip())
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
    """Reads a profile: a YAML file of settings.

    Raises:
        SettingsError: The file cannot be read, is not a mapping of names to scalars, or has an unknown name.
    """
    values = read_yaml(path, "profile", SettingsError).content or {}
    if not isinstance(values, dict):
        raise SettingsError("Expected a profile of `name: value` lines.", received={"profile": str(path)})
    check_names(values)
    return {name: _parse_value(name, value) if isinstance(value, str) else value for name, value in values.items()}


def find_profile(profile: str, folder: Path) -> Path:
    """Returns the path of a profile given by name (a file in `folder`) or as a path to a YAML file.

    Raises:
        SettingsError: There is no such profile.
    """
    by_name = folder / f"{profile}.yaml"
    if Path(profile).name == profile and by_name.is_file():
        return by_name
    if Path(profile).is_file():
        return Path(profile)
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    raise SettingsError(
        "Expected a profile's name or a YAML file.",
        received={"profile": profile},
        advice=f"{tell_nearest(profile, known)}Known profiles: {', '.join(known)}.",
    )


def describe_settings() -> list[dict[str, str]]:
    """Returns a row a setting: `name`, `default`, `bounds`, `meaning`, for people to read."""
    rows = []
    for name, field in Settings.model_fields.items():
        bounds = [_bound_text(item) for item in field.metadata]
        rows.append(
            {
                "name": name,
                "default": "none" if field.default is None else str(field.default),
                "bounds": ", ".join(text for text in bounds if text) or _type_text(field.annotation),
                "meaning": field.description or "",
            }
        )
    return rows


def _bound_text(item: Any) -> str:
    symbols = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    return next((f"{symbol} {getattr(item, key)}" for key, symbol in symbols.items() if hasattr(item, key)), "")


def _type_text(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(get_args(annotation))
    return {bool: "true or false", str: "text"}.get(annotation, "text or none")
