"""The sentences on what became of a paper's claims, for `say`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from scenebook.core.run_files import JUDGED_CLAIMS, RECIPE
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import join_names, show_setting
from scenebook.evaluation.claims.schema import Paper
from scenebook.evaluation.claims.verdicts import CONTRADICTED, NOT_COMPARABLE, NOT_TESTED, REPRODUCED, VERDICTS, Judged

_MOST_LISTED = 6
_MANY_INTERVALS = 10


def tell_counts(judged: Sequence[Judged]) -> Sentence:
    """Returns the sentence on how many claims have which verdict."""
    counts = Counter(one.verdict for one in judged)
    values, origins = {"n": len(judged)}, {"n": f"{JUDGED_CLAIMS}: number of records"}
    parts = []
    for number, verdict in enumerate(verdict for verdict in VERDICTS if counts[verdict]):
        values[f"v{number}"] = counts[verdict]
        origins[f"v{number}"] = f"{JUDGED_CLAIMS}: records whose verdict is {verdict}"
        parts.append(f"{{v{number}}} {'is' if counts[verdict] == 1 else 'are'} {verdict}")
        alone = sum(one.verdict == REPRODUCED and not one.by_run for one in judged)
        if verdict == REPRODUCED and alone:
            values["alone"] = alone
            origins["alone"] = f"{JUDGED_CLAIMS}: records that are reproduced from the paper's own numbers"
            parts[-1] += " ({alone} from the paper's own numbers alone)"
    return f"Of {{n}} {'claim' if len(judged) == 1 else 'claims'} {join_names(parts)}.", Sourced(
        values, origins=origins
    )


def tell_paper(paper: Paper, recipe: dict[str, Any], file: str) -> Sentence:
    """Returns the sentences on whose claims these are and how far the run follows the recipe.

    Args:
        paper: The paper's own numbers.
        recipe: The settings of the run.
        file: The name of the claims file.
    """
    text = f"The claims are those of *{{title}}*{_cite([paper.source])}."
    changed = [name for name, value in paper.recipe.items() if recipe.get(name) != value]
    listed = [f"{name} ({show_setting(recipe.get(name))}, not {paper.recipe[name]})" for name in changed[:_MOST_LISTED]]
    if len(changed) > _MOST_LISTED:
        listed.append(f"{len(changed) - _MOST_LISTED} more")
    if paper.recipe:
        text += " Of the {settings} settings that are known of its recipe this run changes "
        text += "{changed}." if changed else "none."
    origins = {
        "title": f"{file}: paper.title",
        "settings": f"{file}: paper.recipe",
        "changed": f"{RECIPE}, held against {file}: paper.recipe",
    }
    values = {"title": paper.title, "settings": len(paper.recipe), "changed": join_names(listed)}
    return text, Sourced(values, origins=origins)


def tell_verdicts(judged: Sequence[Judged], paper: Paper, file: str) -> list[Sentence]:
    """Returns the sentences on what became of the claims; their fields have names of their own.

    Args:
        judged: From `judge_paper_claims`.
        paper: The paper's own numbers.
        file: The name of the claims file.
    """
    return [
        tell_counts(judged),
        *tell_own_numbers(judged, file),
        *tell_score_remarks(judged, paper, file),
    ]


def tell_own_numbers(judged: Sequence[Judged], file: str) -> list[Sentence]:
    """Returns a sentence on what the paper's own numbers contradict, and one on what they confirm.

    Args:
        judged: From `judge_paper_claims`.
        file: The name of the claims file.
    """
    wrong = [one for one in judged if one.verdict == CONTRADICTED]
    right = sum(bool(one.paper_holds) for one in judged)
    sentences: list[Sentence] = []
    if wrong:
        cases = [f"for *{_field(one, 'claim')}* it prints {_field(one, 'reported')} where they give "
                 f"{_field(one, 'measured')}" for one in wrong]  # fmt: skip
        cited = _cite(key for one in wrong for key in one.claim.source)
        text = f"The paper's own numbers contradict it: {'; '.join(cases)}{cited}."
        sentences.append((text, collect_values(wrong, file)))
    if right:
        text = "{right} of its printed numbers " + ("agrees" if right == 1 else "agree") + " with its other numbers."
        origins = {"right": f"{file}: claims that what is named under paper_measure agrees with"}
        sentences.append((text, Sourced({"right": right}, origins=origins)))
    return sentences


def tell_remaining_claims(judged: Sequence[Judged], file: str) -> list[Sentence]:
    """Returns sentences on the claims that the short table leaves out: those of one reason share one.

    Args:
        judged: From `judge_paper_claims`.
        file: The name of the claims file.
    """
    sentences = []
    shared = Counter(one.shared for one in judged if one.verdict == NOT_COMPARABLE)
    if shared:
        values: dict[str, Any] = {}
        for number, (clause, count) in enumerate(shared.most_common()):
            values |= {f"count{number}": count, f"why{number}": clause}
        parts = [f"{{count{number}}} because {{why{number}}}" for number in range(len(shared))]
        origins = dict.fromkeys(values, f"{JUDGED_CLAIMS}: verdict, why")
        sentences.append((f"Not comparable with the paper: {'; '.join(parts)}.", Sourced(values, origins=origins)))
    for why, members in _by_reason(one for one in judged if one.verdict == NOT_TESTED).items():
        named = [f"*{_field(one, 'claim')}*" for one in members[:_MOST_LISTED]]
        named += [f"{len(members) - _MOST_LISTED} more"] if len(members) > _MOST_LISTED else []
        cited = _cite(key for one in members for key in one.claim.source)
        reason, first = _field(members[0], "why"), members[0].claim.id
        values = collect_values(
            members, file, **{reason.strip("{}"): (why.rstrip("."), f"{JUDGED_CLAIMS}: {first}, why")}
        )
        sentences.append((f"Not tested in this run: {join_names(named)}. {reason}{cited}.", values))
    return sentences


def tell_score_remarks(judged: Sequence[Judged], paper: Paper, file: str) -> list[Sentence]:
    """Returns what has to be known where scores of the run, with intervals, were compared with the paper's.

    Args:
        judged: From `judge_paper_claims`.
        paper: The paper's own numbers.
        file: The name of the claims file.
    """
    scores = sum(one.by_run and bool(one.interval) for one in judged)
    sentences: list[Sentence] = []
    if scores and paper.remark:
        sentences.append(("{remark}", Sourced({"remark": paper.remark}, origins={"remark": f"{file}: paper.remark"})))
    if scores >= _MANY_INTERVALS:
        origins = {"scores": f"{JUDGED_CLAIMS}: records with an interval that were compared"}
        text = "{scores} scores were compared: of so many 95% intervals, one in twenty misses by chance."
        sentences.append((text, Sourced({"scores": scores}, origins=origins)))
    return sentences


def collect_values(judged: Iterable[Judged], file: str, **more: tuple[Any, str]) -> Sourced:
    """Returns what each claim says, reports and was measured as: `<id>_claim`, `<id>_reported`, `<id>_measured`.

    Args:
        judged: From `judge_paper_claims`.
        file: The name of the claims file.
        **more: Further values with their origins.
    """
    values = {name: value for name, (value, _) in more.items()}
    origins = {name: origin for name, (_, origin) in more.items()}
    for one in judged:
        texts = {"claim": one.claim.statement, "reported": one.reported, "measured": one.measured}
        for name, text in texts.items():
            field = _field(one, name).strip("{}")
            values[field] = text
            origins[field] = f"{JUDGED_CLAIMS if name == 'measured' else file}: {one.claim.id}, {name}"
    return Sourced(values, origins=origins)


def _field(one: Judged, name: str) -> str:
    """Returns the field of a sentence that holds something of a claim."""
    return f"{{{one.claim.id.replace('-', '_')}_{name}}}"


def _by_reason(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    reasons: dict[str, list[Judged]] = {}
    for one in judged:
        reasons.setdefault(one.why, []).append(one)
    return reasons


def _cite(keys: Iterable[str | None]) -> str:
    """Returns ' [@he2016; @deng2009]', each work once; nothing for none."""
    found = dict.fromkeys(key for key in keys if key)
    return f" [{'; '.join(f'@{key}' for key in found)}]" if found else ""
