"""Commands that use finished runs: hand one in, classify other images with it, check it, compare it with another."""

from __future__ import annotations

import argparse
import os
import shutil
import zipfile
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from scenebook.cli.loading import short, tell_file
from scenebook.cli.terminal import TerminalListener, count_on
from scenebook.core.errors import InputError
from scenebook.core.run_directory import BY_HAND, default_build_dir, open_run, replacing
from scenebook.core.run_files import MANIFEST, REPORT_FORMATS, SETTINGS
from scenebook.core.settings import describe_settings
from scenebook.core.stages import STAGES
from scenebook.core.wording import count_noun
from scenebook.pipeline.by_hand import check_unchanged_by_hand
from scenebook.pipeline.keys import find_report_changes, list_report_files
from scenebook.pipeline.manifest import StageStatus, check_version
from scenebook.pipeline.planning import stored_outcomes

if TYPE_CHECKING:
    from scenebook.inference.prediction import PredictionSummary


def bundle(arguments: argparse.Namespace, console: Console) -> int:
    """Zips what somebody needs who is handed the report: both files, trained weights, sample images, settings."""
    run_dir = open_run(arguments.run)
    missing = [outcome.name for outcome in stored_outcomes(run_dir) if outcome.status != StageStatus.DONE]
    if missing:
        raise InputError(
            "Expected a run of which every stage is done.",
            received={"run": run_dir.name, "not done": missing},
            advice="Run their notebooks first, then `make report RUN=by-hand`."
            if run_dir.name == BY_HAND
            else "Run `make report` first: a bundle of stages from different runs would contradict itself.",
        )
    check_unchanged_by_hand(run_dir)
    build = default_build_dir() / run_dir.name
    changes = find_report_changes(run_dir, build)
    if changes:
        raise InputError(
            "Expected a report that was rendered from this run as it is.",
            received={"run": run_dir.name, "changed": "; ".join(changes[:3])},
            advice=f"Run `make render RUN={run_dir.name}` first.",
        )
    members = {path.name: path for path in list_report_files(build, REPORT_FORMATS) if path.is_file()}
    for name in (SETTINGS, MANIFEST, *(name for stage in STAGES.values() for name in stage.bundled)):
        root = run_dir.path(name)
        paths = sorted(root.rglob("*")) if root.is_dir() else [root]
        members |= {path.relative_to(run_dir.root).as_posix(): path for path in paths if not path.is_dir()}
    absent = [name for name, path in members.items() if not path.is_file()]
    if absent:
        raise InputError("Expected a whole, rendered run.", received={"run": run_dir.name, "missing": absent})
    target = build / "bundle.zip"
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in members.items():
            archive.write(path, name)
    tell_file(target, console)
    return 0


def predict(arguments: argparse.Namespace, console: Console) -> int:
    """Classifies a folder of unlabelled images with a finished run."""
    # TensorFlow's start-up notes are not for whoever classifies images; it reads this when it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from scenebook.inference.folder import resolve_folder
    from scenebook.inference.prediction import check_run, predict_folder

    run_dir = open_run(arguments.run)
    images = resolve_folder(arguments.images)
    check_run(run_dir)
    check_version(run_dir)
    console.print(Text(f"run {run_dir.name}: images of {short(images)}"))
    with count_on(console, "images") as report:
        summary = predict_folder(run_dir, images, report=report, trust=arguments.trust)
    rate = summary.images / max(summary.seconds, 1e-3)
    console.print(Text(f"{count_noun(summary.images, 'image')} in {summary.seconds:.1f} s, {rate:.1f} a second"))
    for warning in _list_warnings(summary):
        console.print(Text(f"warning: {warning}", style="yellow"))
    for file in summary.files:
        console.print(Text(f"  {short(file)}", style="bold"))
    return 0


def _list_warnings(summary: PredictionSummary) -> list[str]:
    """Returns what somebody has to know before using the predictions, as sentences."""
    warnings = []
    if summary.set_aside:
        warnings.append(f"{count_noun(summary.set_aside, 'file was', 'files were')} set aside: see set-aside.csv.")
    if summary.unlike is None:
        warnings.append("The run has no features: make it again to learn which images look unlike its training images.")
    elif summary.unlike:
        warnings.append(
            f"{summary.unlike:,} of {count_noun(summary.images, 'image')} "
            f"({summary.unlike / summary.images:.1%}) look unlike the training images: their mean distance to the "
            f"10 nearest of them is above {summary.threshold:.4f}, as it is for 1% of the run's "
            f"{summary.validation:,} validation images. Predictions for these images may be meaningless, however "
            "confident the network is."
            + (" With so few validation images, this limit is approximate." if summary.validation < 100 else "")
        )
    return warnings


def params(arguments: argparse.Namespace, console: Console) -> int:
    """Lists all settings."""
    rows = describe_settings()
    columns = (Column(name, overflow="fold", no_wrap=name in ("name", "default")) for name in rows[0])
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row.values()))
    console.soft_wrap = False
    console.print(table)
    return 0


def verify(arguments: argparse.Namespace, console: Console) -> int:
    """Checks a run's files and makes it again; 0 where everything agrees, 1 where something does not."""
    from scenebook.pipeline.compare.print import print_verification
    from scenebook.pipeline.compare.repeat import verify_run

    run_dir = open_run(arguments.run)
    named = {name: value for name in ("dataset", "weights") if (value := getattr(arguments, name))}
    paths = {name: Path(value).expanduser() for name, value in named.items()}
    changes = {name: str(path.resolve()) if path.exists() else named[name] for name, path in paths.items()}
    workspace, keep = Path(mkdtemp(prefix="scenebook-verify-")), False
    try:
        with TerminalListener(console) as listener:
            console.print(Text(f"run {run_dir.name}: repeated in a fresh folder from its {SETTINGS}"))
            verification = verify_run(
                run_dir, trust=arguments.trust, listener=listener, workspace=workspace, changes=changes
            )
        # Damaged files of the run itself are no reason to keep what they are compared with.
        keep = bool(verification.failure or verification.failed_rows)
        if keep:
            console.print(Text(f"The repetition is kept for inspection: {verification.repetition}"))
    finally:
        if not keep:
            shutil.rmtree(workspace, ignore_errors=True)
    print_verification(console, verification)
    return 0 if verification.passed else 1


def diff(arguments: argparse.Namespace, console: Console) -> int:
    """Shows two runs side by side."""
    from scenebook.pipeline.compare.differ import diff_runs
    from scenebook.pipeline.compare.print import print_diff

    missing = [name for name, value in (("A", arguments.first), ("B", arguments.second)) if not value]
    if missing:
        advice = "make diff A=one B=another"
        raise InputError("Expected the names of two runs.", received={"missing": missing}, advice=advice)
    print_diff(console, diff_runs(open_run(arguments.first), open_run(arguments.second)))
    return 0
