"""The commands and their arguments."""

from __future__ import annotations

import argparse

import scenebook
from scenebook.cli import making, using
from scenebook.cli.loading import environment
from scenebook.core.stages import STAGES

_COMMANDS = (
    (making.report, "run what has changed since the last time, and render report.html and report.pdf"),
    (making.run, "run what has changed, without rendering"),
    (making.ablations, "train variants of a run's recipe, and render its report with what came out"),
    (making.explain, "tell of each stage whether it would run, and why"),
    (making.render, "render the report of a run again"),
    (using.bundle, "zip a run's report, trained weights, sample images and settings"),
    (using.predict, "classify a folder of unlabelled images with a finished run"),
    (using.verify, "check the files of a run, make it again in a fresh folder, and compare"),
    (using.diff, "show two runs side by side: settings, data, code, and scores with paired intervals"),
)
"""Each command's function, which has its name, and what it does."""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands. Defaults come from SCENEBOOK_* variables, which the Makefile sets."""
    parser = argparse.ArgumentParser(
        prog="python -m scenebook",
        description="Turns a folder of labelled images into a reproducible transfer-learning report.",
        epilog="Exit codes: 0 done, 1 a stage failed or a check did not hold, 2 the input is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"scenebook {scenebook.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    subs: dict[str, argparse.ArgumentParser] = {}
    for command, text in _COMMANDS:
        sub = commands.add_parser(command.__name__, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(command=command)
        subs[command.__name__] = sub
    for name in ("report", "run", "ablations", "explain"):
        _add_settings(subs[name])
    for name in ("report", "run", "ablations"):
        _add(
            subs[name],
            "--time-limit",
            "SECONDS",
            "how long a cell of a notebook may take; default: as long as it takes",
        )
        _add(
            subs[name],
            "--scheduler",
            "ADDRESS",
            "tcp://host:port or tls://host:port of a dask scheduler whose workers train the variants; default: "
            "processes of this machine",
        )
    _add(
        subs["predict"],
        "--images",
        "FOLDER",
        "the folder; folders in it are looked into too. The outcome goes to predictions/ of the run",
    )
    for name in ("render", "bundle", "predict", "verify"):
        _add(subs[name], "--run", "NAME", "the run; default: sample", fallback="sample")
    _add(subs["verify"], "--dataset", "FOLDER", "where the images are here", variable="DATA")
    _add(subs["verify"], "--weights", "FILE", "where the weights are here")
    subs["verify"].add_argument(
        "--trust",
        action="store_true",
        default=environment("TRUST") == "1",
        help="use a .keras file that the run names as its weights: only if you know who made it",
    )
    for name, variable, text in (("first", "A", "a run"), ("second", "B", "the run it is compared with")):
        subs["diff"].add_argument(name, nargs="?", default=environment(variable), metavar=variable, help=text)
    commands.add_parser("params", help="list all settings with default, bounds and meaning").set_defaults(
        command=using.params
    )
    return parser


def _add(
    parser: argparse.ArgumentParser,
    name: str,
    metavar: str,
    text: str,
    *,
    variable: str = "",
    fallback: str | None = None,
) -> None:
    """Adds an option whose default is the value of a variable, which has its name unless another is given."""
    value = environment(variable or name.strip("-").replace("-", "_").upper())
    kind = _seconds if metavar == "SECONDS" else str
    parser.add_argument(name, type=kind, default=value or fallback, metavar=metavar, help=text)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    _add(
        parser,
        "--profile",
        "NAME|FILE",
        "settings to start from: sample, paper, or a YAML file; default: those of the run that --run names, if it is "
        "there; else sample, or paper with --dataset",
    )
    _add(
        parser,
        "--dataset",
        "FOLDER",
        "a folder of class folders, or of train and test folders of them, or a CSV file of path,label; also: scenes, "
        "intel",
        variable="DATA",
    )
    _add(
        parser,
        "--weights",
        "FILE",
        "weights of the backbone: a .weights.h5 or .keras file; also: imagenet, embedded, random",
    )
    text = "change one setting; may be given more than once (`params` lists them)"
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help=text)
    _add(parser, "--run", "NAME", "name of the run; default: the profile's name, or the data folder's")
    _add(parser, "--force", "STAGES", f"run these although nothing has changed: any of {', '.join(STAGES)}; all")


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, at least 1, received {text!r}")
    return int(text)
