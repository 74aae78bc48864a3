"""Which stages have to run, and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scenebook.core.errors import SettingsError
from scenebook.core.keys import DIGITS, Key, list_changes
from scenebook.core.provenance import sha256_bytes, sha256_file
from scenebook.core.run_directory import MANIFEST, SETTINGS, project_root
from scenebook.core.settings import Settings, check_names
from scenebook.core.source_code import read_module
from scenebook.core.stages import STAGES
from scenebook.pipeline.image_digests import compare_images, digest_images
from scenebook.pipeline.manifest import ABSENT, Manifest
from scenebook.pipeline.notebooks import NotebookFile, read_notebook, read_parameters
from scenebook.pipeline.stage_keys import make_key

ALL = "all"
FIRST = "not run yet"
"""The reason of a stage that the run does not hold yet."""


@dataclass(frozen=True)
class Decision:
    """Whether a stage has to run.

    Attributes:
        stage: Its name.
        reasons: Why it has to; none: it is skipped.
        forced: Whether it has to because somebody asked for it.
        prose: Whether, although it is skipped, its notebook reads differently now.
    """

    stage: str
    reasons: tuple[str, ...] = ()
    forced: bool = False
    prose: bool = False

    @property
    def run(self) -> bool:
        """Whether it has to run."""
        return bool(self.reasons)


class Planner:
    """Compares what a run holds with what its stages depend on now.

    Args:
        settings: With absolute paths.
        manifest: Of the run.
        notebooks: The folder of the notebooks.
        force: Stages that run in any case; `all` names every one.

    Raises:
        SettingsError: `force` names no stage, or a notebook has a parameter that is no setting.
        InputError: A notebook cannot be read.
    """

    def __init__(self, settings: Settings, manifest: Manifest, *, notebooks: Path, force: Collection[str] = ()) -> None:
        check_stages(force)
        self.settings = settings
        self.settings_text = yaml.safe_dump(settings.model_dump(), sort_keys=False, allow_unicode=True)
        self.settings_digest = sha256_bytes(self.settings_text.encode())
        self._manifest = manifest
        self._notebooks = notebooks
        self._force = force
        self._parameters = {stage: self._read_parameters(stage) for stage in STAGES}

    def notebook_of(self, stage: str) -> NotebookFile:
        """Returns a stage's notebook, as it is written."""
        return read_notebook(self._path_of(stage))

    def parameters_of(self, stage: str) -> dict[str, Any]:
        """Returns what a stage's notebook is given: the run's name, and the settings that it reads."""
        return {"run": self._manifest.run_dir.name, **self._parameters[stage]}

    def decide(self, stage: str, *, waiting: Collection[str] = ()) -> Decision:
        """Tells whether a stage has to run.

        Args:
            stage: Its name.
            waiting: Stages that have to run but have not yet: what they will write is not known.
        """
        entry = self._manifest.content["stages"].get(stage)
        if stage in self._force or ALL in self._force:
            return Decision(stage, ("asked for",), forced=True)
        if entry is None or entry["status"] == "not run":
            return Decision(stage, (FIRST,))
        if entry["status"] != "done":
            told = f": {entry['reason']}" if entry["status"] == "failed" else ""
            return Decision(stage, (f"{entry['status']} last time{told}",))
        if not entry.get("key"):
            return Decision(stage, ("run by a version that did not keep what it depends on",))
        reasons = tuple(self._compare(stage, entry["key"], waiting))
        return Decision(stage, reasons, prose=not reasons and sha256_file(self._path_of(stage)) != entry["source"])

    def _compare(self, stage: str, old: Key, waiting: Collection[str]) -> list[str]:
        new = make_key(self.notebook_of(stage), self._parameters[stage], self.settings)
        reasons = list_changes(old, new)
        if STAGES[stage].reads_images:
            before, now = compare_images(self.settings, self._manifest.run_dir, old.get("images", {}))
            reasons += list_changes({"images": before}, {"images": now})
        inputs = old.get("inputs", {})
        sources = {name: self._manifest.producer_of(name) for name in inputs}
        open_ones = sorted({source for source in sources.values() if source in waiting})
        reasons += [f"reads what {source} writes, which runs before it" for source in open_ones]
        now = {name: self._digest_now(name) for name in inputs if sources[name] not in waiting}
        reasons += list_changes({"inputs": {name: inputs[name] for name in now}}, {"inputs": now})
        return reasons + [f"{name}: {what}" for name, what in self._manifest.find_damaged(stage)]

    def prepare_key(self, stage: str) -> Key:
        """Returns the key of a stage that is about to run, but for what it will read: code may be edited meanwhile."""
        read_module.cache_clear()
        return make_key(self.notebook_of(stage), self._parameters[stage], self.settings)

    def complete_key(self, stage: str, key: Key, touched: Collection[str]) -> Key:
        """Returns the key of a stage that has just run.

        Args:
            stage: Its name.
            key: From `prepare_key`.
            touched: The files of the run that it has asked for, to read or to write them.
        """
        images = {"images": digest_images(self.settings, self._manifest.run_dir)} if STAGES[stage].reads_images else {}
        others = (name for name in touched if name.split("/")[0] != stage and not self._is_own(stage, name))
        return {**key, **images, "inputs": {name: self._digest_now(name) for name in sorted(others)}}

    def _is_own(self, stage: str, name: str) -> bool:
        return self._manifest.producer_of(name) == stage or self._manifest.run_dir.path(name).is_dir()

    def _digest_now(self, name: str) -> str:
        if name == MANIFEST:
            # The profile's name is all that a stage reads of it; and what that profile holds now.
            profile = project_root() / "profiles" / f"{self._manifest.profile}.yaml"
            return f"profile {self._manifest.profile} {sha256_file(profile)[:DIGITS] if profile.is_file() else ''}"
        if name == SETTINGS:
            return self.settings_digest
        return self._manifest.digest_of(name) or ABSENT

    def _path_of(self, stage: str) -> Path:
        return self._notebooks / f"{STAGES[stage].notebook}.ipynb"

    def _read_parameters(self, stage: str) -> dict[str, Any]:
        names = [name for name in read_parameters(self._path_of(stage)) if name != "run"]
        check_names(names)
        return {name: getattr(self.settings, name) for name in names}


def check_stages(names: Collection[str]) -> None:
    """Raises `SettingsError` where one of the names is neither a stage's nor `all`."""
    unknown = sorted(set(names) - {*STAGES, ALL})
    if unknown:
        raise SettingsError(
            f"Expected names of stages: {', '.join(STAGES)}, or {ALL}.", received={"force": ", ".join(unknown)}
        )


def plan(planner: Planner) -> list[Decision]:
    """Returns a decision a stage, without running any."""
    decisions: list[Decision] = []
    for stage in STAGES:
        waiting = {decision.stage for decision in decisions if decision.run}
        decisions.append(planner.decide(stage, waiting=waiting))
    return decisions


def shorten(reasons: tuple[str, ...], most: int = 3) -> str:
    """Returns reasons in one line; of more than `most`, the rest is counted."""
    rest = len(reasons) - most
    return "; ".join(reasons[:most]) + (f"; and {rest} more" if rest > 0 else "")
