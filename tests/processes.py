"""Commands that tests start and end."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenebook.core.run_directory import RunDirectory


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# A shell makes its background jobs deaf to Ctrl-C, and what they start; whoever types a command has one that hears it.
HEARS_CTRL_C: Callable[[], None] | None = _hear_ctrl_c if os.name == "posix" else None
"""`subprocess.Popen`'s `preexec_fn` for a command that is sent a SIGINT."""


@dataclass(frozen=True)
class Finished:
    """A finished command and the run that it made."""

    run_dir: RunDirectory
    build_dir: Path
    output: str
    returncode: int


REACHES_OUT = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
"""An address of no network: where there is one, the attempt times out; without any, it fails at once."""


@functools.cache
def find_isolation() -> tuple[tuple[str, ...], str]:
    """Returns the command that runs another one in a network namespace without a network; or none, and why.

    `SCENEBOOK_REQUIRE_NAMESPACE=1` makes it an error that there is none.
    """
    command = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--net", "--map-root-user")
    try:
        tried = subprocess.run(
            [*command, sys.executable, "-c", REACHES_OUT], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError as error:
        reason = str(error)
    else:
        if "Network is unreachable" in tried.stderr:
            return command, ""
        reason = tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else "a network is there all the same"
    if os.environ.get("SCENEBOOK_REQUIRE_NAMESPACE"):
        raise RuntimeError(f"Expected a network namespace. Received: {reason}")
    return (), reason


def run_command(
    folder: Path, run: str, *arguments: str, cwd: Path | None = None, before: Sequence[str] = ()
) -> Finished:
    """Runs `python -m scenebook` as a user would, with runs and reports below `folder`.

    Args:
        folder: Holds runs, reports and the cache.
        run: The run's name.
        *arguments: Of the command.
        cwd: Where it is typed; by default `folder`.
        before: A command that it is handed to.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SCENEBOOK_")},
        "SCENEBOOK_RUNS": str(folder / "runs"),
        "SCENEBOOK_BUILD": str(folder / "build"),
        "SCENEBOOK_CACHE": str(folder / "cache"),
        "SCENEBOOK_SCHEDULER": "",  # as make sets it where nobody names one
    }
    command = [*before, sys.executable, "-m", "scenebook", *arguments]
    done = subprocess.run(command, cwd=cwd or folder, env=environment, capture_output=True, text=True, check=False)
    return Finished(
        RunDirectory(folder / "runs" / run), folder / "build" / run, done.stdout + done.stderr, done.returncode
    )
