"""The paper's recipe as plain Keras writes it: the legacy `ImageDataGenerator`, and `fit` of the whole model.

Nothing of ours is in it but the building of the base model with its weights, which is not timed, and the decoded
images. No determinism, no environment.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.job import Job
from benchmarks.machine import read_memory_peak, take_seconds
from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network.backbones import build_backbone, preprocessing

ImageDataGenerator = tf.keras.preprocessing.image.ImageDataGenerator


def measure(job: Job) -> dict[str, float]:
    """Trains over the timed epochs; the model has taken two steps before, so that everything is traced."""
    settings = job.settings
    train, batch_size = job.load_train(), settings.batch_size
    x, y = read_arrays(train, job.num_classes)
    model = build_classifier(settings, job.num_classes)
    augmented = build_generator(settings)
    model.fit(augmented.flow(x[: 2 * batch_size], y[: 2 * batch_size], batch_size=batch_size), verbose=0)
    batches = augmented.flow(x, y, batch_size=batch_size)
    seconds = take_seconds(lambda: model.fit(batches, epochs=settings.epochs, verbose=0))
    return {"rate": len(train) * settings.epochs / seconds, "memory": read_memory_peak()}


def build_classifier(settings: Settings, num_classes: int) -> keras.Model:
    """Builds and compiles the classifier of these settings, all but the last layers of its base model frozen."""
    base_model = build_base_model(settings)
    for layer in base_model.layers[: len(base_model.layers) - settings.trainable_base_layers]:
        layer.trainable = False
    flatten, average = keras.layers.Flatten, keras.layers.GlobalAveragePooling2D
    model = keras.Sequential(
        [
            base_model,
            flatten() if settings.head_pooling == "flatten" else average(),
            keras.layers.Dense(settings.head_units, activation="relu"),
            keras.layers.Dense(num_classes, activation="softmax"),
        ]
    )
    # Keras 3 writes the old SGD(decay=...) so.
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        settings.learning_rate, decay_steps=1, decay_rate=settings.decay
    )
    optimizer = keras.optimizers.SGD(schedule, momentum=settings.momentum)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def build_base_model(settings: Settings) -> keras.Model:
    """Builds the backbone with its weights."""
    size, weights = int(settings.image_size), settings.weights
    return build_backbone(settings.backbone, image_size=size, weights=weights, seed=settings.seed)


def build_generator(settings: Settings) -> Any:
    """Builds the legacy class with these settings' ranges; it does the preprocessing, too, image by image."""
    # Operations that the class lacks are errors where they are on.
    return ImageDataGenerator(
        **{name: value for name, value in settings.augmentation.items() if value},
        preprocessing_function=preprocessing(settings.backbone, settings.preprocessing).function,
    )


def read_arrays(images: SplitImages, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 `(n, height, width, 3)` in `[0, 255]` and one-hot labels, for `flow`."""
    return np.asarray(images.stored[images.rows]), np.eye(num_classes, dtype=np.float32)[images.labels]
