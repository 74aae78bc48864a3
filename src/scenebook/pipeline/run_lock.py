"""A run belongs to one command at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from scenebook.core.errors import InputError, RunHeldError
from scenebook.core.provenance import tell_time
from scenebook.core.run_directory import RunDirectory, write_json

_HOLDER = ".holder.json"


@contextmanager
def hold_run(run_dir: RunDirectory) -> Iterator[None]:
    """Keeps other commands from writing to a run. The lock ends with the process, whichever way it ends.

    Raises:
        RunHeldError: Another command is writing to it.
        InputError: The run's folder cannot be written to.
    """
    # Beside the run: a run's folder holds nothing that is not the run's.
    lock = FileLock(run_dir.root.with_name(f".{run_dir.name}.lock"))
    try:
        try:
            run_dir.root.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            write_json(run_dir.root / _HOLDER, {"pid": os.getpid(), "since": tell_time()})
        except Timeout:
            raise RunHeldError(run_dir.name, **_read_holder(run_dir)) from None
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


def _read_holder(run_dir: RunDirectory) -> dict[str, str]:
    """Returns who holds a run, as far as that is known: between lock and note lie some milliseconds."""
    try:
        told = json.loads((run_dir.root / _HOLDER).read_text(encoding="utf-8"))
        return {"pid": str(told["pid"]), "since": str(told["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"pid": "unknown", "since": "just now"}
