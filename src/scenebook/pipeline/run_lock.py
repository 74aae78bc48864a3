"""A run belongs to one command at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.provenance import tell_time
from scenebook.core.run_directory import RunDirectory, write_json

_HOLDER = ".holder.json"


@contextmanager
def hold_run(run_dir: RunDirectory) -> Iterator[None]:
    """Keeps other commands from writing to a run, or raises where one does; the lock ends with the process."""
    # Beside the run: a run's folder holds nothing that is not the run's.
    lock = FileLock(run_dir.root.with_name(f".{run_dir.name}.lock"))
    try:
        try:
            run_dir.root.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            write_json(run_dir.root / _HOLDER, {"pid": os.getpid(), "since": tell_time()})
        except Timeout:
            raise ScenebookError(
                f"Expected a run that no other command is using. Received: run={run_dir.name!r}, held by process "
                f"{_name_holder(run_dir)}. Wait until that has ended, or choose another RUN."
            ) from None
        except OSError as error:
            raise InputError(
                "Expected a folder for the run that can be written to.",
                received={"run": str(run_dir.root)},
                advice=f"{error.strerror or error}. Choose another folder with SCENEBOOK_RUNS, or another RUN.",
            ) from None
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                (run_dir.root / _HOLDER).unlink(missing_ok=True)
            # While it is held: filelock 4.2 does not take a file that has lost its name since it was opened.
            with suppress(OSError):
                os.unlink(lock.lock_file)
            lock.release()


def _name_holder(run_dir: RunDirectory) -> str:
    """Returns who holds a run, as far as that is known: between lock and note lie some milliseconds."""
    try:
        return "{pid} since {since}".format(**json.loads((run_dir.root / _HOLDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown since just now"
