"""The paper's recipe as plain Keras writes it: the legacy `ImageDataGenerator`, and `fit` of the whole model.

Nothing of ours is in it but the building of the base model with its weights, which is not timed, and the decoded
images. No determinism, no environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.clocks import read_memory_peak, take_seconds
from benchmarks.job import Job
from scenebook.data.splitting import SplitImages
from scenebook.network.backbones import build_backbone, preprocessing

ImageDataGenerator = tf.keras.preprocessing.image.ImageDataGenerator


def measure(job: Job) -> dict[str, float]:
    """Trains over the timed epochs; the model has taken two steps before, so that everything is traced."""
    settings = job.settings
    train, batch_size = job.load_split("train"), settings["batch_size"]
    x, y = read_arrays(train, job.num_classes)
    model = build_classifier(settings, job.num_classes)
    augmented = build_generator(settings)
    model.fit(augmented.flow(x[: 2 * batch_size], y[: 2 * batch_size], batch_size=batch_size), verbose=0)
    batches = augmented.flow(x, y, batch_size=batch_size)
    seconds = take_seconds(lambda: model.fit(batches, epochs=settings["epochs"], verbose=0))
    return {"rate": len(train) * settings["epochs"] / seconds, "memory": read_memory_peak()}


def fit_variant(
    settings: Mapping[str, Any], train: SplitImages, validation: SplitImages, *, num_classes: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[np.ndarray]:  # fmt: skip
    """Trains a classifier from the beginning, with the validation images after each epoch, and asks it about both.

    Args:
        settings: The settings of augmentation, model and training, by their names.
        train: The training images.
        validation: The validation images.
        num_classes: The number of classes.
        callbacks: Callbacks of `fit`.

    Returns:
        What the trained network says to the training and to the validation images without augmentation: float32
        `(n, num_classes)` each. An over-fitting gap takes both.
    """
    model, batch_size = build_classifier(settings, num_classes), settings["batch_size"]
    untouched = ImageDataGenerator(preprocessing_function=_find_function(settings))
    as_they_are = [
        untouched.flow(*read_arrays(images, num_classes), batch_size=batch_size, shuffle=False)
        for images in (train, validation)
    ]
    model.fit(
        build_generator(settings).flow(*read_arrays(train, num_classes), batch_size=batch_size),
        validation_data=as_they_are[1],
        epochs=settings["epochs"],
        callbacks=list(callbacks),
        verbose=0,
    )
    return [model.predict(batches, verbose=0) for batches in as_they_are]


def build_classifier(settings: Mapping[str, Any], num_classes: int) -> keras.Model:
    """Builds and compiles the classifier of these settings, all but the last layers of its base model frozen."""
    base_model = build_backbone(
        settings["backbone"], image_size=settings["image_size"], weights=settings["weights"], seed=settings["seed"]
    )
    for layer in base_model.layers[: len(base_model.layers) - settings["trainable_base_layers"]]:
        layer.trainable = False
    flatten, average = keras.layers.Flatten, keras.layers.GlobalAveragePooling2D
    model = keras.Sequential(
        [
            base_model,
            flatten() if settings["head_pooling"] == "flatten" else average(),
            keras.layers.Dense(settings["head_units"], activation="relu"),
            keras.layers.Dense(num_classes, activation="softmax"),
        ]
    )
    # Keras 3 writes the old SGD(decay=...) so.
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        settings["learning_rate"], decay_steps=1, decay_rate=settings["decay"]
    )
    optimizer = keras.optimizers.SGD(schedule, momentum=settings["momentum"])
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def build_generator(settings: Mapping[str, Any]) -> Any:
    """Builds the legacy class with these settings' ranges; it does the preprocessing, too, image by image."""
    return ImageDataGenerator(
        rotation_range=settings["rotation_range"],
        width_shift_range=settings["width_shift_range"],
        height_shift_range=settings["height_shift_range"],
        shear_range=settings["shear_range"],
        zoom_range=settings["zoom_range"],
        horizontal_flip=settings["horizontal_flip"],
        preprocessing_function=_find_function(settings),
    )


def read_arrays(images: SplitImages, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 `(n, height, width, 3)` in `[0, 255]` and one-hot labels, for `flow`."""
    return np.asarray(images.stored[images.rows]), np.eye(num_classes, dtype=np.float32)[images.labels]


def _find_function(settings: Mapping[str, Any]) -> Any:
    return preprocessing(settings["backbone"], settings["preprocessing"]).function
