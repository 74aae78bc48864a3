"""The sentences on what became of a paper's claims, for `say`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scenebook.core.run_files import JUDGED_CLAIMS, RECIPE
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import join_names, show_setting
from scenebook.evaluation.claims.schema import Paper
from scenebook.evaluation.claims.verdicts import CONTRADICTED, NOT_COMPARABLE, NOT_TESTED, REPRODUCED, VERDICTS, Judged

_MOST_LISTED = 6
_MANY_INTERVALS = 10


def _tell_counts(judged: Sequence[Judged]) -> Sentence:
    """Returns the sentence on how many claims have which verdict."""
    counts = Counter(one.verdict for one in judged)
    alone = sum(one.verdict == REPRODUCED and not one.by_run for one in judged)
    values = {
        "n": (len(judged), f"{JUDGED_CLAIMS}: number of records"),
        "alone": (alone, f"{JUDGED_CLAIMS}: records that are reproduced from the paper's own numbers"),
    }
    parts = []
    for number, verdict in enumerate(verdict for verdict in VERDICTS if counts[verdict]):
        values[f"v{number}"] = (counts[verdict], f"{JUDGED_CLAIMS}: records whose verdict is {verdict}")
        parts.append(f"{{v{number}}} {'is' if counts[verdict] == 1 else 'are'} {verdict}")
        if verdict == REPRODUCED and alone:
            parts[-1] += " ({alone} from the paper's own numbers alone)"
    text = f"Of {{n}} {'claim' if len(judged) == 1 else 'claims'} {join_names(parts)}."
    return text, Sourced.from_pairs(values)


def tell_paper(paper: Paper, recipe: dict[str, Any], file: str) -> Sentence:
    """Returns the sentences on whose claims these are and how far the run follows the recipe."""
    text = f"The claims are those of *{{title}}*{_cite([paper.source])}."
    changed = [name for name, value in paper.recipe.items() if recipe.get(name) != value]
    listed = [f"{name} ({show_setting(recipe.get(name))}, not {paper.recipe[name]})" for name in changed[:_MOST_LISTED]]
    if len(changed) > _MOST_LISTED:
        listed.append(f"{len(changed) - _MOST_LISTED} more")
    if paper.recipe:
        text += " Of the {settings} settings that are known of its recipe this run changes "
        text += "{changed}." if changed else "none."
    values = {
        "title": (paper.title, f"{file}: paper.title"),
        "settings": (len(paper.recipe), f"{file}: paper.recipe"),
        "changed": (join_names(listed), f"{RECIPE}, held against {file}: paper.recipe"),
    }
    return text, Sourced.from_pairs(values)


def tell_verdicts(judged: Sequence[Judged], paper: Paper, file: str) -> list[Sentence]:
    """Returns the sentences on what became of the claims; their fields have names of their own."""
    return [_tell_counts(judged), *_tell_own_numbers(judged, file), *_tell_score_remarks(judged, paper, file)]


def _tell_own_numbers(judged: Sequence[Judged], file: str) -> Iterator[Sentence]:
    """Yields a sentence on what the paper's own numbers contradict, and one on what they confirm."""
    wrong = [one for one in judged if one.verdict == CONTRADICTED]
    right = sum(bool(one.paper_holds) for one in judged)
    if wrong:
        cases = [f"for *{_field(one, 'claim')}* it prints {_field(one, 'reported')} where they give "
                 f"{_field(one, 'measured')}" for one in wrong]  # fmt: skip
        cited = _cite(key for one in wrong for key in one.claim.source)
        text = f"The paper's own numbers contradict it: {'; '.join(cases)}{cited}."
        yield text, Sourced.from_pairs(_collect_values(wrong, file))
    if right:
        text = "{right} of its printed numbers " + ("agrees" if right == 1 else "agree") + " with its other numbers."
        origin = f"{file}: claims that what is named under paper_measure agrees with"
        yield text, Sourced.from_pairs({"right": (right, origin)})


def tell_remaining_claims(judged: Sequence[Judged], file: str) -> list[Sentence]:
    """Returns sentences on the claims that the short table leaves out: those of one reason share one."""
    sentences = []
    shared = Counter(one.shared for one in judged if one.verdict == NOT_COMPARABLE)
    if shared:
        values: dict[str, Any] = {}
        for number, (clause, count) in enumerate(shared.most_common()):
            values |= {f"count{number}": count, f"why{number}": clause}
        parts = [f"{{count{number}}} because {{why{number}}}" for number in range(len(shared))]
        origins = dict.fromkeys(values, f"{JUDGED_CLAIMS}: verdict, why")
        sentences.append((f"Not comparable with the paper: {'; '.join(parts)}.", Sourced(values, origins=origins)))
    reasons: dict[str, list[Judged]] = {}
    for one in judged:
        if one.verdict == NOT_TESTED:
            reasons.setdefault(one.why, []).append(one)
    for why, members in reasons.items():
        named = [f"*{_field(one, 'claim')}*" for one in members[:_MOST_LISTED]]
        named += [f"{len(members) - _MOST_LISTED} more"] if len(members) > _MOST_LISTED else []
        cited = _cite(key for one in members for key in one.claim.source)
        reason, origin = _field(members[0], "why"), f"{JUDGED_CLAIMS}: {members[0].claim.id}, why"
        values = {**_collect_values(members, file), reason.strip("{}"): (why.rstrip("."), origin)}
        text = f"Not tested in this run: {join_names(named)}. {reason}{cited}."
        sentences.append((text, Sourced.from_pairs(values)))
    return sentences


def _tell_score_remarks(judged: Sequence[Judged], paper: Paper, file: str) -> Iterator[Sentence]:
    """Yields what has to be known where scores of the run, with intervals, were compared with the paper's."""
    scores = sum(one.by_run and bool(one.interval) for one in judged)
    if scores and paper.remark:
        yield "{remark}", Sourced.from_pairs({"remark": (paper.remark, f"{file}: paper.remark")})
    if scores >= _MANY_INTERVALS:
        text = "{scores} scores were compared: of so many 95% intervals, one in twenty misses by chance."
        origin = f"{JUDGED_CLAIMS}: records with an interval that were compared"
        yield text, Sourced.from_pairs({"scores": (scores, origin)})


def _collect_values(judged: Iterable[Judged], file: str) -> dict[str, tuple[Any, str]]:
    """Returns what each claim says, reports and was measured as: `<id>_claim`, `<id>_reported`, `<id>_measured`."""
    values = {}
    for one in judged:
        texts = {"claim": one.claim.statement, "reported": one.reported, "measured": one.measured}
        for name, text in texts.items():
            origin = f"{JUDGED_CLAIMS if name == 'measured' else file}: {one.claim.id}, {name}"
            values[_field(one, name).strip("{}")] = (text, origin)
    return values


def _field(one: Judged, name: str) -> str:
    """Returns the field of a sentence that holds something of a claim."""
    return f"{{{one.claim.id.replace('-', '_')}_{name}}}"


def _cite(keys: Iterable[str | None]) -> str:
    """Returns ' [@he2016; @deng2009]', each work once; nothing for none."""
    found = dict.fromkeys(key for key in keys if key)
    return f" [{'; '.join(f'@{key}' for key in found)}]" if found else ""
