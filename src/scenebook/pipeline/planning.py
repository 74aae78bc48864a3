"""Which stages have to run, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scenebook.core.errors import DatasetError, MissingArtifactError, SettingsError
from scenebook.core.keys import DIGITS, Key, list_changes
from scenebook.core.profiles import read_settings
from scenebook.core.project import project_folder
from scenebook.core.provenance import sha256_bytes, sha256_file
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import ABSENT, CLASSES, MANIFEST, SETTINGS
from scenebook.core.settings import DRAWN_SCENES, INTEL, Settings, check_names
from scenebook.core.source_code import read_module
from scenebook.core.stages import STAGES, find_needed
from scenebook.core.yaml_files import dump_yaml
from scenebook.data.file_facts import digest_contents, digest_listing
from scenebook.data.finding import find_images
from scenebook.data.images import FoundImages
from scenebook.pipeline.keys import digest_rows, make_stage_key
from scenebook.pipeline.manifest import Manifest, StageOutcome, StageStatus, load_started
from scenebook.pipeline.notebooks import NotebookFile, read_notebook, read_parameters

ALL = "all"
FIRST = "not run yet"
"""The reason of a stage that the run does not hold yet."""


@dataclass(frozen=True)
class Decision:
    """Whether a stage has to run: for each of the `reasons`, or because somebody asked for it (`forced`).

    Of one that need not run, `prose` tells whether its notebook reads differently now.
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
        notebooks: The folder of the notebooks; by default the project's.
        force: Stages that run in any case; `all` names every one.

    Raises:
        SettingsError: `force` names no stage, or a notebook has a parameter that is no setting.
        InputError: A notebook cannot be read.
    """

    def __init__(
        self, settings: Settings, manifest: Manifest, *, notebooks: Path | None = None, force: Collection[str] = ()
    ) -> None:
        check_stages(force)
        self.settings = settings
        self.settings_text = dump_yaml(settings.model_dump())
        self.settings_digest = sha256_bytes(self.settings_text.encode())
        self._manifest = manifest
        folder = notebooks or project_folder("notebooks")
        self._notebooks = {stage: folder / f"{row.notebook}.ipynb" for stage, row in STAGES.items()}
        self._force = force
        self._parameters = {stage: self._read_parameters(stage) for stage in STAGES}

    def notebook_of(self, stage: str) -> NotebookFile:
        """Returns a stage's notebook, as it is written."""
        return read_notebook(self._notebooks[stage])

    def parameters_of(self, stage: str) -> dict[str, Any]:
        """Returns what a stage's notebook is given: the run's name, and the settings that it reads."""
        return {"run": self._manifest.run_dir.name, **self._parameters[stage]}

    def decide_all(self) -> list[Decision]:
        """Tells of each stage whether it has to run, without running any."""
        decisions: list[Decision] = []
        for stage in STAGES:
            decisions.append(self.decide(stage, waiting=[decision.stage for decision in decisions if decision.run]))
        return decisions

    def decide(self, stage: str, *, waiting: Collection[str] = ()) -> Decision:
        """Tells whether a stage has to run; what the stages will write that are `waiting` to run is not known."""
        entry = self._manifest.content["stages"].get(stage)
        if stage in self._force or ALL in self._force:
            return Decision(stage, ("asked for",), forced=True)
        if entry is None or entry["status"] == StageStatus.NOT_RUN:
            return Decision(stage, (FIRST,))
        if entry["status"] != StageStatus.DONE:
            told = f": {entry['reason']}" if entry["status"] == StageStatus.FAILED else ""
            return Decision(stage, (f"{entry['status']} last time{told}",))
        if not entry.get("key"):
            return Decision(stage, ("made by an older version of scenebook",))
        reasons = tuple(self._compare(stage, entry["key"], waiting))
        return Decision(stage, reasons, prose=not reasons and sha256_file(self._notebooks[stage]) != entry["source"])

    def _compare(self, stage: str, old: Key, waiting: Collection[str]) -> list[str]:
        inputs = old.get("inputs", {})
        new = make_stage_key(stage, self.notebook_of(stage), self._parameters[stage], self.settings)
        reasons = list_changes(old, {**new, "rows": digest_rows(stage, inputs)})
        if STAGES[stage].reads_images:
            images = old.get("images", {})
            both = [images, digest_images(self.settings, self._manifest.run_dir, images)]
            reasons += list_changes(*({"images": {"contents": some.get("contents", "none")}} for some in both))
        sources = {name: self._manifest.producer_of(name) for name in inputs}
        open_ones = sorted({source for source in sources.values() if source in waiting})
        reasons += [f"reads what {source} writes, which runs before it" for source in open_ones]
        now = {name: self._digest_now(name) for name in inputs if sources[name] not in waiting}
        reasons += list_changes({"inputs": {name: inputs[name] for name in now}}, {"inputs": now})
        return reasons + self._manifest.list_damaged(stage)

    def prepare_key(self, stage: str) -> Key:
        """Returns the key of a stage that is about to run, but for what it will read: code may be edited meanwhile."""
        read_module.cache_clear()
        return make_stage_key(stage, self.notebook_of(stage), self._parameters[stage], self.settings)

    def complete_key(self, stage: str, key: Key, touched: Collection[str]) -> Key:
        """Returns the key, from `prepare_key`, of a stage that has run, and has `touched` these files of the run."""
        images = {}
        if STAGES[stage].reads_images:
            images["images"] = digest_images(self.settings, self._manifest.run_dir, {})
        inputs = {
            name: self._digest_now(name)
            for name in sorted(touched)
            if stage not in (name.split("/")[0], self._manifest.producer_of(name))
            and not self._manifest.run_dir.path(name).is_dir()
        }
        return {**key, **images, "inputs": inputs, "rows": digest_rows(stage, inputs)}

    def _digest_now(self, name: str) -> str:
        if name == MANIFEST:
            # The profile's name is all that a stage reads of it; and what that profile holds now.
            profile = project_folder("profiles") / f"{self._manifest.profile}.yaml"
            return f"profile {self._manifest.profile} {sha256_file(profile)[:DIGITS] if profile.is_file() else ''}"
        if name == SETTINGS:
            return self.settings_digest
        return self._manifest.digest_of(name) or ABSENT

    def _read_parameters(self, stage: str) -> dict[str, Any]:
        names = [name for name in read_parameters(self._notebooks[stage]) if name != "run"]
        check_names(names)
        return {name: getattr(self.settings, name) for name in names}


def check_stages(names: Collection[str]) -> None:
    """Raises `SettingsError` where one of the names is neither a stage's nor `all`."""
    unknown = sorted(set(names) - {*STAGES, ALL})
    if unknown:
        raise SettingsError(
            f"Expected names of stages: {', '.join(STAGES)}, or {ALL}.", received={"force": ", ".join(unknown)}
        )


def join_reasons(reasons: Sequence[str]) -> str:
    """Returns reasons in one line; of more than three, the rest is counted."""
    rest = len(reasons) - 3
    return "; ".join(reasons[:3]) + (f"; and {rest} more" if rest > 0 else "")


def digest_images(settings: Settings, run_dir: RunDirectory, old: Mapping[str, str]) -> dict[str, str]:
    """Returns the digests of a run's images: `listing`, by size, times and inode, and `contents`, by their bytes.

    Files are read only where the listing is another one than in `old`, what this returned earlier. Drawn scenes have no
    digests: they follow from settings and code. So have images that are not there.
    """
    found = _find_run_images(settings, run_dir)
    if found is None:
        return {}
    listing = digest_listing(found)
    same = "contents" in old and listing == old.get("listing")
    return {"listing": listing, "contents": old["contents"] if same else digest_contents(found)}


def _find_run_images(settings: Settings, run_dir: RunDirectory) -> FoundImages | None:
    if settings.dataset == DRAWN_SCENES:
        return None
    try:
        source = Path(settings.dataset)
        if settings.dataset == INTEL:  # where they were downloaded to, the data stage has found out
            source = run_dir.root / run_dir.read_json(CLASSES)["root"]
        class_map, links = settings.class_map, settings.follow_links
        return find_images(source, class_map=class_map, splits=settings.splits, follow_links=links)
    except (DatasetError, MissingArtifactError, ValueError, KeyError, TypeError):
        return None


def stored_outcomes(run_dir: RunDirectory) -> list[StageOutcome]:
    """Returns the outcomes that a run's manifest holds; made from what is no longer there, it is stale."""
    manifest = load_started(run_dir)
    try:
        settings = read_settings(run_dir)
    except SettingsError:
        settings = {}  # lost or damaged: what the stages read is not known to have changed
    outcomes: list[StageOutcome] = []
    for name, entry in manifest["stages"].items():
        outcome = StageOutcome(name=name, **entry)
        if outcome.status == StageStatus.DONE:
            changes = _list_outdated(outcome, manifest["files"], settings)
            # Notebooks that were run by hand were compared with their inputs when the manifest was written.
            by_hand = bool(manifest.get("by_hand"))
            needed = find_needed(name) if name in STAGES and not by_hand else ()
            broken = [one.name for one in outcomes if one.name in needed and one.status != StageStatus.DONE]
            if changes or broken:
                since = f"since then: {'; '.join(changes[:3])}"
                why = since if changes else f"before stage {broken[0]} was started again"
                note = f"made {_tell_minute(outcome.started)}, {why}"
                outcome = replace(outcome, status=StageStatus.STALE, note=note)
        outcomes.append(outcome)
    return outcomes


def _tell_minute(started: str) -> str:
    """Returns when something was started as people write it; what is no such time, as it is."""
    try:
        return datetime.fromisoformat(started).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return started or "earlier"


def _list_outdated(
    outcome: StageOutcome, files: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[str]:
    """Compares what a stage was made from with what the run holds: settings, and files of other stages."""
    read = outcome.key.get("settings", {})
    inputs = {name: digest for name, digest in outcome.key.get("inputs", {}).items() if name != MANIFEST}
    now = {
        "settings": {name: settings.get(name) for name in read} if settings else read,
        "inputs": {name: files[name]["sha256"] if name in files else ABSENT for name in inputs},
    }
    return list_changes({"settings": read, "inputs": inputs}, now)
