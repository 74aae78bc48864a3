"""Notebooks that were run by hand in Jupyter, as a run: settings, copies and manifest; nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenebook.core.backbones import NAMED_WEIGHTS
from scenebook.core.errors import InputError, SettingsError
from scenebook.core.profiles import load_profile
from scenebook.core.project import expand_home, published_root
from scenebook.core.provenance import sha256_file
from scenebook.core.published_cells import list_edits
from scenebook.core.run_directory import RunDirectory, write_bytes
from scenebook.core.run_files import OF_COMMANDS, SETTINGS
from scenebook.core.settings import DRAWN_SCENES, INTEL, PATHS, Settings, make_settings
from scenebook.core.stages import STAGES
from scenebook.core.wording import join_names
from scenebook.core.yaml_files import dump_yaml
from scenebook.notebook.recording import SESSION
from scenebook.pipeline.manifest import Manifest, StageOutcome, StageStatus, load_manifest
from scenebook.pipeline.notebooks import read_parameters
from scenebook.pipeline.run_lock import hold_run
from scenebook.pipeline.saved_notebooks import HandRunNotebook, check_notebooks

PROFILE = "sample"
"""The profile whose values stand in the parameters cells of the published notebooks."""
_NAMED = (DRAWN_SCENES, INTEL, *NAMED_WEIGHTS, None)
"""Values of `PATHS` that are no paths."""


def collect_by_hand(run_dir: RunDirectory, notebooks_dir: Path | None = None) -> None:
    """Makes a run of notebooks run by hand, or raises `InputError`, which says why it cannot, and what to run."""
    found = check_notebooks(run_dir, notebooks_dir)
    problems = {one.name: one.problem for one in found if one.problem}
    if problems:
        raise InputError(
            "Expected notebooks that were run from top to bottom, one after the other, and saved.",
            received=problems,
            advice=f"In Jupyter, run all cells of {join_names(list(problems))} in a new kernel, and of the notebooks "
            "below it that read what it writes; save them, and give this command again.",
        )
    settings = _collect_settings(found)
    with hold_run(run_dir):
        write_bytes(run_dir.path(SETTINGS), dump_yaml(settings.model_dump()).encode())
        for one in found:
            _copy(one, run_dir.path(f"notebooks/{one.file.path.name}"))
        _write_manifest(run_dir, found)


def _collect_settings(found: Sequence[HandRunNotebook]) -> Settings:
    """Returns the settings of the parameters cells; paths in them start where the kernels did."""
    chosen: dict[str, tuple[Any, str]] = {}
    for one in found:
        for name, value in one.record.get("settings", {}).items():
            if name in PATHS and value not in _NAMED:
                value = str((Path(one.record["folder"]) / expand_home(value)).resolve())
            before, where = chosen.setdefault(name, (value, one.name))
            if before != value:
                raise SettingsError(
                    f"Expected one value of {name} in the parameters cells of all notebooks.",
                    received={where: before, one.name: value},
                    advice="Change it in one of them, and run that notebook and those below it again.",
                )
    return make_settings({name: value for name, (value, _) in chosen.items()})


def list_overruled(settings: Settings, notebooks_dir: Path) -> list[str]:
    """Returns what a user changed in parameters cells and a run with these settings does not follow, a line each."""
    published = make_settings(load_profile(published_root() / "profiles" / f"{PROFILE}.yaml")).model_dump()
    used, told = settings.model_dump(), []
    for stage in STAGES.values():
        for name, value in read_parameters(notebooks_dir / f"{stage.notebook}.ipynb").items():
            if name in used and value not in (published[name], used[name]):
                told.append(f"{name} = {value!r} in the parameters cell of {stage.notebook} (used: {used[name]!r})")
    return told


def _copy(one: HandRunNotebook, target: Path) -> None:
    """Copies a notebook into the run without the mark of its session; an earlier copy of one that was not run goes."""
    if not one.is_taken:
        target.unlink(missing_ok=True)
        return
    content = json.loads(json.dumps(one.file.content))
    for cell in content["cells"]:
        if cell.get("outputs"):
            cell["outputs"] = [output for output in cell["outputs"] if SESSION not in output.get("metadata", {})]
    write_bytes(target, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))


def _write_manifest(run_dir: RunDirectory, found: Sequence[HandRunNotebook]) -> None:
    manifest = Manifest(run_dir, PROFILE)
    manifest.content |= {"stages": {}, "files": {}}
    manifest.begin()
    started = {one.stage: one.record["started"] for one in found if one.is_taken}
    manifest.content |= {"started": min(started.values()), "by_hand": _describe(found)}
    producers = {f"notebooks/{one.file.path.name}": one.stage for one in found} | {SETTINGS: "settings"}
    for one in found:
        names = {name for entry in one.record.get("cells", {}).values() for name in entry["files"]}
        producers |= {name: one.stage for name in names if name.startswith("figures/")}
    for name in manifest.snapshot():
        if name.split("/")[0] not in OF_COMMANDS:
            manifest.register(name, producers.get(name, name.split("/")[0]))
    for one in found:
        status, reason = (StageStatus.DONE, "run by hand") if one.is_taken else (StageStatus.NOT_RUN, "not run by hand")
        outcome = StageOutcome(one.stage, one.file.path.name, status, reason, started=started.get(one.stage, ""))
        manifest.record(replace(outcome, source=sha256_file(one.file.path)))


def _describe(found: Sequence[HandRunNotebook]) -> str:
    """Returns what a report says of its notebooks, as plain text: that they were run by hand, and what is edited."""
    edits = {one.name: list_edits(one.file.path) for one in found if one.is_taken}
    listed = "; ".join(f"in {name}, {join_names(cells)}" for name, cells in edits.items() if cells)
    more = [one.name for one in found if one.has_more]
    code = f"cells that differ from the published notebooks: {listed}" if listed else "their code is as published"
    also = f" In {join_names(more)}, code was run as well that the notebook no longer holds." if more else ""
    return f"The notebooks of this report were run by hand; {code}.{also}"


def tell_by_hand(run_dir: RunDirectory) -> list[str]:
    """Returns what the report says of a run whose notebooks were run by hand, as plain text; nothing of another run."""
    told = load_manifest(run_dir).get("by_hand")
    return [str(told)] if told else []


def check_unchanged_by_hand(run_dir: RunDirectory) -> None:
    """Raises `InputError` where files of a run by hand are no longer those of its last report; other runs know it."""
    if tell_by_hand(run_dir):
        manifest = Manifest(run_dir, PROFILE)
        damaged = [problem for stage in STAGES for problem in manifest.list_damaged(stage)]
        if damaged:
            raise InputError(
                "Expected files as they were when the notebooks were last made into a report.",
                received={"run": run_dir.name, "changed": "; ".join(damaged[:3])},
                advice=f"`make report RUN={run_dir.name}` makes a report of the notebooks as they are now.",
            )
