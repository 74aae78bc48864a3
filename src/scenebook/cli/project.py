"""Commands of a project of one's own: make one, and tell how its notebooks differ from the published ones."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.text import Text

import scenebook
from scenebook.cli.loading import short
from scenebook.core.project import is_project, project_folder, published_root
from scenebook.core.wording import count_noun

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


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
    for one in differences:
        console.print(Text(f"{one.notebook}: {one.cell} ({one.what})", style="bold"))
        for line in one.lines:
            console.print(Text(f"  {line}", style=_STYLES.get(line[:1], "")))
        console.print()
    number = count_noun(len(differences), "cell differs", "cells differ") if differences else "No cell differs"
    console.print(Text(f"{number} from those of scenebook {scenebook.__version__}."))
    return 0
