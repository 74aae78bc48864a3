"""From the numbers of all repeats to what is written and printed: medians, ranges and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.plan import MEASUREMENTS, RATIOS, UNITS
from benchmarks.running import Outcomes

_TITLES = {"memory": ": memory peak", "accuracy": ": accuracy", "report": ": until the report"}

Values = list[float | None]
"""A number a repeat; `None` where there is none."""


def summarize(values: Sequence[float | None]) -> dict[str, Any]:
    """Returns `values`, and `median`, `low` and `high` of those that there are: the range is that of the repeats."""
    known = [value for value in values if value is not None]
    if not known:
        return {"values": list(values), "median": None, "low": None, "high": None}
    return {"values": list(values), "median": statistics.median(known), "low": min(known), "high": max(known)}


def divide(over: Sequence[float | None], under: Sequence[float | None]) -> Values:
    """Returns the quotient of each repeat; `None` where one of the two is missing."""
    return [a / b if a is not None and b else None for a, b in zip(over, under, strict=True)]


def tabulate_measurements(outcomes: Outcomes) -> dict[str, dict[str, Any]]:
    """Returns what was measured by `measurement.quantity`: title, unit, the numbers of `summarize`.

    Where something failed or was not tried, `error` or `left_out` says why.
    """
    rows = {}
    for measurement in MEASUREMENTS:
        if measurement.name not in outcomes:
            continue
        outcome = outcomes[measurement.name]
        for name in measurement.quantities:
            values = [None if numbers is None else numbers[name] for numbers in outcome.numbers]
            title = f"{measurement.title}{_TITLES.get(name, '')}"
            row = {"title": title, "unit": UNITS[name], **summarize(values)}
            reasons = {"error": outcome.error, "left_out": outcome.left_out}
            rows[f"{measurement.name}.{name}"] = row | {name: reason for name, reason in reasons.items() if reason}
    return rows


def tabulate_ratios(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the ratios whose two quantities were measured, by their names: of each repeat, so that both had the same
    machine, and of these the median and the range. It need not be the ratio of the two medians.

    Args:
        measured: From `tabulate_measurements`.
    """
    rows = {}
    for name, (title, over, under) in RATIOS.items():
        if over in measured and under in measured:
            values = divide(measured[over]["values"], measured[under]["values"])
            rows[name] = {"title": title, "over": over, "under": under, **summarize(values)}
    return rows


def print_results(results: Mapping[str, Any], console: Console) -> None:
    """Prints what was measured and the ratios as tables, and why what is missing is."""
    for heading, rows in (("measured", results["measurements"]), ("ratio, repeat by repeat", results["ratios"])):
        table = Table(heading, "median", "range", "", box=None, pad_edge=False)
        for row in rows.values():
            shown = f"{format_number(row['low'])} to {format_number(row['high'])}" if row["low"] is not None else "–"
            table.add_row(*map(Text, (row["title"], format_number(row["median"]), shown, row.get("unit", ""))))
        if rows:
            console.print(table)
            console.print()
    measured = results["measurements"]
    reasons = {name.split(".")[0]: row.get("error") or row.get("left_out") for name, row in measured.items()}
    for name, reason in reasons.items():
        if reason:
            console.print(Text(f"{name}: {reason}", style="yellow"))


def format_number(value: float | None) -> str:
    """Returns a number to three significant digits, `12.0`, `1,230`; a dash where there is none."""
    if value is None:
        return "–"
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) >= 100 else f"{value:#.3g}"
