"""Commands that make a run and its report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from scenebook.cli.loading import collect_settings, load_settings, short, tell_file
from scenebook.cli.parser import environment
from scenebook.cli.terminal import TerminalListener
from scenebook.core.combinations import list_idle
from scenebook.core.environment import allow_files, check_clock, name_scheduler
from scenebook.core.errors import InputError, ReportError, ScenebookError, StageError
from scenebook.core.project import project_folder
from scenebook.core.run_directory import BY_HAND, RunDirectory, default_build_dir, open_run
from scenebook.core.run_files import DEFAULT_FORMATS
from scenebook.core.settings import DRAWN_SCENES, INTEL, Settings
from scenebook.core.stages import STAGES
from scenebook.core.wording import join_names, printable
from scenebook.evaluation.claims.loading import claims_path, list_works
from scenebook.pipeline.by_hand import check_unchanged_by_hand, collect_by_hand, list_overruled, tell_by_hand
from scenebook.pipeline.checks import check_dask, check_writable
from scenebook.pipeline.kernels import make_kernel_environment
from scenebook.pipeline.keys import find_report_changes, list_report_files, make_report_key, note_report
from scenebook.pipeline.manifest import Manifest, StageStatus, check_version
from scenebook.pipeline.planning import Planner, check_stages, stored_outcomes
from scenebook.pipeline.prewarming import PrewarmedKernels
from scenebook.pipeline.running import run_pipeline
from scenebook.pipeline.saved_notebooks import check_notebooks

_DRAWN_BANNER = (
    "The images of this report are drawn by the program, not photographed: its numbers show that everything works, "
    "and say nothing about photographs."
)
_Made = tuple[Settings, str, RunDirectory]
"""Settings, the profile's name, and the run that is made with them."""


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Runs the notebooks."""
    _check_not_by_hand(arguments)
    made = _collect(arguments, console)
    _prepare_process(arguments, made[0])
    _run(arguments, console, made, _list_forced(arguments), PrewarmedKernels())
    return 0


def report(arguments: argparse.Namespace, console: Console) -> int:
    """Runs the notebooks and renders the report; a stage that fails still leaves a report that says so.

    Of notebooks that were run by hand, nothing is run: their outputs are taken as they are.
    """
    if arguments.run == BY_HAND:
        _check_no_options(arguments)
        return report_by_hand(console, formats=arguments.formats)
    return _report(arguments, console, _collect(arguments, console), _list_forced(arguments))


def ablations(arguments: argparse.Namespace, console: Console) -> int:
    """Trains the variants that are not done yet, and renders the report; the other stages run where they have to."""
    _check_not_by_hand(arguments)
    if arguments.plan:
        given = arguments.set or [environment("SET") or ""]
        arguments.set = [*given, f"ablation_plan={arguments.plan}", "ablations=full"]
    settings, profile, run_dir = _collect(arguments, console)
    if settings.ablations == "none":
        settings = settings.updated({"ablations": "full"})
    # A variant that failed is tried again, which no key can ask for.
    return _report(arguments, console, (settings, profile, run_dir), [*_list_forced(arguments), "ablations"])


def explain(arguments: argparse.Namespace, console: Console) -> int:
    """Tells of each stage whether it would run, and why."""
    if arguments.run == BY_HAND:
        return _explain_by_hand(arguments, console)
    settings, profile, run_dir = _collect(arguments, console)
    decisions = Planner(settings, Manifest(run_dir, profile), force=_list_forced(arguments)).decide_all()
    _tell_run(settings, run_dir, console)
    changes = ["a stage runs before it"] if any(decision.run for decision in decisions) else []
    changes += [f"prose of stage {decision.stage}: changed" for decision in decisions if decision.prose]
    changes = changes or find_report_changes(run_dir, default_build_dir() / run_dir.name)
    told = [(decision.stage, "run" if decision.run else "skip", decision.reasons) for decision in decisions]
    for name, what, reasons in [*told, ("report", "render" if changes else "skip", changes)]:
        _tell_reasons(console, name, what, reasons or ["unchanged"])
    return 0


def _tell_reasons(console: Console, name: str, what: str, reasons: Sequence[str]) -> None:
    for number, reason in enumerate(reasons):
        console.print(Text(f"  {name if not number else '':<12}{what if not number else '':<8}{reason}"))


def _explain_by_hand(arguments: argparse.Namespace, console: Console) -> int:
    _check_no_options(arguments)
    for one in check_notebooks(open_run(BY_HAND)):
        reason = one.problem or ("run by hand" if one.is_taken else "not run by hand: the report does without it")
        _tell_reasons(console, one.stage, "run" if one.problem else "take" if one.is_taken else "skip", [reason])
    return 0


def report_by_hand(
    console: Console, notebooks_dir: Path | None = None, formats: Sequence[str] = DEFAULT_FORMATS
) -> int:
    """Renders the report of the notebooks in a folder as they were run by hand, or raises `InputError`; none is run."""
    run_dir = open_run(BY_HAND)
    collect_by_hand(run_dir, notebooks_dir)
    _render(run_dir, console, formats)
    return 0


def _check_no_options(arguments: argparse.Namespace) -> None:
    """The settings of notebooks that were run by hand are those of their parameters cells."""
    names = {"profile": "PROFILE", "dataset": "DATA", "weights": "WEIGHTS", "force": "FORCE"}
    given = {shown: value for name, shown in names.items() if (value := getattr(arguments, name))}
    changes = " ".join(arguments.set or [environment("SET") or ""])
    given |= {"SET": changes} if changes else {}
    if given:
        raise InputError(
            f"Expected RUN={BY_HAND} alone: its notebooks are not run by this command, and its settings are in their "
            "parameters cells.",
            received=given,
            advice="Change them there and run the notebooks, or choose another RUN.",
        )


def _check_not_by_hand(arguments: argparse.Namespace) -> None:
    if arguments.run == BY_HAND:
        raise InputError(
            "Expected a run that this command may make: this one belongs to notebooks that are run in Jupyter.",
            received={"run": BY_HAND},
            advice=f"`make report RUN={BY_HAND}` renders their report; choose another RUN for anything else.",
        )


def _collect(arguments: argparse.Namespace, console: Console) -> _Made:
    return collect_settings(arguments, Path.cwd(), lambda line: console.print(Text(printable(line))))


def render(arguments: argparse.Namespace, console: Console) -> int:
    """Renders the report of a run that is there."""
    run_dir = open_run(arguments.run)
    check_version(run_dir)
    check_unchanged_by_hand(run_dir)
    _render(run_dir, console, arguments.formats)
    return 0


def _list_forced(arguments: argparse.Namespace) -> list[str]:
    forced: list[str] = (arguments.force or "").replace(",", " ").split()
    check_stages(forced)
    return forced


def _prepare_process(arguments: argparse.Namespace, settings: Settings) -> None:
    check_clock()
    allow_files()
    name_scheduler(arguments.scheduler)
    if arguments.scheduler or settings.ablations != "none":
        check_dask(arguments.scheduler)


def _run(
    arguments: argparse.Namespace, console: Console, made: _Made, force: list[str], prewarmed: PrewarmedKernels
) -> None:
    settings, profile, run_dir = made
    _tell_run(settings, run_dir, console)
    _tell_of_replacement(settings, run_dir, console)
    limit = arguments.time_limit
    with TerminalListener(console) as listener:
        run_pipeline(
            settings, run_dir, profile=profile, listener=listener, force=force, time_limit=limit, prewarmed=prewarmed
        )


def _report(arguments: argparse.Namespace, console: Console, made: _Made, force: list[str]) -> int:
    settings, profile, run_dir = made
    build_dir = default_build_dir() / run_dir.name
    check_writable(build_dir, "SCENEBOOK_BUILD")
    _prepare_process(arguments, settings)
    with closing(PrewarmedKernels()) as prewarmed:
        planner = Planner(settings, Manifest(run_dir, profile), force=force)
        if first := next((decision.stage for decision in planner.decide_all() if decision.run), None):
            prewarmed.prepare({first: planner.notebook_of(first)}, make_kernel_environment(run_dir.root.parent))
            _check_before_run(settings)
        try:
            _run(arguments, console, made, force, prewarmed)
        except StageError as error:
            console.print(Text(str(error), style="red"))
            _render(run_dir, console, arguments.formats)
            return error.exit_code
        except KeyboardInterrupt:
            console.print(Text("Stopped. The report of what is finished is rendered; press Ctrl-C again to skip that."))
            with suppress(ScenebookError, OSError):
                _render(run_dir, console, arguments.formats)
            raise
    if not find_report_changes(run_dir, build_dir, arguments.formats):
        console.print(Text("The report is unchanged."))
        _tell_files(build_dir, arguments.formats, console)
        return 0
    try:
        _render(run_dir, console, arguments.formats)
    except ReportError:
        told = f"All stages are done. Correct what is named below, then run: make render RUN={run_dir.name}"
        console.print(Text(told))
        raise
    return 0


def _check_before_run(settings: Settings) -> None:
    """Looks for what would keep the report from being rendered, before hours are spent."""
    from scenebook.rendering.report import check_before_run

    notebooks = [project_folder("notebooks") / f"{stage.notebook}.ipynb" for stage in STAGES.values()]
    works = list_works(claims_path(settings.claims_file))
    check_before_run(project_folder("report") / "front-matter.yaml", notebooks, works)


def _tell_of_replacement(settings: Settings, run_dir: RunDirectory, console: Console) -> None:
    """Two folders of one name, in different places, share a run unless RUN names another."""
    try:
        before = load_settings(run_dir).dataset
    except ScenebookError:
        return  # there is none, or of another version: what it was made from cannot be told
    if before != settings.dataset:
        text = f"note: run {run_dir.name} was made from {before}. It is replaced; RUN=name keeps both."
        console.print(Text(text, style="yellow"))


def _tell_run(settings: Settings, run_dir: RunDirectory, console: Console) -> None:
    named = {DRAWN_SCENES: "drawn scenes", INTEL: "Intel photographs"}
    data = named.get(settings.dataset, f"images of {short(Path(settings.dataset))}")
    console.print(Text(f"run {run_dir.name}: {data}, backbone {settings.backbone}"))
    idle = list_idle(settings)
    if idle:
        console.print(Text(f"without effect in this run: {'; '.join(idle)}"))
    if overruled := list_overruled(settings, project_folder("notebooks")):
        text = f"note: settings come from the profile and SET, so without effect: {'; '.join(overruled)}."
        console.print(Text(printable(text), style="yellow"))


def _render(run_dir: RunDirectory, console: Console, formats: Sequence[str]) -> None:
    from scenebook.rendering.report import StageNotebook, render_report

    started = time.monotonic()
    build_dir = default_build_dir() / run_dir.name
    stages = []
    for outcome in stored_outcomes(run_dir):
        path = run_dir.path(f"notebooks/{outcome.notebook}")
        # Of a stage that did not end now, an older copy may lie there.
        shown = outcome.status in (StageStatus.DONE, StageStatus.FAILED, StageStatus.STALE) and path.is_file()
        stages.append(StageNotebook(outcome.name, path if shown else None, outcome.status, outcome.note))
    key, settings = make_report_key(run_dir), load_settings(run_dir)
    rendered = render_report(
        run_dir.root,
        stages=stages,
        build_dir=build_dir,
        front_matter_path=project_folder("report") / "front-matter.yaml",
        banners=[*tell_by_hand(run_dir), *([_DRAWN_BANNER] if settings.dataset == DRAWN_SCENES else [])],
        formats=formats,
    )
    note_report(build_dir, key)
    for warning in rendered.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    if rendered.placeholders:
        named = join_names(rendered.placeholders)
        console.print(Text(f"note: report/front-matter.yaml still has placeholders: {named}.", style="yellow"))
    console.print(Text(f"rendered in {time.monotonic() - started:.1f} s"))
    _tell_files(build_dir, formats, console)


def _tell_files(build_dir: Path, formats: Sequence[str], console: Console) -> None:
    for path in list_report_files(build_dir, formats):
        tell_file(path, console)
