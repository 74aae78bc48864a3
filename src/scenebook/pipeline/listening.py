"""Who hears what the pipeline does."""

from __future__ import annotations

from typing import Protocol

from scenebook.pipeline.manifest import StageOutcome


class Listener(Protocol):
    """Hears what the pipeline does, to show it. Several stages may run at once; `progress` comes from their threads."""

    def stage_started(self, stage: str, number: int, total: int, reason: str) -> None: ...

    def stage_skipped(self, stage: str, number: int, total: int) -> None: ...

    def progress(self, stage: str, text: str) -> None: ...

    def stage_ended(self, outcome: StageOutcome) -> None: ...

    def time_left(self, seconds: float | None) -> None: ...
