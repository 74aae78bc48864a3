"""How somebody else gets the same: the files of a run with their digests, and the command."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from scenebook.core.provenance import changed_settings, sha256_file
from scenebook.core.run_directory import MANIFEST, SETTINGS, RunDirectory, project_root
from scenebook.core.settings import NAMED_WEIGHTS

_PATHS = {"samples_dir": "folder", "class_map": "file", "claims_file": "file", "ablation_plan": "file"}
"""Settings that hold a path, and what a reader puts there instead."""


def list_files(run_dir: RunDirectory, selection: pd.DataFrame) -> pd.DataFrame:
    """Returns the trained weights and the sample images with size and SHA-256, a row a file."""
    rows = []
    for file in ["training/model.keras", *selection["image"]]:
        path: Path = run_dir.require(file)
        rows.append({"file": file, "bytes": path.stat().st_size, "SHA-256": sha256_file(path)})
    return pd.DataFrame(rows)


def write_command(run_dir: RunDirectory) -> str:
    """Returns the command that makes the run's report again, without the paths of the machine it was made on."""
    if not run_dir.path(MANIFEST).is_file():
        return "Jupyter, by running the notebooks from the first to the last"
    profile = run_dir.read_json(MANIFEST)["profile"]
    file = project_root() / "profiles" / f"{profile}.yaml"
    if not file.is_file():  # somebody's own profile: say what it holds, from the sample profile on
        profile, file = "sample", file.with_name("sample.yaml")
    settings = yaml.safe_load(run_dir.require(SETTINGS).read_text(encoding="utf-8"))
    words = ["make report", f"PROFILE={profile}"]
    changed = changed_settings(settings, file)
    if changed.get("dataset", "scenes") not in ("scenes", "intel"):
        del changed["dataset"]
        words.append("DATA=folder")
    if changed.get("weights", "random") not in NAMED_WEIGHTS:
        del changed["weights"]
        words.append("WEIGHTS=file")
    changed |= {name: kind for name, kind in _PATHS.items() if changed.get(name)}
    if changed:
        words.append('SET="' + " ".join(f"{name}={value}" for name, value in changed.items()) + '"')
    return " ".join(words)
