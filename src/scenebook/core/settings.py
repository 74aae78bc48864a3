"""The settings of a run: one flat, typed set of names, read from a profile and overridden one by one."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from scenebook.core.combinations import check_contradictions
from scenebook.core.errors import SettingsError
from scenebook.core.project import expand_home
from scenebook.core.validation import Problem, validate
from scenebook.core.wording import shorten, tell_nearest

DRAWN_SCENES = "scenes"
INTEL = "intel"
OPENVINO = "openvino"
AUTO = "auto"
FLOAT32 = "float32"
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
    *(*AUGMENTATION, "views", "augmentation_seed", "image_size", "fit"),
    *("backbone", "trainable_base_layers", "preprocessing", "head_pooling", "head_units", "dropout", "head_start"),
    *("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay"),
    *("schedule", "decay", "warmup_epochs", "label_smoothing", "class_weights", "early_stopping"),
    *("fine_tune_layers", "fine_tune_epochs", "fine_tune_learning_rate", "test_time_flip", "seed"),
)
"""The settings that can change the numbers of a training; `weights` do too, but what counts is what is in them."""
_UNIONS = {"image_size": "a whole number from 32 to 1024, or auto"}
WEIGHTS_SUFFIXES = (".weights.h5", ".keras")
PATHS = ("dataset", "class_map", "weights", "ablation_plan", "samples_dir", "claims_file")
"""The settings that may be paths."""


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
    groups: str | None = Field(
        None,
        min_length=1,
        description="column of the CSV file, or pattern of paths such as patient-(\\d+): its images stay in one split",
    )
    splits: str | None = Field(
        AUTO,
        min_length=1,
        description="auto: as folders are called; none: all are classes; or train:FOLDER,validation:FOLDER,test:FOLDER",
    )
    follow_links: bool = Field(False, description="use images to which links lead out of the folder")
    scenes_train_per_class: int = Field(70, ge=2, le=5000, description="drawn training images a class")
    scenes_test_per_class: int = Field(50, ge=1, le=5000, description="drawn test images a class")
    max_per_class: int | None = Field(None, ge=3, description="most images a class in train, and in test; none: all")
    max_megapixels: int = Field(64, ge=1, le=1000, description="an image of more millions of pixels is set aside")
    validation_fraction: float = Field(0.1, gt=0, le=0.5, description="share of train that is held out for validation")
    test_fraction: float = Field(0.2, gt=0, le=0.5, description="share cut as test where there is no test folder")
    image_size: Annotated[int, Field(ge=32, le=1024)] | Literal["auto"] = Field(
        96, description="height and width of the images, in pixels; auto: as suits the images and the backbone"
    )
    fit: Literal["squash", "crop", "pad"] = Field(
        "squash", description="how an image becomes square: squash it, crop its middle, or pad it with black"
    )

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
    views: int = Field(0, ge=0, le=10000, description="augmented views an image, shown in turn; 0: one for each epoch")
    augmentation_seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the augmented views")

    backbone: str = Field(
        "efficientnet-lite0", min_length=1, description="efficientnet-lite0, or a model's name in keras.applications"
    )
    weights: str = Field("imagenet", min_length=1, description="imagenet, random, or a .weights.h5 or .keras file")
    trainable_base_layers: int = Field(3, ge=0, description="how many of the backbone's last layers phase one trains")
    preprocessing: Literal["backbone", "rescale"] = Field(
        "backbone", description="the backbone's own, or rescale: 0 to 1, which most backbones were not made for"
    )
    head_pooling: Literal["flatten", "average"] = Field(
        "flatten", description="what the head makes of the backbone's places: keep all of them, or average them"
    )
    head_units: int = Field(64, ge=0, le=65536, description="units of the hidden layer of the head; 0: no hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the last layer's inputs that a training step drops")
    head_start: Literal["random", "linear"] = Field(
        "random", description="the head's first weights: random, or those of a linear classifier on frozen features"
    )

    epochs: int = Field(8, ge=0, le=10000, description="passes over the training images, first phase; 0: left out")
    batch_size: int = Field(32, ge=1, le=4096, description="images in one step of the optimizer")
    optimizer: Literal["sgd", "adam", "adamw"] = Field("sgd", description="what changes the weights in each step")
    learning_rate: float = Field(0.001, gt=0, le=10, description="at the first step, or at the end of the warm-up")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's share of each weight, times the learning rate")
    schedule: Literal["inverse-time", "constant", "cosine"] = Field(
        "inverse-time", description="how the learning rate falls in each phase; cosine: down to 0 at its end"
    )
    decay: float = Field(1e-7, ge=0, le=1, description="inverse-time: the learning rate is divided by 1 + decay * step")
    warmup_epochs: float = Field(0.0, ge=0, le=100, description="cosine: epochs of each phase in which the rate rises")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of each label that is spread over all classes")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: images count more in the loss the rarer their class is in training"
    )
    early_stopping: int = Field(
        0, ge=0, le=10000, description="a phase ends after so many epochs without a lower validation loss; 0: never"
    )
    fine_tune_layers: int = Field(30, ge=0, description="how many of the backbone's last layers phase two trains")
    fine_tune_epochs: int = Field(0, ge=0, le=10000, description="epochs of a second phase, which trains more; 0: none")
    fine_tune_learning_rate: float = Field(1e-5, gt=0, le=10, description="learning_rate of the second phase")
    test_time_flip: bool = Field(False, description="predict an image and its mirror image, and average both")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of drawing, splitting, initial weights and order")
    seeds: int = Field(1, ge=1, le=100, description="how often the network is trained, each time from another seed")
    cross_validation: int = Field(0, ge=0, le=20, description="also train on so many folds of what is not test; 0: no")

    accelerate: bool = Field(True, description="run layers that training does not change once; off: plain fit")
    frozen_layers_runtime: Literal["auto", "tensorflow", "openvino"] = Field(
        "auto", description="what the frozen layers run in; auto: TensorFlow, whatever else is installed"
    )
    feature_cache_gb: float = Field(8, ge=0, le=10000, description="most GB that frozen layers' output takes; 0: none")

    precision: Literal["float32", "mixed", "auto"] = Field(
        "float32", description="what layers compute in; mixed: float16 where that is enough; auto: that on fast GPUs"
    )
    devices: int = Field(1, ge=1, le=64, description="GPUs of this machine that share the images of each step")

    ablations: Literal["none", "claims", "full"] = Field(
        "none", description="which variants of the recipe are trained: those that test a claim, or all of the plan"
    )
    ablation_plan: str | None = Field(
        None, min_length=1, description="plan of the variants, a name in profiles/ or a YAML file; none: ablations"
    )

    samples_dir: str | None = Field(
        None, min_length=1, description="folder of class folders with one sample image each; none: taken from test"
    )
    claims_file: str | None = Field(
        None, min_length=1, description="YAML file of the claims that the run is held against; none: report/claims.yaml"
    )

    @field_validator(*PATHS)
    @classmethod
    def _expand_home(cls, path: str | None) -> str | None:
        return str(expand_home(path)) if path and path.startswith("~") else path

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
    """Returns settings, or raises `SettingsError` for a name, type, value or combination of values that is wrong."""
    check_names(values)

    def make_error(problem: Problem) -> SettingsError:
        name = str(problem.location[0])
        return SettingsError(
            f"Expected a valid value for the setting {name} ({Settings.model_fields[name].description}): "
            f"{problem.rule or f'it should be {problem.expected}'}.",
            received={name: values[name]},
            advice="`python -m scenebook params` lists all settings with their bounds.",
        )

    settings: Settings = validate(Settings, dict(values), make_error, unions=_UNIONS)
    check_contradictions(settings)
    return settings


def check_names(names: Iterable[str]) -> None:
    """Raises `SettingsError` with the nearest known name for the first name that is no setting."""
    for name in names:
        if name not in Settings.model_fields:
            near = tell_nearest(name, Settings.model_fields)
            raise SettingsError(
                "Expected the name of a setting.",
                received={"setting": shorten(str(name), 80)},
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


def describe_settings() -> list[dict[str, str]]:
    """Returns a row a setting: `name`, `default`, `bounds`, `meaning`, for people to read."""
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    types = {"boolean": "true or false", "string": "text"}
    rows = []
    for name, field in Settings.model_json_schema()["properties"].items():
        kind, *others = field.get("anyOf", [field])
        bounds = ", ".join(f"{sign} {kind[key]}" for key, sign in signs.items() if key in kind)
        bounds = bounds or " or ".join(kind.get("enum", ())) or types[kind["type"]] + (" or none" if others else "")
        default = "none" if field["default"] is None else str(field["default"])
        told = {"default": default, "bounds": _UNIONS.get(name, bounds), "meaning": field["description"]}
        rows.append({"name": name, **told})
    return rows
