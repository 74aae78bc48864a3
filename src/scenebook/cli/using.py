"""Commands on finished runs, to hand one in, classify images with it, check it or compare it, and on projects."""

from __future__ import annotations

import argparse
import os
import shutil
import zipfile
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

import scenebook
from scenebook.cli.loading import load_settings, short, tell_file
from scenebook.cli.terminal import TerminalListener, count_on
from scenebook.core.environment import lasting_folder
from scenebook.core.errors import InputError
from scenebook.core.project import expand_home, is_project, project_folder, published_root
from scenebook.core.run_directory import BY_HAND, RunDirectory, default_build_dir, open_run, replacing
from scenebook.core.run_files import EXPORTS, MANIFEST, MODEL_CARD, REPORT_FORMATS, SETTINGS
from scenebook.core.settings import describe_settings
from scenebook.core.stages import STAGES
from scenebook.core.wording import count_noun, join_names
from scenebook.pipeline.by_hand import check_unchanged_by_hand
from scenebook.pipeline.checks import check_dask
from scenebook.pipeline.keys import find_report_changes, list_report_files
from scenebook.pipeline.manifest import StageStatus, check_version
from scenebook.pipeline.planning import stored_outcomes

if TYPE_CHECKING:
    from scenebook.inference.prediction import PredictionSummary


def bundle(arguments: argparse.Namespace, console: Console) -> int:
    """Zips what somebody needs who is handed the report: its files, trained weights, model card, images, settings."""
    run_dir = open_run(arguments.run)
    _check_whole(run_dir)
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
    card, target = _write_card(run_dir), build / "bundle.zip"
    # A clock that stood at 1970 has left times that ZIP cannot have.
    options: dict[str, Any] = {"compression": zipfile.ZIP_DEFLATED, "strict_timestamps": False}
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w", **options) as archive:
        archive.writestr(zipfile.ZipInfo(MODEL_CARD), card, zipfile.ZIP_DEFLATED)
        for name, path in members.items():
            archive.write(path, name)
    tell_file(target, console)
    return 0


def _check_whole(run_dir: RunDirectory) -> None:
    """Raises `InputError` unless all stages of a run are done, from the same files."""
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


def _write_card(run_dir: RunDirectory) -> str:
    from scenebook.notebook.prose.model_card import write_model_card
    from scenebook.rendering.front_matter import load_front_matter

    licence = load_front_matter(project_folder("report") / "front-matter.yaml").license
    return write_model_card(run_dir, load_settings(run_dir), licence)


def export(arguments: argparse.Namespace, console: Console) -> int:
    """Writes the network of a finished run in other formats."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from scenebook.inference.export.formats import check_installed

    run_dir = open_run(arguments.run)
    check_version(run_dir)
    _check_whole(run_dir)
    check_installed(arguments.formats)
    card = _write_card(run_dir)
    console.print(Text(f"run {run_dir.name}: exported as {join_names(arguments.formats)}"))
    from scenebook.inference.loading import hold_error_stream

    with hold_error_stream():
        from scenebook.inference.export.writing import export_run

        with count_on(console, "test images") as report:
            records = export_run(run_dir, arguments.formats, card=card, report=report)
    for record in records:
        _tell_export(run_dir, record, console)
    return 0


def _tell_export(run_dir: RunDirectory, record: dict[str, Any], console: Console) -> None:
    console.print(Text(f"  {short(run_dir.path(EXPORTS) / record['format'])}", style="bold"))
    files = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in record["files"].items())
    console.print(Text(f"      {files}"))
    text = "its predict.py gives the run's probabilities of {checked} test images, to within {largest_difference:.1e}"
    console.print(Text(f"      {text.format(**record)}"))
    for name, facts in record["variants"].items():
        accuracy = "{value:.1%} ({low:.1%} to {high:.1%})".format(**facts["accuracy"])
        tested = count_noun(facts["n"], "test image")
        rate = f"{facts['images_per_second']:.1f} a second"
        console.print(Text(f"      {name}: accuracy {accuracy} on {tested}, {rate}"))


def serve(arguments: argparse.Namespace, console: Console) -> int:
    """Shows a page that classifies what is dropped on it, until the command is ended."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import asyncio

    from scenebook.inference.loading import check_run
    from scenebook.inference.serving.answering import Answerer
    from scenebook.inference.serving.server import serve_page

    run_dir = open_run(arguments.run)
    check_run(run_dir)
    check_version(run_dir)
    answer = Answerer(run_dir, trust=arguments.trust)
    about = {"run": run_dir.name, "classes": len(answer.class_names)}

    def tell(address: str) -> None:
        console.print(Text(f"run {run_dir.name}: open {address} in a browser; Ctrl-C closes the page"))

    try:
        asyncio.run(serve_page(answer, about, arguments.port, ready=tell))
    except KeyboardInterrupt:
        console.print(Text("Closed."))
    return 0


def predict(arguments: argparse.Namespace, console: Console) -> int:
    """Classifies a folder, or a list, of unlabelled images with a finished run."""
    # TensorFlow's start-up notes are not for whoever classifies images; it reads this when it is imported.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from scenebook.inference.listing import resolve_source
    from scenebook.inference.loading import check_run
    from scenebook.inference.prediction import predict_images

    run_dir = open_run(arguments.run)
    images = resolve_source(arguments.images)
    check_run(run_dir)
    check_version(run_dir)
    if arguments.scheduler:
        check_dask(arguments.scheduler)
    console.print(Text(f"run {run_dir.name}: images of {short(images)}"))
    with count_on(console, "images") as report:
        summary = predict_images(run_dir, images, report=report, trust=arguments.trust, scheduler=arguments.scheduler)
    console.print(Text(_tell_speed(summary)))
    for warning in _list_warnings(summary):
        console.print(Text(f"warning: {warning}", style="yellow"))
    for file in summary.files:
        console.print(Text(f"  {short(file)}", style="bold"))
    return 0


def _tell_speed(summary: PredictionSummary) -> str:
    images = count_noun(summary.images, "image")
    if not summary.made:
        return f"{images}, all of them classified before"
    part = f", {summary.made:,} of them classified now" if summary.made < summary.images else ""
    return f"{images}{part} in {summary.seconds:.1f} s, {summary.made / max(summary.seconds, 1e-3):.1f} a second"


def _list_warnings(summary: PredictionSummary) -> list[str]:
    """Returns what somebody has to know before using the predictions, as sentences."""
    warnings = []
    if summary.repeated:
        warnings.append(f"{count_noun(summary.repeated, 'row')} of the list repeated an earlier one.")
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
    paths = {name: expand_home(value) for name, value in named.items()}
    changes = {name: str(path.resolve()) if path.exists() else named[name] for name, path in paths.items()}
    workspace, keep = Path(mkdtemp(prefix="scenebook-verify-", dir=lasting_folder())), False
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


def new(arguments: argparse.Namespace, console: Console) -> int:
    """Makes the folder of a new report; of one that is there, tells what differs."""
    from scenebook.project.contents import list_contents
    from scenebook.project.making import check_target, commit_all, compare_project, locate_dataset, write_project

    target = check_target(arguments.folder)
    dataset = locate_dataset(arguments.data, target) if arguments.data else None
    files = list_contents(title=arguments.title, authors=arguments.author or [], dataset=dataset)
    if is_project(target):
        console.print(Text(f"{short(target)} holds a report already: nothing is written."))
        _tell_changes(compare_project(target, files), console)
        return 0
    write_project(target, files)
    console.print(Text(f"{short(target)}: {count_noun(len(files), 'file')}. {commit_all(target)}", style="bold"))
    about = "its images" if dataset else 'drawn images; DATA="my images" names others'
    console.print(Text(f"In it, `make report` makes the report, of {about}; `make help` lists all else."))
    return 0


def _tell_changes(changes: dict[str, list[str]], console: Console) -> None:
    if not changes:
        console.print(Text(f"All its files are those that scenebook {scenebook.__version__} would write."))
    for what, names in changes.items():
        for name in names:
            console.print(Text(f"  {what:<8} {name}"))
    if any(name.startswith("notebooks/") for name in changes.get("differs", [])):
        console.print(Text("`scenebook diff-notebooks`, in it, shows the cells of the notebooks that differ."))


def diff_notebooks(arguments: argparse.Namespace, console: Console) -> int:
    """Shows which cells differ from those of the installed version."""
    from scenebook.project.differences import compare_notebooks

    differences = compare_notebooks(project_folder("notebooks"), published_root() / "notebooks")
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for one in differences:
        console.print(Text(f"{one.notebook}: {one.cell} ({one.what})", style="bold"))
        for line in one.lines:
            console.print(Text(f"  {line}", style=styles.get(line[:1], "")))
        console.print()
    number = count_noun(len(differences), "cell differs", "cells differ") if differences else "No cell differs"
    console.print(Text(f"{number} from those of scenebook {scenebook.__version__}."))
    return 0
