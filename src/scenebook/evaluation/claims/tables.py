"""The tables of claims, short and whole, and what the run keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from scenebook.core.wording import join_names
from scenebook.evaluation.claims.verdicts import CONTRADICTED, VERDICTS, Judged

MOST_LISTED = 6
"""A row of the short table that stands for more claims gives their number only."""


def to_records(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Returns what `conclusion/claims.json` holds: a record a claim."""
    names = ("reported", "measured", "interval", "verdict", "why")
    return [
        {"id": one.claim.id, "claim": one.claim.statement, "where": one.claim.where}
        | {name: getattr(one, name) for name in names}
        for one in judged
    ]


def tabulate_all(judged: Sequence[Judged]) -> pd.DataFrame:
    """Returns a row a claim, as text: claim, where, reported, measured with interval, verdict, why."""
    texts = [(one.reported, _with_interval(one), one.verdict, one.why) for one in judged]
    rows = [(one.claim.statement, one.claim.where, *text) for one, text in zip(judged, texts, strict=True)]
    return pd.DataFrame(rows, columns=["claim", "where", "reported", "measured", "verdict", "why"])


def tabulate_decided(judged: Sequence[Judged]) -> pd.DataFrame:
    """Returns the short table: what the run decides, and where the paper contradicts itself. A group and verdict a row.

    Claims that could not be compared, were not tested or only agree with the paper's other numbers are for sentences.
    """
    rows: dict[Any, list[Judged]] = {}
    for one in judged:
        if one.by_run or one.verdict == CONTRADICTED:
            rows.setdefault((one.claim.group or one.claim.id, one.verdict), []).append(one)
    ordered = sorted(rows.values(), key=lambda members: VERDICTS.index(members[0].verdict))
    columns = ["claim", "reported", "measured", "verdict", "why"]
    return pd.DataFrame([_merge(members) for members in ordered], columns=columns)


def _merge(members: list[Judged]) -> tuple[str, str, str, str, str]:
    first = members[0]
    if len(members) == 1:
        return first.claim.statement, first.reported, _with_interval(first), first.verdict, first.why
    names = [one.claim.label or one.claim.statement for one in members]
    reasons = list(dict.fromkeys(one.why for one in members))
    why = reasons[0] if len(reasons) == 1 else "The reasons differ: see the table of all claims."
    if len(members) > MOST_LISTED:
        number = f"{len(members)} numbers"
        return f"{first.claim.group}: {number}", number, number, first.verdict, why
    reported, measured = ("; ".join(getattr(one, name) for one in members) for name in ("reported", "measured"))
    return f"{first.claim.group}: {join_names(names)}", reported, measured, first.verdict, why


def _with_interval(one: Judged) -> str:
    return f"{one.measured} ({one.interval})" if one.interval else one.measured
