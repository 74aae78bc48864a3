"""Trainings on one and on two devices, two halves of the CPU, in a process of their own: `python -m` prints JSON."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import MODEL
from tests.unit.network.recipe.test_running import Killed, KilledInEpoch
from tests.unit.network.recipe.trainings import NUMBERS, SIDE, fit_in


def main() -> None:
    """Trains on one device, and on two, with an interruption."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    images = np.random.default_rng(0).normal(size=(5, SIDE, SIDE, 3)).astype(np.float32)
    found = []
    for devices in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            run_dir = RunDirectory(Path(folder))
            if devices == 2:
                with suppress(Killed):
                    fit_in(run_dir, callbacks=[KilledInEpoch(1)], devices=2)
            trained, started = fit_in(run_dir, devices=devices)
            loaded = keras.saving.load_model(run_dir.require(MODEL), compile=False)
            history = trained.history[NUMBERS].to_numpy()
            probs = [model.predict(images, verbose=0) for model in (trained.model, loaded)]
            found.append({"started": started, "numbers": [*np.ravel(history).tolist(), *np.ravel(probs).tolist()]})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
