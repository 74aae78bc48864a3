"""The files of a run against the digests of its manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import MANIFEST, RunDirectory
from scenebook.pipeline.compare.reading import read_manifest

PREDICTIONS = "predictions"
"""The folder that `predict` writes to: no stage's, and so not in the manifest."""


@dataclass(frozen=True)
class FileProblem:
    """A file of a run that is not as its manifest says.

    Attributes:
        path: Relative to the run.
        problem: What is the matter, as a clause.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def check_files(run_dir: RunDirectory) -> list[FileProblem]:
    """Returns what is wrong with a run's files, sorted by path. Every byte is read.

    Each file of the manifest must be there with its SHA-256, and each file that is there must be in the manifest. Of
    the latter, hidden ones and those of `predictions/` are excepted, and the manifest itself.

    Raises:
        InputError: There is no such run, or its manifest is not one.
    """
    listed = read_manifest(run_dir)["files"]
    problems = [
        FileProblem(path, problem) for path, entry in listed.items() if (problem := _check_listed(run_dir, path, entry))
    ]
    problems += [problem for problem in _find_unlisted(run_dir.root) if problem.path not in listed]
    return sorted(problems, key=lambda problem: problem.path)


def _check_listed(run_dir: RunDirectory, relative: str, entry: Mapping[str, Any]) -> str:
    """Returns what is wrong with a file, or nothing. What lies outside the run is never opened."""
    try:
        path = (run_dir.root / relative).resolve()
        inside = path.is_relative_to(run_dir.root.resolve())
        there = inside and path.is_file()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        inside, there = True, False
    if not inside:
        return "leads out of the run"
    if not there:
        return "is missing"
    try:
        digest = sha256_file(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if digest == entry.get("sha256") else "is not the file that was written: its SHA-256 differs"


def _find_unlisted(root: Path) -> Iterator[FileProblem]:
    """Yields every file of a run that a manifest would have to list, as if it did not."""
    for folder, folders, files in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not _is_excepted(place / name)]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*files, *links):
            if not _is_excepted(place / name):
                yield FileProblem((place / name).as_posix(), "is not in the manifest")


def _is_excepted(path: Path) -> bool:
    return path.name.startswith(".") or path.as_posix() in (MANIFEST, PREDICTIONS)
