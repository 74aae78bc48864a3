"""Functions that tests run on workers."""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil


def describe_process(_: Any) -> dict[str, Any]:
    """Returns the environment of the process that runs it, and what it has imported."""
    modules = [name for name in ("tensorflow", "keras") if name in sys.modules]
    return {"pid": os.getpid(), "environment": dict(os.environ), "modules": modules}


def double(number: int) -> int:
    return 2 * number


def double_unless_negative(number: int) -> int:
    if number < 0:
        fail(f"{number} is\nnegative")
    return double(number)


def fail(text: str) -> None:
    raise ValueError(text)


def leave(_: Any) -> None:
    sys.exit(3)


class Unsendable(Exception):
    """An error that can be pickled, but not be loaded: it wants two arguments and keeps one."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left}, {right}")


def raise_what_cannot_be_sent(_: Any) -> None:
    raise Unsendable("left", "right")


def return_what_cannot_be_sent(_: Any) -> Any:
    return threading.Lock()


def make_file(folder: Path) -> str:
    path = folder / uuid.uuid4().hex
    path.touch()
    return path.name


def hold(folder: Path) -> int:
    """Tells that it runs, by a file named after its process, and ends when there is a file `go`."""
    (folder / f"{os.getpid()}.pid").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return os.getpid()


def die() -> None:
    """Ends its process as the system does when memory has run out."""
    psutil.Process().kill()


def die_if_negative(number: int) -> int:
    if number < 0:
        die()
    return double(number)


def die_once(marker: Path) -> str:
    """Ends its process the first time."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return "survived"
    die()
    return "still alive"


def print_and_die_once(folder: Path) -> str:
    print("a task prints", flush=True)
    return die_once(folder / "marker")


class DiesWhenSentOnce:
    """A result whose worker dies while it is fetched, the first time."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (die_once(self.marker),)


def lose_once(marker: Path) -> DiesWhenSentOnce:
    return DiesWhenSentOnce(marker)
