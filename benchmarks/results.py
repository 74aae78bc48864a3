"""From the numbers of all repeats to what is written: medians, ranges, ratios, goals, and what the limits are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.explaining import explain_limit
from benchmarks.plan import GOALS, MEASUREMENTS, RATIOS
from benchmarks.running import Outcomes

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
        for quantity in measurement.quantities:
            values = [None if numbers is None else numbers[quantity.name] for numbers in outcome.numbers]
            title = f"{measurement.title}: {quantity.title}" if quantity.title else measurement.title
            row = {"title": title, "unit": quantity.unit, **summarize(values)}
            reasons = {"error": outcome.error, "left_out": outcome.left_out}
            row |= {name: reason for name, reason in reasons.items() if reason}
            rows[f"{measurement.name}.{quantity.name}"] = row
    return rows


def tabulate_ratios(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the ratios whose two quantities were measured, by their names: of each repeat, so that both had the same
    machine, and of these the median and the range. It need not be the ratio of the two medians.

    Args:
        measured: From `tabulate_measurements`.
    """
    rows = {}
    for ratio in RATIOS:
        if ratio.over in measured and ratio.under in measured:
            values = divide(measured[ratio.over]["values"], measured[ratio.under]["values"])
            rows[ratio.name] = {"title": ratio.title, "over": ratio.over, "under": ratio.under, **summarize(values)}
    return rows


def judge_goals(
    measured: Mapping[str, Mapping[str, Any]], ratios: Mapping[str, Mapping[str, Any]], *, is_papers: bool
) -> list[dict[str, Any]]:
    """Returns each goal whose number there is: whether it was reached, and what the limit is.

    Args:
        measured: From `tabulate_measurements`.
        ratios: From `tabulate_ratios`.
        is_papers: Whether the recipe is the paper's, which the goals are set for; otherwise nothing is judged.

    Returns:
        `of`, `title`, `at_least` or `at_most`, `median`, `reached` (by the median; `None` where nothing is judged),
        `reached_in` (how many of the repeats reached it, and of how many) and `limit` (a sentence, or nothing).
    """
    medians = {name: row["median"] for name, row in measured.items() if row["median"] is not None}
    rows = []
    for goal in GOALS:
        row = ratios.get(goal.of) or measured.get(goal.of)
        if row is None or row["median"] is None:
            continue
        known = [value for value in row["values"] if value is not None]
        reached = [value >= goal.bound if goal.at_least else value <= goal.bound for value in known]
        by_median = row["median"] >= goal.bound if goal.at_least else row["median"] <= goal.bound
        rows.append(
            {
                "of": goal.of,
                "title": row["title"],
                "at_least" if goal.at_least else "at_most": goal.bound,
                "median": row["median"],
                "reached": by_median if is_papers else None,
                "reached_in": f"{sum(reached)} of {len(reached)}" if is_papers else None,
                "limit": explain_limit(goal.of, medians),
            }
        )
    return rows
