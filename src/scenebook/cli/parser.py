"""The commands and their arguments."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import scenebook
from scenebook.core.project import SCHEDULER_ADDRESS, default_profile
from scenebook.core.run_files import DEFAULT_EXPORTS, DEFAULT_FORMATS, EXPORT_FORMATS, REPORT_FORMATS
from scenebook.core.stages import STAGES

_SETTINGS = {
    "--profile NAME|FILE": "settings to start from: sample, recommended, quick, paper, best, or a YAML file; default: "
    "those of the run that --run names, if it is there; else recommended with --dataset; else the project's own",
    "--dataset FOLDER": "a folder of class folders, or of train and test folders of them, or a CSV file of "
    "path,label; also: scenes, intel",
    "--weights FILE": "weights of the backbone: a .weights.h5 or .keras file; also: imagenet, random",
    "--set NAME=VALUE": "change one setting; may be given more than once (`params` lists them)",
    "--run NAME": "name of the run; default: the profile's name, or the data folder's",
    "--force STAGES": f"run these although nothing has changed: any of {', '.join(STAGES)}; all",
}
_EXECUTION = {
    "--time-limit SECONDS": "how long a cell of a notebook may take; default: as long as it takes",
    "--scheduler ADDRESS": "tcp://host:port or tls://host:port of a dask scheduler whose workers train the variants; "
    "default: processes of this machine",
}
_PLAN = {
    "--plan NAME|FILE": "which variants: ablations, recipe-ablations, backbones, or a YAML file; default: the run's"
}
_FORMATS = {"--formats FORMATS": f"what to render the report as, any of {', '.join(REPORT_FORMATS)}; default: html pdf"}
_FINISHED = {"--run NAME": "the run; default: default where there is profiles/default.yaml, else sample"}
_PREDICT = {
    "--images FOLDER": "the folder, folders in it looked into too; or a CSV or Parquet file with a column path, whose "
    "paths start at its folder. The outcome goes to predictions/ of the run; what is there of unchanged images is kept",
    **_FINISHED,
    "--scheduler ADDRESS": "tcp://host:port or tls://host:port of a dask scheduler whose workers classify 1,000 images "
    "at a time; default: this process",
    "--trust": "run the code by which the run's own notebook prepares images: only if you know who made it",
}
_EXPORT = {
    "--formats EXPORTS": f"any of {', '.join(EXPORT_FORMATS)}; default: {' '.join(DEFAULT_EXPORTS)}, which need "
    "nothing more to be installed",
    **_FINISHED,
}
_SERVE = {
    **_FINISHED,
    "--port PORT": "the port of the page on this machine; default: 8765; 0: any that is free",
    "--trust": _PREDICT["--trust"],
}
_VERIFY = {
    **_FINISHED,
    "--dataset FOLDER": "where the images are here",
    "--weights FILE": "where the weights are here",
    "--trust": "use a .keras file that the run names as its weights: only if you know who made it",
}
_DIFF = {"first A": "a run", "second B": "the run it is compared with"}
_NEW = {
    "folder FOLDER": "the folder to make; one that holds a report already is only compared with what would be made",
    "--title TEXT": "the report's title",
    "--author NAME": "an author; may be given more than once",
    "--data FOLDER": "the images that the report is about, as --dataset of `report`; default: drawn ones",
}
_COMMANDS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("new", _NEW, "make a folder with notebooks, settings and tests for a report of one's own"),
    (
        "report",
        _SETTINGS | _EXECUTION | _FORMATS,
        "run what has changed since the last time, and render report.html and report.pdf; with --run by-hand, of what "
        "was run in Jupyter",
    ),
    ("run", _SETTINGS | _EXECUTION, "run what has changed, without rendering"),
    (
        "ablations",
        _SETTINGS | _PLAN | _EXECUTION | _FORMATS,
        "train variants of a run's recipe, and render its report with what came out",
    ),
    ("explain", _SETTINGS, "tell of each stage whether it would run, and why"),
    ("render", _FINISHED | _FORMATS, "render the report of a run again"),
    ("bundle", _FINISHED, "zip a run's report, trained weights, model card, sample images and settings"),
    ("predict", _PREDICT, "classify a folder or list of unlabelled images with a finished run"),
    ("export", _EXPORT, "write the network of a finished run for other programs, with a script and a model card"),
    ("serve", _SERVE, "show a page, on this machine only, that classifies the images that are dropped on it"),
    ("verify", _VERIFY, "check the files of a run, make it again in a fresh folder, and compare"),
    ("diff", _DIFF, "show two runs side by side: settings, data, code, and scores with paired intervals"),
    ("params", {}, "list all settings with default, bounds and meaning"),
    ("diff-notebooks", {}, "show which cells of the notebooks differ from those that came with the package"),
)
"""Each command's name, its arguments with their metavar, and what it does."""


def environment(name: str) -> str | None:
    """Returns the value of the variable `SCENEBOOK_<name>`, which the Makefile sets; an empty one is none."""
    return os.environ.get(f"SCENEBOOK_{name}") or None


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands. Defaults come from SCENEBOOK_* variables, which the Makefile sets."""
    parser = argparse.ArgumentParser(
        prog="scenebook" if Path(sys.argv[0]).stem == "scenebook" else "python -m scenebook",
        description="Turns a folder of labelled images into a reproducible transfer-learning report.",
        epilog="Exit codes: 0 done, 1 a stage failed or a check did not hold, 2 the input is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"scenebook {scenebook.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for command, arguments, text in _COMMANDS:
        sub = commands.add_parser(command, help=text, description=f"{text[0].upper()}{text[1:]}.")
        for argument, meaning in arguments.items():
            name, _, metavar = argument.partition(" ")
            sub.add_argument(name, help=meaning, **_options_of(name, metavar))
        sub.set_defaults(command=command)
        if _FINISHED.items() <= arguments.items():
            sub.set_defaults(run=environment("RUN") or default_profile())
    return parser


def _options_of(name: str, metavar: str) -> dict[str, Any]:
    match name:
        case "--set" | "--author":
            return {"action": "append", "metavar": metavar}
        case "folder" | "--title" | "--data":
            return {"metavar": metavar}
        case "--trust":
            return {"action": "store_true", "default": environment("TRUST") == "1"}
        case "--dataset":
            return {"default": environment("DATA"), "metavar": metavar}
        case "--formats":
            of_report, of_export = (REPORT_FORMATS, DEFAULT_FORMATS), (EXPORT_FORMATS, DEFAULT_EXPORTS)
            known, usual = of_export if metavar == "EXPORTS" else of_report
            return {"default": environment("FORMATS") or usual, "metavar": metavar, "type": partial(_formats, known)}
        case "--port":
            return {"default": environment("PORT") or 8765, "metavar": metavar, "type": partial(_number, range(65536))}
        case "--time-limit":
            seconds = partial(_number, range(1, 1_000_000))
            return {"default": environment("TIME_LIMIT"), "metavar": metavar, "type": seconds}
        case "--scheduler":
            return {"default": environment("SCHEDULER"), "metavar": metavar, "type": _address}
        case "first" | "second":
            return {"default": environment(metavar), "metavar": metavar, "nargs": "?"}
    return {"default": environment(name.removeprefix("--").upper()), "metavar": metavar}


def _formats(known: Sequence[str], text: str) -> tuple[str, ...]:
    asked = text.replace(",", " ").split()
    if not asked or not {*asked} <= {*known}:
        raise argparse.ArgumentTypeError(f"expected any of {', '.join(known)}, received {text!r}")
    return tuple(dict.fromkeys(asked))


def _address(text: str) -> str:
    if not re.fullmatch(SCHEDULER_ADDRESS, text):
        raise argparse.ArgumentTypeError(f"expected tcp://host:port or tls://host:port, received {text!r}")
    return text


def _number(known: range, text: str) -> int:
    if not text.isdecimal() or int(text) not in known:
        raise argparse.ArgumentTypeError(f"expected a number from {known[0]} to {known[-1]}, received {text!r}")
    return int(text)
