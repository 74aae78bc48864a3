"""Shared fixtures: small folders of real image files, and run directories in temporary folders."""

from __future__ import annotations

import atexit
import functools
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from xdist.scheduler import LoadFileScheduling

from scenebook.core.run_directory import RunDirectory

# TensorFlow's start-up notes are no part of any test's output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "agg")

# As the command line does: nbformat's checks build a grammar of addresses, a second in each process, that none needs.
sys.modules.setdefault("rfc3987_syntax", cast(ModuleType, None))

# No test leaves anything in the cache of whoever runs them, or among the temporary files but what pytest keeps.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="scenebook-tests-")
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
os.environ["SCENEBOOK_CACHE"] = tempfile.mkdtemp(prefix="cache-")


class WholeFolders(LoadFileScheduling):
    """Whole files go to one worker; so does the folder whose files look at one and the same sample report."""

    def _split_scope(self, nodeid: str) -> str:
        folder = "tests/whole/sample/"
        return folder if nodeid.startswith(folder) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFolders | None:
    return WholeFolders(config, log) if config.getvalue("dist") == "loadfile" else None


MakeFolder = Callable[..., Path]


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDirectory:
    """An empty run."""
    return RunDirectory(tmp_path / "runs" / "test")


def write_image(path: Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> Path:
    """Writes an image of smooth noise; another seed gives another image."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize((size[1], size[0]), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Makes a folder of class folders: `make_folder({"cat": 5, "dog": 5}, "train")` below `tmp_path/images`."""
    seeds = iter(range(10**6))

    def make(classes: dict[str, int], below: str = ".") -> Path:
        root = tmp_path / "images"
        for name, count in classes.items():
            (root / below / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                write_image(root / below / name / f"{number:03d}.png", next(seeds))
        return root

    return make


@pytest.fixture
def clean_keras() -> Iterator[None]:
    """Clears what Keras keeps between models, names and seeds among it."""
    import keras

    _leave_what_is_imported_to_itself()
    keras.utils.set_random_seed(0)
    yield
    keras.backend.clear_session()


@functools.cache
def _leave_what_is_imported_to_itself() -> None:
    """Every cleared session collects garbage, half a second each time among what TensorFlow's import leaves behind."""
    gc.collect()
    gc.freeze()
