"""`python -m scenebook`: the command line.

Exit codes: 0 done, 1 a stage failed or a check did not hold, 2 the input is wrong.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, ModuleType
from typing import cast

from rich.console import Console
from rich.text import Text

from scenebook.cli.parser import build_parser
from scenebook.core.errors import ScenebookError


class Terminated(KeyboardInterrupt):
    """The command was asked to end, by a scheduler of jobs or at shutdown. It ends as after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    arguments = build_parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        return _find_command(arguments.command)(arguments, console)
    except ScenebookError as error:
        errors.print(Text(f"{'error: ' if error.exit_code == 2 else ''}{error}"))
        return error.exit_code
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        kept = " What was finished is kept; the same command goes on from there." if "set" in arguments else ""
        errors.print(f"{'Terminated' if ended else 'Interrupted'}.{kept}")
        return 128 + (signal.SIGTERM if ended else signal.SIGINT)
    except BrokenPipeError:
        return 1
    except OSError as error:
        from scenebook.pipeline.execution import explain_os_error

        errors.print(Text(f"error: a file could not be written or read. {explain_os_error(error)}"))
        return 1


def _find_command(name: str) -> Callable[[argparse.Namespace, Console], int]:
    # jsonschema, which nbformat imports, takes a second to build the grammar of internationalised addresses, which no
    # schema of notebooks has; `None` among the modules says that the package for them cannot be imported.
    sys.modules.setdefault("rfc3987_syntax", cast(ModuleType, None))
    # Imported late: what they need takes longer than a page of help may take.
    from scenebook.cli import making, using

    of_runs = (making.report, making.run, making.ablations, making.explain, making.render)
    others = (using.bundle, using.export, using.serve, using.predict, using.verify, using.diff, using.params, using.new)
    commands = (*of_runs, *others, using.diff_notebooks)
    return {command.__name__.replace("_", "-"): command for command in commands}[name]


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
