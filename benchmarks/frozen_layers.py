"""How many images a second go through the frozen layers alone, preprocessed images in memory."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from benchmarks.clocks import measure_rate
from benchmarks.job import Job
from scenebook.network import training
from scenebook.network.backbones import preprocessing
from scenebook.network.fitting import build_frozen_classifier
from scenebook.network.frozen.cutting import split_frozen
from scenebook.network.frozen.running import compile_frozen_layers


def measure_keras(job: Job) -> dict[str, float]:
    """The frozen layers as a Keras model: called with batch after batch, and by `predict`."""
    base, batches = build_base(job), read_batches(job)
    count = sum(len(images) for images in batches)
    everything = tf.concat(batches, axis=0)

    def call() -> None:
        for images in batches:
            base(images, training=False)

    def predict() -> None:
        base.predict(everything, batch_size=job.settings["batch_size"], verbose=0)

    base(batches[0], training=False)
    rate = measure_rate(call, count, seconds=job.seconds)
    base.predict(batches[0], verbose=0)
    return {"rate": rate, "predict": measure_rate(predict, count, seconds=job.seconds)}


def measure_tensorflow(job: Job) -> dict[str, float]:
    """The frozen layers as our one graph in TensorFlow."""
    return _measure_compiled(job, "tensorflow")


def measure_openvino(job: Job) -> dict[str, float]:
    """The frozen layers in OpenVINO."""
    return _measure_compiled(job, "openvino")


def _measure_compiled(job: Job, runtime: str) -> dict[str, float]:
    training.initialize_determinism(job.settings["seed"])
    run_base, batches = compile_frozen_layers(build_base(job), runtime), read_batches(job)

    def run(batches: Sequence[tf.Tensor]) -> None:
        for _ in run_base.run_batches(batches):
            pass

    run(batches[:1])
    count = sum(len(images) for images in batches)
    return {"rate": measure_rate(lambda: run(batches), count, seconds=job.seconds)}


def build_base(job: Job) -> keras.Model:
    """Builds the frozen part of the job's classifier."""
    return split_frozen(build_frozen_classifier(job.settings, job.num_classes)).base


def read_batches(job: Job) -> list[tf.Tensor]:
    """Returns the training images without augmentation, preprocessed, batch by batch."""
    train, batch_size = job.load_split("train"), job.settings["batch_size"]
    preprocess_input = preprocessing(job.settings["backbone"], job.settings["preprocessing"])
    starts = range(0, len(train), batch_size)
    return [
        preprocess_input(tf.cast(train.stored[train.rows[start : start + batch_size]], tf.float32)) for start in starts
    ]
