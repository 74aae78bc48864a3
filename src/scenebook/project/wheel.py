"""The package itself as a wheel, for a project to install what made it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import scenebook
from scenebook.core.environment import build_environment
from scenebook.core.errors import InputError
from scenebook.core.project import published_root

# What whoever installed it has added.
_OF_INSTALLER = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"}


def make_wheel() -> tuple[str, bytes]:
    """Returns the name and the bytes of a wheel that installs this version of the package.

    An installed package is packed as it lies there, the same files to the same bytes; a checkout is built.

    Raises:
        InputError: The checkout cannot be built, or nothing is known of how the package was installed.
    """
    root = published_root()
    return _build(root) if (root / "pyproject.toml").is_file() else _pack()


def _build(checkout: Path) -> tuple[str, bytes]:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        done = subprocess.run(
            command, cwd=checkout, env=build_environment(), capture_output=True, text=True, check=False
        )
        found = [*Path(folder).glob("*.whl")]
        if done.returncode or not found:
            problem = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise InputError(
                "Expected the checkout to be built into a wheel.",
                received={"checkout": str(checkout), "problem": "".join(problem)},
                advice="`make setup` installs what that needs.",
            )
        return found[0].name, found[0].read_bytes()


def _pack() -> tuple[str, bytes]:
    try:
        installed = metadata.distribution("scenebook")
    except metadata.PackageNotFoundError:
        raise InputError("Expected scenebook to be installed, with pip or uv.") from None
    names = {
        file.as_posix(): Path(str(installed.locate_file(file)))
        for file in installed.files or ()
        # Scripts, which lie outside, are made anew wherever it is installed.
        if ".." not in file.parts and file.suffix != ".pyc" and file.name not in _OF_INSTALLER
    }
    stored, record = io.BytesIO(), io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    record_name = f"scenebook-{scenebook.__version__}.dist-info/RECORD"
    # Stored as it is: what another version of zlib compresses has other bytes. git compresses it.
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        for name, path in sorted(names.items()):
            content = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.writerow([name, f"sha256={digest}", len(content)])
            archive.writestr(zipfile.ZipInfo(name), content)
        rows.writerow([record_name, "", ""])
        archive.writestr(zipfile.ZipInfo(record_name), record.getvalue())
    return f"scenebook-{scenebook.__version__}-py3-none-any.whl", stored.getvalue()
