"""Commands that look at finished runs: is one what it says, and what tells it from another."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rich.console import Console
from rich.text import Text

from scenebook.cli.terminal import TerminalListener
from scenebook.core.errors import InputError
from scenebook.core.run_directory import open_run


def verify(arguments: argparse.Namespace, console: Console) -> int:
    """Checks a run's files and makes it again; 0 where everything agrees, 1 where something does not."""
    from scenebook.pipeline.compare.print import print_verification
    from scenebook.pipeline.compare.repeat import verify_run

    run_dir = open_run(arguments.run)
    changes: dict[str, Any] = {}
    for name in ("dataset", "weights"):
        value = getattr(arguments, name)
        if value:
            path = Path(value).expanduser()
            changes[name] = str(path.resolve()) if path.exists() else value
    workspace, keep = Path(mkdtemp(prefix="scenebook-verify-")), False
    try:
        with TerminalListener(console) as listener:
            console.print(Text(f"run {run_dir.name}: made again in a fresh folder, from its settings.yaml"))
            verification = verify_run(
                run_dir, trust=arguments.trust, listener=listener, workspace=workspace, changes=changes or None
            )
        # Damaged files of the run itself are no reason to keep what they are compared with.
        keep = bool(verification.failure or verification.failed_rows)
        if keep:
            console.print(Text(f"The repetition is kept, to look into it: {verification.repetition}"))
    finally:
        if not keep:
            shutil.rmtree(workspace, ignore_errors=True)
    print_verification(console, verification)
    return 0 if verification.passed else 1


def diff(arguments: argparse.Namespace, console: Console) -> int:
    """Shows two runs side by side."""
    from scenebook.pipeline.compare.differ import diff_runs
    from scenebook.pipeline.compare.print import print_diff

    names = {"A": arguments.first, "B": arguments.second}
    missing = [name for name, value in names.items() if not value]
    if missing:
        raise InputError(
            "Expected the names of two runs.", received={"missing": missing}, advice="make diff A=one B=another"
        )
    print_diff(console, diff_runs(open_run(arguments.first), open_run(arguments.second)))
    return 0
