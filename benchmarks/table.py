"""What the terminal shows: the content of results.json as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.wording import format_number, format_range


def print_results(results: Mapping[str, Any], console: Console) -> None:
    """Prints what was measured, the ratios, and the goals with what the limits are."""
    tables = [_tabulate("measured", results["measurements"])]
    if results["ratios"]:
        tables.append(_tabulate("ratio, repeat by repeat", results["ratios"]))
    if results["goals"]:
        tables.append(_tabulate_goals(results["goals"]))
    for table in tables:
        console.print(table)
        console.print()
    for goal in results["goals"]:
        if goal["limit"]:
            console.print(Text(f"{goal['title']}: {goal['limit']}"))
    for name, reason in _list_reasons(results["measurements"]).items():
        console.print(Text(f"{name}: {reason}", style="yellow"))


def _tabulate(heading: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(heading, overflow="fold")
    for name in ("median", "range"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows.values():
        cells = (row["title"], format_number(row["median"]), format_range(row["low"], row["high"]))
        table.add_row(*map(Text, (*cells, row.get("unit", ""))))
    return table


def _tabulate_goals(goals: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("goal, for the paper's recipe", overflow="fold")
    for name in ("goal", "median", "reached", "in repeats"):
        table.add_column(name, justify="right", no_wrap=True)
    for goal in goals:
        bound = f"≥ {goal['at_least']:g}" if "at_least" in goal else f"≤ {goal['at_most']:g}"
        reached = {True: "yes", False: "no", None: "not judged"}[goal["reached"]]
        cells = (goal["title"], bound, format_number(goal["median"]), reached, goal["reached_in"] or "")
        table.add_row(*map(Text, cells))
    return table


def _list_reasons(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Returns why a measurement has no numbers, or not all: one a measurement, not one a quantity."""
    found = {name.split(".")[0]: row.get("error") or row.get("left_out") for name, row in measured.items()}
    return {name: reason for name, reason in found.items() if reason}
