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

from benchmarks.job import make_job
from benchmarks.machine import describe_machine, list_versions
from benchmarks.plan import MEASUREMENTS, select_measurements
from benchmarks.results import print_results, tabulate_measurements, tabulate_ratios
from benchmarks.running import Outcomes, run_measurements
from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.profiles import find_profile, load_profile, parse_overrides
from scenebook.core.project import project_root
from scenebook.core.provenance import git_commit, without_folders
from scenebook.core.run_directory import write_json
from scenebook.core.settings import Settings, make_settings
from scenebook.pipeline.checks import resolve_paths

PAPERS_BACKBONE = "ResNet50"
_BUSY = 0.1
_BATCHES = 20


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
    add("--images", type=int, metavar="N", help="training images; default: 20 batches")
    add("--repeats", type=int, default=3, metavar="N", help="how often everything is repeated; default: 3")
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
    for name in ("images", "repeats"):
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
        large = settings.backbone == PAPERS_BACKBONE
        if large and not arguments.only:
            measurements = [measurement for measurement in measurements if "seconds" not in measurement.quantities]
            console.print(Text(f"note: whole jobs take long with {PAPERS_BACKBONE}; --only measures them, too."))
        images = arguments.images or _BATCHES * settings.batch_size
        job = make_job(settings, Path(folder), images=images, epochs=1 if large else 2)
        count, size = len(job.load_train()), settings.image_size
        text = f"{settings.backbone}, {size} by {size} pixels, batches of {settings.batch_size}: {count:,} images"
        console.print(Text(f"{text}, timed passes: {job.settings.epochs}"))
        about = {
            "machine": machine,
            "versions": list_versions(),
            "commit": git_commit(project_root()),
            "arguments": {
                "profile": profile,
                "repeats": arguments.repeats,
                "only": [measurement.name for measurement in measurements] if arguments.only else [],
            },
            "images": count,
            "settings": without_folders(job.settings.model_dump()),
        }
        results: dict[str, Any] = {}

        def keep(outcomes: Outcomes) -> None:
            measured = tabulate_measurements(outcomes)
            results.update(about | {"measurements": measured, "ratios": tabulate_ratios(measured)})
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


if __name__ == "__main__":
    # As an interruption: the process that measures ends with this one, and the temporary folder goes.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
