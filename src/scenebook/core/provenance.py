"""Where results come from: digests, versions and the commit of the code."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from scenebook.core.environment import ONEDNN, build_environment
from scenebook.core.profiles import load_profile
from scenebook.core.settings import make_settings

LIBRARIES = (
    *("tensorflow", "keras", "numpy", "pandas", "scipy", "scikit-learn", "cleanlab", "imagehash", "matplotlib"),
    *("seaborn", "opencv-python-headless", "pillow", "papermill", "nbconvert", "jinja2", "pypandoc_binary", "typst"),
)
"""Libraries whose versions can change a result."""

VISIBLE = "CUDA_VISIBLE_DEVICES"
_EXTRA = "nvidia-cudnn-cu12"
"""A package that the extra `cuda` brings."""
_OPENVINO = "openvino"
_GPU = "GPU"
OF_TRAINING = ("python", "tensorflow", "keras", "numpy", "opencv-python-headless", "pillow", _OPENVINO, ONEDNN, _GPU)
"""What of `library_versions` can change the numbers of a training."""


def tell_time() -> str:
    """Returns the time in UTC, as the manifest has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def list_stamp(path: Path) -> list[int]:
    """Returns what shows, without reading it, that a file is still the one that was seen: size and times.

    The time of its last change is the system's own: unlike that of its last modification, nobody can set it.
    """
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def sha256_file(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_lines(lines: Iterable[str]) -> str:
    """Returns the SHA-256 of a listing, one line an entry, in the given order."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def library_versions(frozen_layers_runtime: str = _OPENVINO) -> dict[str, str]:
    """Returns the versions of Python and of the libraries that can change a result, the setting of oneDNN, and GPUs.

    OpenVINO is only named where a run's setting says that it is used, and it is installed.
    """
    left_out = {_OPENVINO} - {frozen_layers_runtime}
    known = {name: version for name, version in _read_versions().items() if name not in left_out}
    cards = sorted({*find_graphics_cards().values()})
    return known | {ONEDNN: os.environ.get(ONEDNN, "unset"), **({_GPU: ", ".join(cards)} if cards else {})}


@cache
def _read_versions() -> dict[str, str]:
    found = {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}
    with suppress(metadata.PackageNotFoundError):
        found[_OPENVINO] = metadata.version(_OPENVINO)
    return found


def training_versions(frozen_layers_runtime: str) -> dict[str, str]:
    """Returns the versions of what can change the numbers of a training, by a run's setting `frozen_layers_runtime`."""
    versions = library_versions(frozen_layers_runtime)
    return {name: version for name, version in versions.items() if name in OF_TRAINING}


def machine() -> dict[str, str]:
    """Returns what the run was made on, in words that name no host, user or path."""
    found = {"system": f"{platform.system()} {platform.machine()}", "cpus": str(os.cpu_count() or 1)}
    return found | ({"processor": name} if (name := _find_processor()) else {})


def _find_processor() -> str:
    """Returns the processor's name: another one may compute other last digits."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def find_graphics_cards() -> dict[str, str]:
    """Returns the cards of NVIDIA's that `CUDA_VISIBLE_DEVICES` leaves to this process, all where it is not set.

    Each one's number or identifier, as it stands in that variable, leads to its kind, such as `NVIDIA A100-SXM4-40GB`.
    Without the extra `cuda`, TensorFlow computes on the CPU, and there are none.
    """
    program = shutil.which("nvidia-smi")
    cards = _ask(program) if program and any(metadata.distributions(name=_EXTRA)) else ()
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        return {number: kind for number, _, kind in cards}
    names = [name.strip() for name in chosen.split(",")]
    return {
        given: kind
        for given in names
        for number, identifier, kind in cards
        if given and (given == number or identifier.startswith(given))
    }


@cache
def _ask(program: str) -> tuple[tuple[str, ...], ...]:
    """Returns number, identifier and kind of each card."""
    command = [program, "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=build_environment())
    except (OSError, subprocess.SubprocessError):  # a driver that does not work: TensorFlow finds no card either
        return ()
    rows = (tuple(part.strip() for part in line.split(",", 2)) for line in done.stdout.splitlines())
    return tuple(row for row in rows if len(row) == 3)


def changed_settings(settings: Mapping[str, Any], profile: Path) -> dict[str, Any]:
    """Returns those of a run's settings whose values are not those of a profile, which is a YAML file."""
    base = make_settings(load_profile(profile)).model_dump()
    return {name: value for name, value in settings.items() if name not in base or base[name] != value}


def without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings with the folders taken off absolute paths, which would show how the owner's disk is arranged."""
    return {
        name: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for name, value in settings.items()
    }


def git_commit(folder: Path) -> str:
    """Returns the checkout's commit, with `-dirty` where tracked files were changed; `unknown` outside git.

    A checkout that was unpacked without its history, in a folder of another repository, has none.
    """
    try:
        if not Path(_git(folder, "rev-parse", "--show-toplevel")).samefile(folder):
            return "unknown"
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("-dirty" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    # Without locks of its own: whoever works in the checkout meanwhile must not find it locked, nor a lock left behind.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=build_environment())
    return done.stdout.strip()
