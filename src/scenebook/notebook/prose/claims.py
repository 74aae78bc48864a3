"""The tables of a paper's claims, and the sentences on what became of them, for `say`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from scenebook.core.run_files import JUDGED_CLAIMS, RECIPE, SPLITS
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import count_noun, join_names, say_number
from scenebook.evaluation.claims.schema import ABLATION, Paper
from scenebook.evaluation.claims.verdicts import CONSISTENT, CONTRADICTED, NOT_COMPARABLE, NOT_TESTED, VERDICTS, Judged

MOST_MEASURED = 8  # rows of the table of what a run measured: one page has to hold it


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


_MOST_LISTED = 6
_MANY_INTERVALS = 10
_WORDS = {NOT_TESTED: "not tested"}


def tell_paper(paper: Paper, differences: Sequence[str], file: str) -> Sentence:
    """Returns the sentences on whose claims these are and in what the run is not the paper's.

    `differences` are those of `list_departures`, `file` is the name of the claims file.
    """
    text = f"The claims are those of *{{title}}*{_cite([paper.source])}."
    listed = list(differences[:_MOST_LISTED])
    if len(differences) > _MOST_LISTED:
        listed.append(f"{len(differences) - _MOST_LISTED} more")
    if differences:
        text += " This run differs from the paper's in {number}: {changed}."
    elif paper.recipe:
        text += " This run differs from the paper's recipe in no setting that is known."
    values = {
        "title": (paper.title, f"{file}: paper.title"),
        "number": (count_noun(len(differences), "respect"), f"{RECIPE} and {SPLITS}, compared with {file}: paper"),
        "changed": ("; ".join(listed), f"{RECIPE} and {SPLITS}, compared with {file}: paper"),
    }
    return text, Sourced.from_pairs(values)


def tell_measured(judged: Sequence[Judged], paper: Paper, file: str) -> list[Sentence]:
    """Returns the sentences on what a run makes of the claims; their fields have names of their own."""
    counts = Counter(one.verdict for one in judged if one.by_run or one.verdict in (NOT_COMPARABLE, NOT_TESTED))
    values: dict[str, tuple[Any, str]] = {"n": (counts.total(), f"{JUDGED_CLAIMS}: records that a run may decide")}
    parts = []
    for number, verdict in enumerate(verdict for verdict in VERDICTS if counts[verdict]):
        values[f"v{number}"] = (say_number(counts[verdict]), f"{JUDGED_CLAIMS}: records whose verdict is {verdict}")
        be = "is" if counts[verdict] == 1 else "are"
        parts.append(f"{{v{number}}} {be} {_WORDS.get(verdict, verdict)}")
    told = []
    if parts:
        of = "claim" if counts.total() == 1 else "claims"
        shown = " ([@tbl:claims])" if len(tabulate_measured(judged)) else ""
        told.append((f"Of {{n}} {of} that a run can decide{shown}, {join_names(parts)}.", Sourced.from_pairs(values)))
    scores = sum(one.by_run and bool(one.interval) for one in judged)
    if scores and paper.remark:
        told.append(("{remark}", Sourced.from_pairs({"remark": (paper.remark, f"{file}: paper.remark")})))
    if scores >= _MANY_INTERVALS:
        text = "Of the 95% intervals of the {scores} scores compared, one in twenty is expected to miss by chance."
        origin = f"{JUDGED_CLAIMS}: records with an interval that were compared"
        told.append((text, Sourced.from_pairs({"scores": (scores, origin)})))
    if len(tabulate_measured(judged)) == MOST_MEASURED:
        told.append(("[@tbl:all-claims] has the claims that the table leaves out.", Sourced({})))
    return told


def tell_own_numbers(judged: Sequence[Judged], file: str) -> list[Sentence]:
    """Returns the sentences on what follows from the paper's own numbers, without any run."""
    wrong, right = [one for one in judged if one.verdict == CONTRADICTED], count_own(judged)
    origin = f"{file}: claims that name a paper_measure"
    if not wrong and not right:
        return []
    text = "Without any run, {checked} of the paper's numbers can be computed from its other numbers: "
    parts = [f"{{right}} {'agrees' if right == 1 else 'agree'}"] if right else []
    parts += [f"{{wrong}} {'does' if len(wrong) == 1 else 'do'} not ([@tbl:own-numbers])"] if wrong else []
    values = {"checked": (right + len(wrong), origin), "right": (right, origin), "wrong": (len(wrong), origin)}
    cited = _cite(key for one in wrong for key in one.claim.source)
    return [(f"{text}{join_names(parts)}{cited}.", Sourced.from_pairs(values))]


def tell_remaining_claims(judged: Sequence[Judged]) -> list[Sentence]:
    """Returns sentences on the claims that the run does not decide: those of one reason share one."""
    told: list[Sentence] = []
    shared = Counter(one.shared for one in judged if one.verdict == NOT_COMPARABLE)
    if shared:
        values: dict[str, Any] = {}
        for number, (clause, count) in enumerate(shared.most_common()):
            values |= {f"count{number}": count, f"why{number}": clause}
        parts = [f"{{count{number}}} because {{why{number}}}" for number in range(len(shared))]
        origins = dict.fromkeys(values, f"{JUDGED_CLAIMS}: verdict, why")
        told.append((f"Not comparable with the paper: {'; '.join(parts)}.", Sourced(values, origins=origins)))
    reasons: dict[str, list[Judged]] = {}
    for one in judged:
        if one.verdict == NOT_TESTED:
            reasons.setdefault(one.why, []).append(one)
    for number, (why, members) in enumerate(reasons.items()):
        names = [f"“{one.claim.statement}”" for one in members[:_MOST_LISTED]]
        names += [f"{len(members) - _MOST_LISTED} more"] if len(members) > _MOST_LISTED else []
        cited = _cite(key for one in members for key in one.claim.source)
        origin = f"{JUDGED_CLAIMS}: claim, why"
        values = {f"untested{number}": (join_names(names), origin), f"reason{number}": (why.rstrip("."), origin)}
        text = f"Not tested: {{untested{number}}}. {{reason{number}}}{cited}."
        told.append((text, Sourced.from_pairs(values)))
    return told


def _cite(keys: Iterable[str | None]) -> str:
    """Returns ' [@he2016; @deng2009]', each work once; nothing for none."""
    found = dict.fromkeys(key for key in keys if key)
    return f" [{'; '.join(f'@{key}' for key in found)}]" if found else ""
