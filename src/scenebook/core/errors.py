"""Typed errors. Each keeps its data as attributes and builds its text only when it is shown.

None is equal to another or frozen: Python notes on each where it was raised.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from scenebook.core.wording import shorten

_LONGEST = 600  # characters of a received value that are shown


class ScenebookError(Exception):
    """Base of every error that scenebook raises on purpose. `exit_code` is what the command line returns."""

    exit_code = 1


@dataclass(eq=False, repr=False)
class InputError(ScenebookError):
    """Something that the user gave is wrong. The command line prints the text without a traceback and exits 2.

    What was expected, and the advice what to do about it, are sentences; between them it says `Received: name=value`.
    """

    expected: str
    _: KW_ONLY
    received: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    exit_code = 2

    def __str__(self) -> str:
        parts = [self.expected]
        if self.received:
            shown = ", ".join(f"{name}={shorten(repr(value), _LONGEST)}" for name, value in self.received.items())
            parts.append(f"Received: {shown}.")
        if self.advice:
            parts.append(self.advice)
        return " ".join(parts)


class SettingsError(InputError):
    """A setting has an unknown name, a wrong type or a value out of bounds."""


class DatasetError(InputError):
    """The folder of images cannot be used as it is."""


class WeightsError(InputError):
    """The weights do not exist or do not fit the backbone."""


class ReportError(InputError):
    """The front matter, a reference or a caption of the report is wrong."""


class ClaimsError(InputError):
    """The file of a paper's claims is wrong."""


@dataclass(eq=False, repr=False)
class DownloadError(ScenebookError):
    """`what` could not be downloaded. Whoever asked for it knows what to do about that, and says so.

    The reason is a clause. The next call goes on from the bytes that are `kept`; `status` is that of HTTP with which
    the server refused, if it did.
    """

    what: str
    reason: str
    _: KW_ONLY
    kept: int = 0
    status: int | None = None

    @property
    def explanation(self) -> str:
        """What happened, and what is kept, as sentences."""
        kept = f" {self.kept / 1e6:.1f} MB are kept; the next try goes on from there." if self.kept else ""
        return f"{self.reason[:1].upper()}{self.reason[1:]}.{kept}"

    def __str__(self) -> str:
        return f"The download of {self.what} failed. {self.explanation}"


@dataclass(eq=False, repr=False)
class MissingArtifactError(ScenebookError):
    """A stage needs a file that another stage writes, and it is not there."""

    path: str
    run_dir: Path
    producer: str

    def __str__(self) -> str:
        return (
            f"Expected {self.path} in the run directory. Received: run_dir={str(self.run_dir)!r}. "
            f"Run notebooks/{self.producer}.ipynb first: it writes this file."
        )


@dataclass(eq=False, repr=False)
class DivergedError(ScenebookError):
    """The training loss is no longer a finite number. Epoch, and batch of that epoch, are counted from 1."""

    loss: float
    epoch: int
    batch: int
    learning_rate: float

    def __str__(self) -> str:
        if (self.epoch, self.batch) == (1, 1):
            # The first loss is computed before the first step, so no learning rate can have caused it.
            advice = "No step had been taken yet: the weights or the images lead to numbers that are not finite."
        else:
            advice = "Lower learning_rate, to a tenth for a start."
        return (
            f"Expected a finite training loss. Received: loss={self.loss} in epoch {self.epoch}, batch {self.batch}, "
            f"with learning_rate={self.learning_rate:g}. {advice}"
        )


@dataclass(eq=False, repr=False)
class StageError(ScenebookError):
    """A notebook failed while it was run, for a reason that is one or two sentences.

    Args:
        notebook: The partial notebook that was kept, if any.
        cell: The failing cell, counted from 1 over all cells of the notebook; `None` when no cell is to blame.
        wrong_input: Whether the cell raised an `InputError`: then the command line exits 2.
        was_killed: Whether the kernel was ended from outside, as happens when memory runs out.
        edited: Cells that differ from the published notebook's: the first place to look.
    """

    stage: str
    reason: str
    _: KW_ONLY
    notebook: Path | None
    log: Path
    cell: int | None
    wrong_input: bool = False
    was_killed: bool = False
    edited: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exit_code = InputError.exit_code if self.wrong_input else ScenebookError.exit_code

    def __str__(self) -> str:
        where = f" in cell {self.cell}" if self.cell is not None else ""
        lines = [f"Stage {self.stage!r} failed{where}: {self.reason}"]
        if self.notebook is not None:
            lines.append(f"  notebook so far: {self.notebook}")
        lines.append(f"  log:             {self.log}")
        if self.edited:
            lines.append(f"  your changes:    {', '.join(self.edited)}")
        return "\n".join(lines)
