"""The models of `keras.applications`, without their top."""

from __future__ import annotations

import keras

from scenebook.core.backbones import RANDOM, NamedWeights
from scenebook.core.errors import SettingsError
from scenebook.network.imagenet_weights import download_imagenet


def build(name: str, image_size: int, weights: NamedWeights | None) -> keras.Model:
    """Builds a model of `keras.applications`; see `Backbone.builder`.

    Raises:
        SettingsError: It cannot be built for images of this size.
        WeightsError: The weights cannot be downloaded, or are damaged.
    """

    def call() -> keras.Model:
        value = weights.name if weights else None
        shape = (image_size, image_size, 3)
        try:
            return getattr(keras.applications, name)(weights=value, include_top=False, input_shape=shape)
        except ValueError as error:
            if "corrupted file" in str(error):
                raise  # what was downloaded has another checksum than Keras knows
            raise SettingsError(
                f"Expected an image_size that {name} can be built for with these weights.",
                received={"image_size": image_size, "weights": value or RANDOM},
                advice=" ".join(str(error).split()),
            ) from error

    return download_imagenet(name, call) if weights else call()
