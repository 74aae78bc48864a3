"""Kernels that import a notebook's libraries while the stages before it still run: TensorFlow alone takes seconds."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import psutil

from scenebook.core.provenance import sha256_file
from scenebook.core.published_cells import read_published
from scenebook.core.source_code import PACKAGE, digest_cell, parse_code
from scenebook.pipeline.notebooks import PARAMETERS, NotebookFile, source_of, tags_of

COMMAND = (sys.executable, "-P", "-m", "scenebook.pipeline.kernel_process")
"""What starts a kernel; with names of modules, one that imports them and waits."""
_LIBRARIES = frozenset({"keras", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "tensorflow", PACKAGE.name})
"""What may be imported before the kernel is one."""
_INSTALLS = "-install"
"""How the id of the cell ends that installs the package."""
_MOST = 2
"""How many wait at a time."""
_LEAST_FREE_MB = 4000
"""Memory that has to be free before another is started; each takes about 500 MB."""


def list_libraries(notebook: NotebookFile) -> list[str]:
    """Returns the modules of known libraries and of this package that a notebook imports before it does anything else.

    Whatever stands before an import may change what the import does: a variable of the environment, say. So this ends
    at the first statement that is no import, but for the parameters, and for the cell that installs the package where
    it is missing, unless that was edited.
    """
    return list(dict.fromkeys(name for name in _list_imported(notebook) if name.split(".")[0] in _LIBRARIES))


def _list_imported(notebook: NotebookFile) -> Iterator[str]:
    published = read_published(notebook.path.stem)
    for cell in notebook.code_cells:
        name = str(cell.get("id"))
        if name.endswith(_INSTALLS) and digest_cell(source_of(cell)) == published.get(name):
            continue
        try:
            statements = parse_code(source_of(cell)).body
        except SyntaxError:
            return
        for statement in statements:
            if isinstance(statement, ast.Import):
                yield from (alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom):
                module = statement.module or ""
                yield module
                # What is imported from this package may be a module; where it is none, nothing happens.
                yield from (f"{module}.{alias.name}" for alias in statement.names if module.startswith(PACKAGE.name))
            elif not (PARAMETERS in tags_of(cell) and _is_plain(statement)):
                return


def _is_plain(statement: ast.stmt) -> bool:
    """Tells whether a statement gives a name a value that is written there."""
    if not isinstance(statement, ast.Assign):
        return False
    return isinstance(statement.value, ast.Constant) and all(isinstance(one, ast.Name) for one in statement.targets)


@dataclass
class PrewarmedKernels:
    """The processes that wait to become kernels.

    Each starts in the environment of its kernel, so that the libraries find in it what they would find there.
    """

    _waiting: dict[str, tuple[Popen[bytes], tuple[Any, ...]]] = field(default_factory=dict)
    """The process of each stage, and what it depends on."""

    def prepare(self, notebooks: Mapping[str, NotebookFile], environment: Mapping[str, str]) -> None:
        """Starts a process for each of the next stages, as far as there is room.

        Args:
            notebooks: The notebooks of the stages that come next, in their order.
            environment: Of their kernels.
        """
        for stage, notebook in notebooks.items():
            # That of a stage that has just been started will be taken in a moment.
            ahead = len(self._waiting.keys() & notebooks.keys())
            if os.name != "posix" or stage in self._waiting or ahead >= _MOST:
                continue
            state = _note_state(notebook, environment)
            if state[0] and psutil.virtual_memory().available >= _LEAST_FREE_MB * 2**20:
                self._waiting[stage] = _start(state[0], environment, notebook.path.parent), state

    def check(self, stage: str, notebook: NotebookFile, environment: Mapping[str, str]) -> None:
        """Ends the process that waits for a stage, unless its imports, their code and its environment are as they were.

        Called before the stage's thread is started: it would have to wait for what `prepare` reads for the next ones.

        Args:
            stage: The stage.
            notebook: Its notebook as it is executed now.
            environment: Of its kernel.
        """
        if stage in self._waiting and self._waiting[stage][1] != _note_state(notebook, environment):
            _end(self._waiting.pop(stage)[0])

    def take(self, stage: str) -> Popen[bytes] | None:
        """Returns the process that waits for a stage, if there is one, after `check`."""
        process, _ = self._waiting.pop(stage, (None, ()))
        if process is None or process.poll() is None:
            return process
        _end(process)
        return None

    def close(self) -> None:
        """Ends all that still wait."""
        while self._waiting:
            _end(self._waiting.popitem()[1][0])


def _note_state(notebook: NotebookFile, environment: Mapping[str, str]) -> tuple[Any, ...]:
    """Returns what a process that waits depends on: what it imports, the code of this package, and its environment."""
    code = {path: sha256_file(path) for path in PACKAGE.rglob("*.py")}
    return list_libraries(notebook), code, dict(environment)


def _start(libraries: list[str], environment: Mapping[str, str], folder: Path) -> Popen[bytes]:
    environment = {**environment, **_name_parent()}  # ipykernel reads it when it is imported
    return Popen(
        [*COMMAND, *libraries],
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
        env=dict(environment),
        cwd=folder,
        # As Jupyter does it: an interrupt of the command is not meant for its kernels.
        start_new_session=True,
    )


def _name_parent() -> dict[str, str]:
    """Returns what Jupyter gives the kernels that it starts, to end when this process does or is killed."""
    return {"JPY_PARENT_PID": str(os.getpid())}


def _end(process: Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def become_kernel(process: Popen[bytes], arguments: list[str], **options: Any) -> bool:
    """Makes a waiting process a kernel.

    Args:
        process: From `PrewarmedKernels.take`.
        arguments: What would start the kernel: `COMMAND`, and its arguments.
        options: What `Popen` would be given: `env`, `cwd`, and `stdout`, a file that has a name.

    Returns:
        Whether it has taken the order; if not, it has ended.
    """
    order = {
        "arguments": arguments[len(COMMAND) - 1 :],
        "environment": {**options["env"], **_name_parent()},
        "folder": options["cwd"],
        "log": options["stdout"].name,
    }
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.close()
    except OSError:
        process.kill()
        process.wait()
        return False
    return True
