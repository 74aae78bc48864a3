"""The graphics cards that processes of this machine may use, as their driver names them: without TensorFlow."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from importlib import metadata
from typing import NamedTuple

from scenebook.core.environment import build_environment

VISIBLE = "CUDA_VISIBLE_DEVICES"
_EXTRA = "nvidia-cudnn-cu12"
"""A package that the extra `cuda` brings."""


class GraphicsCard(NamedTuple):
    """A card of NVIDIA's.

    Attributes:
        number: Its name in `CUDA_VISIBLE_DEVICES`: a number, or an identifier.
        name: Of its kind, such as `NVIDIA A100-SXM4-40GB`.
    """

    number: str
    name: str


def find_graphics_cards() -> list[GraphicsCard]:
    """Returns the cards that `CUDA_VISIBLE_DEVICES` leaves to this process, all where it is not set.

    Without the extra `cuda`, TensorFlow computes on the CPU, and there are none.
    """
    program = shutil.which("nvidia-smi")
    cards = _ask(program) if program and any(metadata.distributions(name=_EXTRA)) else ()
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        return [GraphicsCard(number, name) for number, _, name in cards]
    names = [name.strip() for name in chosen.split(",")]
    return [
        GraphicsCard(given, kind)
        for given in names
        for number, identifier, kind in cards
        if given and (given == number or identifier.startswith(given))
    ]


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
