"""The commands and their arguments."""

from __future__ import annotations

import argparse

import scenebook
from scenebook.cli import making, using
from scenebook.cli.loading import environment
from scenebook.core.stages import STAGES


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands. Defaults come from SCENEBOOK_* variables, which the Makefile sets."""
    parser = argparse.ArgumentParser(
        prog="python -m scenebook",
        description="Turns a folder of labelled images into a reproducible transfer-learning report.",
        epilog="Exit codes: 0 done, 1 a stage failed or a check did not hold, 2 the input is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"scenebook {scenebook.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for name, command, text in (
        ("report", making.report, "run what has changed since the last time, and render report.html and report.pdf"),
        ("run", making.run, "run what has changed, without rendering"),
        ("ablations", making.ablations, "train variants of a run's recipe, and render its report with what came out"),
        ("explain", making.explain, "tell of each stage whether it would run, and why"),
    ):
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _add_settings(sub)
        sub.add_argument(
            "--force",
            default=environment("FORCE"),
            metavar="STAGES",
            help=f"run these although nothing has changed: any of {', '.join(STAGES)}; all",
        )
        sub.set_defaults(command=command)
        if name == "explain":
            continue
        sub.add_argument(
            "--time-limit",
            type=_seconds,
            default=environment("TIME_LIMIT"),
            metavar="SECONDS",
            help="how long a cell of a notebook may take; default: as long as it takes",
        )
        sub.add_argument(
            "--scheduler",
            default=environment("SCHEDULER"),
            metavar="ADDRESS",
            help="tcp://host:port or tls://host:port of a dask scheduler whose workers train the variants; default: "
            "processes of this machine",
        )
    for name, command, text in (
        ("render", making.render, "render the report of a run again"),
        ("bundle", using.bundle, "zip a run's report, trained weights, sample images and settings"),
    ):
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.add_argument(
            "--run", default=environment("RUN") or "sample", metavar="NAME", help="the run; default: sample"
        )
        sub.set_defaults(command=command)
    text = "classify a folder of unlabelled images with a finished run"
    sub = commands.add_parser("predict", help=text, description=text[0].upper() + text[1:] + ".")
    sub.add_argument(
        "--images",
        default=environment("IMAGES"),
        metavar="FOLDER",
        help="the folder; folders in it are looked into too. The outcome goes to predictions/ of the run",
    )
    sub.add_argument("--run", default=environment("RUN") or "sample", metavar="NAME", help="the run; default: sample")
    sub.set_defaults(command=using.predict)
    text = "check the files of a run, make it again in a fresh folder, and compare"
    sub = commands.add_parser("verify", help=text, description=text[0].upper() + text[1:] + ".")
    sub.add_argument("--run", default=environment("RUN") or "sample", metavar="NAME", help="the run; default: sample")
    sub.add_argument("--dataset", default=environment("DATA"), metavar="FOLDER", help="where the images are here")
    sub.add_argument("--weights", default=environment("WEIGHTS"), metavar="FILE", help="where the weights are here")
    sub.add_argument(
        "--trust",
        action="store_true",
        default=environment("TRUST") == "1",
        help="use a .keras file that the run names as its weights: only if you know who made it",
    )
    sub.set_defaults(command=using.verify)
    text = "show two runs side by side: settings, data, code, and scores with paired intervals"
    sub = commands.add_parser("diff", help=text, description=text[0].upper() + text[1:] + ".")
    sub.add_argument("first", nargs="?", default=environment("A"), metavar="A", help="a run")
    sub.add_argument("second", nargs="?", default=environment("B"), metavar="B", help="the run it is compared with")
    sub.set_defaults(command=using.diff)
    sub = commands.add_parser("params", help="list all settings with default, bounds and meaning")
    sub.set_defaults(command=using.params)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--profile",
        default=environment("PROFILE"),
        metavar="NAME|FILE",
        help="settings to start from: sample, paper, or a YAML file; default: those of the run that --run names, if it "
        "is there; else sample, or paper with --dataset",
    )
    add(
        "--dataset",
        default=environment("DATA"),
        metavar="FOLDER",
        help="a folder of class folders, or of train and test folders of them, or a CSV file of path,label; "
        "also: scenes, intel",
    )
    add(
        "--weights",
        default=environment("WEIGHTS"),
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
        default=environment("RUN"),
        metavar="NAME",
        help="name of the run; default: the profile's name, or the data folder's",
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, at least 1, received {text!r}")
    return int(text)
