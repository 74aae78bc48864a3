"""`python -m benchmarks`: measures everything side by side, prints tables, and writes `benchmarks/results.json`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.text import Text

from benchmarks.job import Job, make_job
from benchmarks.machine import describe_machine, list_versions
from benchmarks.plan import MEASUREMENTS, select_measurements
from benchmarks.results import judge_goals, tabulate_measurements, tabulate_ratios
from benchmarks.running import Outcomes, run_measurements
from benchmarks.table import print_results
from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.provenance import git_commit, without_folders
from scenebook.core.run_directory import project_root, write_json
from scenebook.core.settings import Settings, find_profile, load_profile, make_settings, parse_overrides
from scenebook.pipeline.checks import resolve_paths

PAPERS_BACKBONE = "ResNet50"
_BUSY = 0.1


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, and returns the exit code: 0 done, 1 something failed, 2 the input is wrong."""
    console, errors = (Console(stderr=stderr, highlight=False, soft_wrap=True) for stderr in (False, True))
    try:
        results = run(build_parser().parse_args(argv), errors)
    except ScenebookError as error:
        errors.print(Text(f"{'error: ' if error.exit_code == 2 else ''}{error}"))
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("Interrupted. Whole repeats that were finished are in the results.")
        return 130
    print_results(results, console)
    return int(any("error" in row for row in results["measurements"].values()))


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser. Defaults come from SCENEBOOK_* variables, which the Makefile sets."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures this project beside plain Keras, on the same images and the same machine.",
        epilog="Measurements: " + ", ".join(measurement.name for measurement in MEASUREMENTS) + ".",
    )
    add = parser.add_argument
    add("--profile", default=_environment("PROFILE"), metavar="NAME|FILE",
        help="the recipe: sample, paper, or a YAML file; default: sample; paper with --dataset")  # fmt: skip
    add("--dataset", default=_environment("DATA"), metavar="FOLDER", help="the images; default: the profile's")
    add("--weights", default=_environment("WEIGHTS"), metavar="FILE", help="the backbone's; default: the profile's")
    add("--set", action="append", default=None, metavar="NAME=VALUE", help="change one setting of the profile")
    add("--images", type=int, metavar="N", help="training images; default: 3 batches with ResNet50, else 10")
    add("--epochs", type=int, metavar="N", help="timed passes over them; default: 1 with ResNet50, else 2")
    add("--study-images", type=int, metavar="N", help="training images of the study; default: half of them")
    add("--study-epochs", type=int, metavar="N", help="epochs of its base variant; default: --epochs")
    add("--repeats", type=int, default=3, metavar="N", help="how often everything is repeated; default: 3")
    add("--seconds", type=float, default=3.0, metavar="S",
        help="the least time of what is no training, seconds; default: 3")  # fmt: skip
    add("--only", default="", metavar="NAME,...", help="these measurements only")
    add("--results", default=str(project_root() / "benchmarks" / "results.json"), metavar="FILE",
        help="where the numbers go; default: benchmarks/results.json")  # fmt: skip
    return parser


def _environment(name: str) -> str | None:
    return os.environ.get(f"SCENEBOOK_{name}") or None


def run(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measures what the arguments ask for, writes the results, and returns them.

    Raises:
        InputError: An argument is wrong.
    """
    sizes = ("images", "epochs", "study_images", "study_epochs", "repeats", "seconds")
    for name in sizes:
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise InputError("Expected a positive number.", received={name: value})
    measurements = select_measurements([name for name in arguments.only.split(",") if name])
    settings, profile = collect_settings(arguments, Path.cwd())
    machine = describe_machine()
    if machine["busy_before"] > _BUSY:
        text = (
            f"note: other programs take {machine['busy_before']:.0%} of the processors, so that all of this is slower."
        )
        console.print(Text(text, style="yellow"))
    with TemporaryDirectory(prefix="scenebook-benchmark-") as folder:
        job = _make_job(arguments, settings, Path(folder))
        console.print(Text(describe_job(job)))
        about = {
            "machine": machine,
            "versions": list_versions(),
            "commit": git_commit(project_root()),
            "arguments": {
                "profile": profile,
                "epochs": job.settings["epochs"],
                "repeats": arguments.repeats,
                "seconds": arguments.seconds,
                "only": [measurement.name for measurement in measurements] if arguments.only else [],
            },
            "images": {split: len(job.load_split(split)) for split in ("train", "validation")},
            "study": {
                "epochs": job.study_epochs,
                "images": dict(zip(("train", "validation"), map(len, job.load_study()), strict=True)),
            },
            "settings": without_folders(job.settings),
        }
        results: dict[str, Any] = {}

        def keep(outcomes: Outcomes) -> None:
            results.update(about | compile_results(outcomes, settings))
            write_json(Path(arguments.results), results)

        run_measurements(
            measurements, job, repeats=arguments.repeats, report=lambda line: console.print(Text(line)), keep=keep
        )
    return results


def collect_settings(arguments: argparse.Namespace, base: Path) -> tuple[Settings, str]:
    """Returns the checked settings and the profile's name, from the arguments.

    Raises:
        InputError: Anything in them is wrong.
    """
    path = find_profile(arguments.profile or ("paper" if arguments.dataset else "sample"), project_root() / "profiles")
    values = load_profile(path)
    values |= {name: getattr(arguments, name) for name in ("dataset", "weights") if getattr(arguments, name)}
    texts = arguments.set if arguments.set is not None else [_environment("SET") or ""]
    return resolve_paths(make_settings(values | parse_overrides(texts)), base), path.stem


def _make_job(arguments: argparse.Namespace, settings: Settings, folder: Path) -> Job:
    large = settings.backbone == PAPERS_BACKBONE
    images = arguments.images or (3 if large else 10) * settings.batch_size
    epochs = arguments.epochs or (1 if large else 2)
    return make_job(
        settings,
        folder,
        images=images,
        epochs=epochs,
        study_images=arguments.study_images or max(1, images // 2),
        study_epochs=arguments.study_epochs or epochs,
        seconds=arguments.seconds,
    )


def describe_job(job: Job) -> str:
    """Returns what is measured with, for the terminal."""
    settings, train = job.settings, job.load_split("train")
    return (
        f"{settings['backbone']}, {settings['image_size']} by {settings['image_size']} pixels, batches of "
        f"{settings['batch_size']}: {len(train):,} images, timed passes: {settings['epochs']}; the study: "
        f"{len(job.load_study()[0]):,} images"
    )


def compile_results(outcomes: Outcomes, settings: Settings) -> dict[str, Any]:
    """Returns the numbers of results.json: measurements, ratios and goals."""
    measured = tabulate_measurements(outcomes)
    ratios = tabulate_ratios(measured)
    goals = judge_goals(measured, ratios, is_papers=settings.backbone == PAPERS_BACKBONE)
    return {"measurements": measured, "ratios": ratios, "goals": goals}


if __name__ == "__main__":
    # As an interruption: the process that measures ends with this one, and the temporary folder goes.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
