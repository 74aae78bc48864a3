"""The run directory: where notebooks meet. Names of files, whole-file writes, and the manifest."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenebook.core.errors import InputError, MissingArtifactError
from scenebook.core.project import project_root, read_folder_variable
from scenebook.core.sentences import Sourced
from scenebook.core.stages import STAGES, find_producer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BY_HAND = "by-hand"
TOUCHED = "SCENEBOOK_TOUCHED"
"""Environment variable: a file to which the names of the files of a run go that a process has asked for, a line each.
So the pipeline learns what a notebook has read."""

_MOST_BYTES = 200
"""Of a run's name: file systems take 255, and the names of lock files and temporary ones are a little longer."""

# A carriage return in a file's name is text: only a line feed ends a row.
_CSV: dict[str, Any] = {"encoding": "utf-8", "lineterminator": "\n"}
_READ: dict[str, Any] = {**_CSV, "encoding_errors": "surrogateescape", "keep_default_na": False}


def list_touched(file: Path) -> set[str]:
    """Returns the names of the files of a run that processes have asked for; `file` is what `TOUCHED` named."""
    names = set()
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        with suppress(ValueError):  # the disk was full, or the process was killed
            names.add(str(json.loads(line)))
    return names


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path in the same folder, with the same ending; on success it is renamed to `path`.

    A reader sees the old file or the whole new one, never a half-written one. On an error nothing is left behind.
    One that is `durable` is on the disk before it gets its name, so that it is whole after a power loss.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read; a report is for others too.
        temporary.chmod(0o666 & ~_umask())
        if durable:
            _synchronize(temporary)
        temporary.replace(path)
        if durable and os.name == "posix":
            _synchronize(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yields an empty folder beside `target` that takes its place when it is whole; else nothing is left of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        yield folder
        folder.chmod(0o777 & ~_umask())
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _synchronize(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file, through a temporary one."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON, indented, with a final newline. NaN is an error: JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    write_bytes(path, text.encode())


class RunDirectory:
    """The folder of one run, `runs/<run>/`, made when something is first written.

    Paths are given relative to it, with forward slashes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        return self.root.name

    def path(self, relative: str) -> Path:
        """Returns the absolute path of a file, which may not exist; one that leaves the run is an `InputError`."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise InputError("Expected a path inside the run directory.", received={"path": relative})
        if file := os.environ.get(TOUCHED):
            with open(file, "a", encoding="utf-8") as stream:
                stream.write(f"{json.dumps(relative)}\n")
        return path

    def shorten(self, path: Path) -> str:
        """Returns a path relative to the run's folder where it lies in it, so that the run can be moved.

        `run.root / shortened` is the path again, in either case.
        """
        path, root = path.resolve(), self.root.resolve()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def require(self, relative: str) -> Path:
        """Returns the path of a file, or raises `MissingArtifactError`, which names the notebook that writes it."""
        path = self.path(relative)
        if not path.is_file():
            producer = find_producer(relative)
            raise MissingArtifactError(relative, self.root, producer.notebook if producer else relative.split("/")[0])
        return path

    def write_json(self, relative: str, content: Any) -> None:
        write_json(self.path(relative), content)

    def write_csv(self, relative: str, table: pd.DataFrame) -> None:
        """Writes a table without its index, numbers with 9 significant digits.

        File names that are not valid UTF-8 keep their bytes.
        """
        with self.writing_csv(relative) as add:
            add(table)

    def write_arrays(self, relative: str, **arrays: np.ndarray) -> None:
        """Writes arrays as an npz file without pickles; the same arrays give the same bytes."""
        import numpy as np

        with replacing(self.path(relative)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    @contextmanager
    def writing_csv(self, relative: str) -> Iterator[Callable[[pd.DataFrame], None]]:
        """Yields a function that adds a table's rows to a file, as `write_csv` writes them; all have the same columns.

        The file appears when all rows are written. Only the rows that are being added are in memory.
        """
        with replacing(self.path(relative)) as temporary:
            with temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:

                def add(table: pd.DataFrame) -> None:
                    first = not stream.tell()  # only the first rows come with the columns' names
                    table.to_csv(stream, index=False, header=first, float_format="%.9g", lineterminator="\n")

                yield add

    def write_matrix(self, relative: str, matrix: pd.DataFrame) -> None:
        """Writes a table whose rows and columns carry the same names; the first column, `label`, holds them."""
        with replacing(self.path(relative)) as temporary:
            matrix.to_csv(temporary, index_label="label", **_CSV, errors="surrogateescape")

    def read_matrix(self, relative: str) -> pd.DataFrame:
        """Reads what `write_matrix` wrote: whole numbers, the names as index and columns, whatever they are."""
        import pandas as pd

        cells = pd.read_csv(self.require(relative), header=None, dtype=str, **_READ)
        names = list(cells.iloc[1:, 0])
        return pd.DataFrame(cells.iloc[1:, 1:].astype(int).to_numpy(), index=names, columns=names)

    def read_json(self, relative: str) -> Any:
        """Reads a JSON file that another stage wrote. The values of an object know that they come from it."""
        content = json.loads(self.require(relative).read_text(encoding="utf-8"))
        return Sourced(content, relative) if isinstance(content, dict) else content

    def read_csv(self, relative: str) -> pd.DataFrame:
        """Reads a table that a stage wrote. Its text columns stay text: a class `NA` is not a missing value."""
        import pandas as pd

        path, producer = self.require(relative), find_producer(relative)
        # A table that no stage wrote, such as one of predictions, has columns like those of any stage.
        rows = [producer] if producer else STAGES.values()
        texts = {column for row in rows for column in row.text_columns}
        columns = list(pd.read_csv(path, nrows=0, **_READ).columns)
        dtypes = {name: str for name in columns if name in texts}
        return pd.read_csv(path, dtype=dtypes, na_values={name: [""] for name in columns if name not in texts}, **_READ)


def open_run(run: str) -> RunDirectory:
    """Returns the directory of the run called `run` in the project's `runs/`, or raises `InputError` for a bad name."""
    check_run_name(run)
    return RunDirectory(default_runs_dir() / run)


def default_runs_dir() -> Path:
    """Returns the folder of all runs: `runs/` of the project, or `SCENEBOOK_RUNS` when that is set."""
    return read_folder_variable("SCENEBOOK_RUNS") or project_root() / "runs"


def default_build_dir() -> Path:
    """Returns the folder of all rendered reports: `report/build/`, or `SCENEBOOK_BUILD` when that is set."""
    return read_folder_variable("SCENEBOOK_BUILD") or project_root() / "report" / "build"


def check_run_name(run: str) -> None:
    """Raises `InputError` unless `run` is a plain name: letters, digits, spaces and `._-`, not too long."""
    if not re.fullmatch(r"[\w][\w .\-]{0,99}", run) or run.endswith((" ", ".")) or len(run.encode()) > _MOST_BYTES:
        raise InputError(
            "Expected a run's name of letters, digits, spaces and any of . _ - (a letter or digit first; at most 100 "
            "letters, or 66 in scripts whose letters take three bytes).",
            received={"run": run},
            advice="Choose another name with RUN=name or --run name.",
        )


def run_name_for(text: str) -> str:
    """Turns any text, a folder's name say, into a valid run name."""
    plain = unicodedata.normalize("NFC", text).encode("utf-8", "replace").decode()
    name = re.sub(r"[^\w.\-]+", "-", plain).strip("-._")[:100]
    name = name.encode()[:_MOST_BYTES].decode(errors="ignore").rstrip("-. ")
    return name or "run"
