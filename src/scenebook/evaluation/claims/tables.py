"""The tables of claims: what a run measured, what follows from the paper's own numbers, and all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from scenebook.evaluation.claims.measures import ABLATION
from scenebook.evaluation.claims.verdicts import CONSISTENT, CONTRADICTED, VERDICTS, Judged

MOST_MEASURED = 8
"""Rows of the table of what a run measured: one page has to hold it."""


def to_records(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Returns what `conclusion/claims.json` holds: a record a claim."""
    names = ("reported", "measured", "interval", "own", "verdict", "why")
    return [
        {"id": one.claim.id, "claim": one.claim.statement, "where": one.claim.where}
        | {name: getattr(one, name) for name in names}
        for one in judged
    ]


def tabulate_all(judged: Sequence[Judged]) -> pd.DataFrame:
    """Returns a row a claim, as text: what the paper says, what its own numbers and this run say, verdict, why."""
    rows = [
        (one.claim.statement, one.claim.where, one.reported, one.own, _with_interval(one), one.verdict, one.why)
        for one in judged
    ]
    columns = ["claim", "where", "reported", "by the paper's numbers", "measured in this run", "verdict", "why"]
    return pd.DataFrame(rows, columns=columns)


def tabulate_measured(judged: Sequence[Judged]) -> pd.DataFrame:
    """Returns a row a claim that the run decides, at most `MOST_MEASURED`; claims of one group and verdict share one.

    Those that single changes of the recipe test come first, then single numbers, then groups.
    """
    rows: dict[Any, list[Judged]] = {}
    for one in judged:
        if one.by_run:
            rows.setdefault((one.claim.group or one.claim.id, one.verdict), []).append(one)
    ordered = sorted(
        rows.values(), key=lambda of: (of[0].claim.measure != ABLATION, len(of) > 1, VERDICTS.index(of[0].verdict))
    )[:MOST_MEASURED]
    columns = ["claim", "reported", "measured in this run", "verdict"]
    return pd.DataFrame([_merge(members) for members in ordered], columns=columns)


def tabulate_contradicted(judged: Sequence[Judged]) -> pd.DataFrame:
    """Returns a row a claim that the paper's own numbers contradict; those that are consistent are only counted."""
    wrong = [one for one in judged if one.verdict == CONTRADICTED]
    rows = [(one.claim.statement, one.claim.where, one.reported, one.own) for one in wrong]
    return pd.DataFrame(rows, columns=["claim", "where", "reported", "by the paper's numbers"])


def count_own(judged: Sequence[Judged]) -> int:
    """Returns how many claims are consistent with the paper's own numbers, whatever the run says of them."""
    return sum(one.verdict == CONSISTENT or bool(one.paper_holds) for one in judged)


def _merge(members: list[Judged]) -> tuple[str, str, str, str]:
    first = members[0]
    if len(members) == 1:
        return first.claim.statement, first.reported, _with_interval(first), first.verdict
    number = f"{len(members)} values"
    return first.claim.group, number, number, first.verdict


def _with_interval(one: Judged) -> str:
    return f"{one.measured} ({one.interval})" if one.interval else one.measured
