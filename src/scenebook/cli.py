"""`python -m scenebook`: the command line. Exit codes: 0 done, 1 a stage failed, 2 the input is wrong."""

from __future__ import annotations

import argparse
import os
import time
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

import scenebook
from scenebook import claims, config, pipeline
from scenebook.artifacts import (
    SETTINGS,
    STAGE_NOTEBOOKS,
    RunDirectory,
    default_build_dir,
    open_run,
    project_root,
    replacing,
    run_name_for,
)
from scenebook.config import Settings
from scenebook.dataset import source_name
from scenebook.errors import InputError, ReportError, ScenebookError
from scenebook.pipeline import PipelineFailedError, StageOutcome
from scenebook.terminal import CountLine, TerminalListener
from scenebook.wording import count_noun

if TYPE_CHECKING:
    from scenebook.prediction import Outcome

DRAWN_BANNER = (
    "The pictures of this report are drawn by the program, not photographed: its numbers show that everything works, "
    "and say nothing about photographs."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    arguments = build_parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return int(arguments.command(arguments, console))
    except ScenebookError as error:
        errors.print(Text(f"{'error: ' if error.exit_code == 2 else ''}{error}"))
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("Interrupted. What was finished is kept; the same command runs it again.")
        return 130
    except BrokenPipeError:
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands. Defaults come from SCENEBOOK_* variables, which the Makefile sets."""
    parser = argparse.ArgumentParser(
        prog="python -m scenebook",
        description="Turns a folder of labelled pictures into a reproducible transfer-learning report.",
        epilog="Exit codes: 0 done, 1 a stage failed, 2 the input is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"scenebook {scenebook.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for name, command, text in (
        ("report", report, "run the notebooks and render report.html and report.pdf"),
        ("run", run, "run the notebooks without rendering"),
        ("ablations", ablations, "train variants of a run's recipe, and render its report with what came out"),
    ):
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _add_settings(sub)
        sub.add_argument(
            "--scheduler",
            default=_environment("SCHEDULER"),
            metavar="ADDRESS",
            help="tcp://host:port or tls://host:port of a dask scheduler whose workers train the variants; default: "
            "processes of this machine",
        )
        sub.set_defaults(command=command)
    for name, command, text in (
        ("render", render, "render the report of a run again"),
        ("bundle", bundle, "zip a run's report, trained weights, sample pictures and settings"),
    ):
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.add_argument(
            "--run", default=_environment("RUN") or "sample", metavar="NAME", help="the run; default: sample"
        )
        sub.set_defaults(command=command)
    text = "classify a folder of unlabelled pictures with a finished run"
    sub = commands.add_parser("predict", help=text, description=text[0].upper() + text[1:] + ".")
    sub.add_argument(
        "--images",
        default=_environment("IMAGES"),
        metavar="FOLDER",
        help="the folder; folders in it are looked into too. The outcome goes to predictions/ of the run",
    )
    sub.add_argument("--run", default=_environment("RUN") or "sample", metavar="NAME", help="the run; default: sample")
    sub.set_defaults(command=predict)
    sub = commands.add_parser("params", help="list all settings with default, bounds and meaning")
    sub.set_defaults(command=params)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--profile",
        default=_environment("PROFILE"),
        metavar="NAME|FILE",
        help="settings to start from: sample, paper, or a YAML file; default: sample; paper with --dataset",
    )
    add(
        "--dataset",
        default=_environment("DATA"),
        metavar="FOLDER",
        help="a folder of class folders, or of train and test folders of them, or a CSV file of path,label; "
        "also: scenes, intel",
    )
    add(
        "--weights",
        default=_environment("WEIGHTS"),
        metavar="FILE",
        help="weights of the backbone: a .weights.h5 or .keras file; also: imagenet, embedded, random",
    )
    add(
        "--set",
        action="append",
        default=None,
        metavar="NAME=VALUE",
        help="change one setting; may be given more than once (`params` lists them)",
    )
    add(
        "--run",
        default=_environment("RUN"),
        metavar="NAME",
        help="name of the run; default: the profile's name, or the data folder's",
    )


def _environment(name: str) -> str | None:
    return os.environ.get(f"SCENEBOOK_{name}") or None


def collect_settings(arguments: argparse.Namespace, base: Path) -> tuple[Settings, str, RunDirectory]:
    """Returns the checked settings, the profile's name, and the run, from the command's arguments.

    Raises:
        InputError: Anything in them is wrong.
    """
    profile = arguments.profile or ("paper" if arguments.dataset else "sample")
    path = config.find_profile(profile, project_root() / "profiles")
    values = config.load_profile(path)
    for name in ("dataset", "weights"):
        if getattr(arguments, name):
            values[name] = getattr(arguments, name)
    texts = arguments.set if arguments.set is not None else [_environment("SET") or ""]
    values.update(config.parse_overrides(texts))
    settings = pipeline.resolve_paths(config.make_settings(values), base)
    own_data = settings.dataset not in (config.DRAWN_SCENES, config.INTEL)
    default_name = source_name(Path(settings.dataset)) if arguments.dataset and own_data else path.stem
    run_dir = open_run(arguments.run or run_name_for(default_name))
    return settings, path.stem, run_dir


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Runs the notebooks."""
    _name_scheduler(arguments)
    _run(console, *collect_settings(arguments, Path.cwd()))
    return 0


def _name_scheduler(arguments: argparse.Namespace) -> None:
    """Tells the notebooks' kernels, which inherit the environment, of the scheduler."""
    if arguments.scheduler:
        os.environ["SCENEBOOK_SCHEDULER"] = arguments.scheduler


def _run(
    console: Console,
    settings: Settings,
    profile: str,
    run_dir: RunDirectory,
    only: Collection[str] = tuple(STAGE_NOTEBOOKS),
) -> None:
    console.print(Text(f"run {run_dir.name}: {_describe_data(settings)}, backbone {settings.backbone}"))
    _tell_of_replacement(settings, run_dir, console)
    with TerminalListener(console) as listener:
        pipeline.run_pipeline(settings, run_dir, profile=profile, listener=listener, only=only)


def _tell_of_replacement(settings: Settings, run_dir: RunDirectory, console: Console) -> None:
    """Two folders of one name, in different places, share a run unless RUN names another."""
    if not run_dir.path(SETTINGS).is_file():
        return
    try:
        before = load_settings(run_dir).dataset
    except (ScenebookError, yaml.YAMLError):
        return  # of another version: what it was made from cannot be told
    if before != settings.dataset:
        text = f"note: run {run_dir.name} was made from {before}. It is replaced; RUN=name keeps both."
        console.print(Text(text, style="yellow"))


def _describe_data(settings: Settings) -> str:
    return {config.DRAWN_SCENES: "drawn scenes", config.INTEL: "Intel photographs"}.get(
        settings.dataset, f"pictures of {_short(Path(settings.dataset))}"
    )


def report(arguments: argparse.Namespace, console: Console) -> int:
    """Runs the notebooks and renders the report; a stage that fails still leaves a report that says so."""
    _name_scheduler(arguments)
    return _report(console, *collect_settings(arguments, Path.cwd()))


def _report(
    console: Console,
    settings: Settings,
    profile: str,
    run_dir: RunDirectory,
    only: Collection[str] = tuple(STAGE_NOTEBOOKS),
) -> int:
    from scenebook import rendering

    notebooks = [project_root() / "notebooks" / f"{name}.ipynb" for name in STAGE_NOTEBOOKS.values()]
    works = claims.list_works(claims.claims_path(settings.claims_file))
    rendering.check_before_run(front_matter_path(), notebooks, works)
    try:
        _run(console, settings, profile, run_dir, only)
    except PipelineFailedError as error:
        console.print(Text(str(error), style="red"))
        _render(run_dir, console)
        return error.exit_code
    try:
        _render(run_dir, console)
    except ReportError:
        console.print(Text(f"All stages are done. Mend what is named below, then: make render RUN={run_dir.name}"))
        raise
    return 0


WITH_ABLATIONS = ("ablations", "conclusion")
"""The stages that the study's outcome changes."""


def ablations(arguments: argparse.Namespace, console: Console) -> int:
    """Trains the variants that are not done yet, and renders the report; the other stages run where they have to."""
    _name_scheduler(arguments)
    named = [arguments.profile, arguments.dataset, arguments.weights, *(arguments.set or []), _environment("SET")]
    if arguments.run and not any(named) and open_run(arguments.run).path(SETTINGS).is_file():
        run_dir = open_run(arguments.run)
        settings = pipeline.resolve_paths(load_settings(run_dir), Path.cwd())
        profile = pipeline.load_manifest(run_dir).get("profile", "sample")
    else:
        settings, profile, run_dir = collect_settings(arguments, Path.cwd())
    if settings.ablations == "none":
        settings = settings.updated({"ablations": "full"})
    if not _is_done(settings, run_dir):
        return _report(console, settings, profile, run_dir)
    console.print(Text(f"The other stages of {run_dir.name} are done, with the same settings: they are not run again."))
    return _report(console, settings, profile, run_dir, WITH_ABLATIONS)


def _is_done(settings: Settings, run_dir: RunDirectory) -> bool:
    """Tells whether all stages that the study builds upon are done with these settings."""
    if not run_dir.path(SETTINGS).is_file() or not pipeline.load_manifest(run_dir).get("stages"):
        return False
    done = {outcome.name for outcome in pipeline.stored_outcomes(run_dir) if outcome.status == "done"}
    try:
        before = load_settings(run_dir)
    except (ScenebookError, yaml.YAMLError):
        return False  # of another version
    same = settings.updated({name: getattr(before, name) for name in ("ablations", "ablation_plan")}) == before
    return same and set(STAGE_NOTEBOOKS) - set(WITH_ABLATIONS) <= done


def front_matter_path() -> Path:
    """Returns the file that holds the report's title block."""
    return project_root() / "report" / "front-matter.yaml"


def render(arguments: argparse.Namespace, console: Console) -> int:
    """Renders the report of a run that is there."""
    _render(open_run(arguments.run), console)
    return 0


def _render(run_dir: RunDirectory, console: Console) -> None:
    from scenebook import rendering

    started = time.monotonic()
    outcomes = pipeline.stored_outcomes(run_dir)
    settings = load_settings(run_dir)
    banners = [DRAWN_BANNER] if settings.dataset == config.DRAWN_SCENES else []
    rendered = rendering.render_report(
        run_dir.root,
        stages=[(outcome.name, _executed(run_dir, outcome), outcome.status) for outcome in outcomes],
        build_dir=default_build_dir() / run_dir.name,
        front_matter_path=front_matter_path(),
        banners=banners,
    )
    for warning in rendered.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    console.print(Text(f"rendered in {time.monotonic() - started:.1f} s"))
    for path in (rendered.html, rendered.pdf):
        console.print(Text(f"  {_short(path)}  ({path.stat().st_size / 1e6:.1f} MB)", style="bold"))


def _executed(run_dir: RunDirectory, outcome: StageOutcome) -> Path | None:
    """Returns the executed notebook of a stage; of one that was not run now, an older copy may lie there: `None`."""
    path = run_dir.path(f"notebooks/{outcome.notebook}")
    return path if outcome.status != "not run" and path.is_file() else None


def _short(path: Path) -> str:
    """Returns a path as it would be typed here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def load_settings(run_dir: RunDirectory) -> Settings:
    """Returns the settings that a run was made with."""
    values = yaml.safe_load(run_dir.require(SETTINGS).read_text(encoding="utf-8"))
    return config.make_settings(values)


BUNDLED = (
    "training/model.keras",
    "training/summary.json",
    "samples",
    "settings.yaml",
    "manifest.json",
    "evaluation",
    "training/test_predictions.csv",
    "data/splits.csv",
)


def bundle(arguments: argparse.Namespace, console: Console) -> int:
    """Zips what somebody needs who is handed the report: both files, trained weights, sample pictures, settings."""
    run_dir = open_run(arguments.run)
    missing = [outcome.name for outcome in pipeline.stored_outcomes(run_dir) if outcome.status != "done"]
    if missing:
        raise InputError(
            "Expected a run of which every stage is done.",
            received={"run": run_dir.name, "not done": missing},
            advice="Run `make report` first: a bundle of stages from different runs would contradict itself.",
        )
    build = default_build_dir() / run_dir.name
    members = {name: build / name for name in ("report.html", "report.pdf")}
    for name in BUNDLED:
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
    console.print(Text(f"  {_short(target)}  ({target.stat().st_size / 1e6:.1f} MB)", style="bold"))
    return 0


def predict(arguments: argparse.Namespace, console: Console) -> int:
    """Classifies a folder of unlabelled pictures with a finished run."""
    # TensorFlow's start-up notes are not for whoever classifies pictures; it reads this when it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from scenebook import prediction

    run_dir = open_run(arguments.run)
    images = prediction.open_images(arguments.images)
    prediction.check_run(run_dir)
    console.print(Text(f"run {run_dir.name}: pictures of {_short(images)}"))
    with CountLine(console, "pictures") as line:
        outcome = prediction.predict_folder(run_dir, images, report=line)
    rate = outcome.pictures / max(outcome.seconds, 1e-3)
    console.print(Text(f"{count_noun(outcome.pictures, 'picture')} in {outcome.seconds:.1f} s, {rate:.1f} a second"))
    for warning in _describe_warnings(outcome):
        console.print(Text(f"warning: {warning}", style="yellow"))
    for file in outcome.files:
        console.print(Text(f"  {_short(outcome.folder / file)}", style="bold"))
    return 0


def _describe_warnings(outcome: Outcome) -> list[str]:
    """Returns what somebody has to know before using the predictions, as sentences."""
    warnings = []
    if outcome.set_aside:
        warnings.append(f"{count_noun(outcome.set_aside, 'file was', 'files were')} set aside: see set-aside.csv.")
    if outcome.unlike is None:
        warnings.append(
            "The run was made before features were kept with a run: make it again, to be told which pictures look "
            "unlike its training pictures."
        )
    elif outcome.unlike:
        warnings.append(
            f"{outcome.unlike:,} of {count_noun(outcome.pictures, 'picture')} "
            f"({outcome.unlike / outcome.pictures:.1%}) look unlike the training pictures: their mean distance to the "
            f"10 nearest of them is above {outcome.threshold:.4f}, as it is for 1% of the run's "
            f"{outcome.validation:,} validation pictures. What is predicted for these may well be meaningless, however "
            "sure the network is."
            + (" So few of them draw that line only roughly." if outcome.validation < 100 else "")
        )
    return warnings


def params(arguments: argparse.Namespace, console: Console) -> int:
    """Lists all settings."""
    table = Table(box=None, pad_edge=False)
    for column in ("name", "default", "bounds", "meaning"):
        table.add_column(column, overflow="fold")
    for row in config.describe_settings():
        table.add_row(*(Text(row[column]) for column in ("name", "default", "bounds", "meaning")))
    console.soft_wrap = False
    console.print(table)
    return 0
