"""The sentences on what a study makes of the paper's claims. Every outcome is written.

A sentence has fields for what it says of `ablations/results.csv`, and comes with their values, for `say`. A field
begins with the number of its variant in the plan, so that the sentences of several claims may stand together.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from scenebook.core.sentences import Sourced, format_field
from scenebook.core.wording import join_names
from scenebook.evaluation.claims.schema import Claim, StudyExpectation
from scenebook.evaluation.claims.verdicts import NOT_REPRODUCED, NOT_TESTED, REPRODUCED
from scenebook.study.results import RESULTS_FILE, count_seeds, in_points, show_gap
from scenebook.study.summaries import NOT_RUN, Summary, has_base
from scenebook.study.verdicts import Judgement, judge_claims, judge_variant, sort_parts

Sentence = tuple[str, Sourced]

_WORDS = {("accuracy", -1): "lower", ("accuracy", 1): "higher", ("gap", -1): "smaller", ("gap", 1): "larger"}


def judge(summaries: Sequence[Summary], claims: Sequence[Claim]) -> dict[str, dict[str, Any]]:
    """Returns the content of `ablations/verdicts.json`: of each claim that a variant tests, by its id, the `verdict`,
    what was `measured` in short, the `sentence`, both as plain text, and the verdict of each variant alone. It is empty
    where nothing was run.

    Args:
        summaries: From `summarize`.
        claims: Of the claims file.
    """  # fmt: skip
    values = collect_values(summaries)
    return {
        one.claim.id: {
            "verdict": one.verdict,
            "measured": _measure_in_short(one),
            "sentence": fill_plainly(_tell_forward(one, with_base=has_base(summaries)), values),
            "variants": {summary.variant.name: judge_variant(one.study, summary) for summary in one.forward},
        }
        for one in judge_claims(summaries, claims)
        if any(summary.status != NOT_RUN for summary in summaries)
    }


def tell_claims(summaries: Sequence[Summary], claims: Sequence[Claim]) -> list[Sentence]:
    """Returns the sentences on each claim that a variant tests, with their values, for `say`.

    Args:
        summaries: From `summarize`.
        claims: Of the claims file.
    """
    values = collect_values(summaries)
    told = []
    for one in judge_claims(summaries, claims):
        forward = _tell_forward(one, with_base=has_base(summaries))
        compared = [_tell_opposite(summary) for summary in one.opposite if summary.comparison]
        told.append((" ".join([f"**{_capital(one.claim.statement)}: {one.verdict}.**", forward, *compared]), values))
    return told


def fill_plainly(sentence: str, values: Sourced) -> str:
    """Returns a sentence with its fields filled, as plain text: nothing in it is escaped."""
    parts = string.Formatter().parse(sentence)
    return "".join(text + (format_field(name, spec or "", [values]) if name else "") for text, name, spec, _ in parts)


def collect_values(summaries: Sequence[Summary]) -> Sourced:
    """Returns what sentences say of variants, `v3_accuracy` for one of the fourth; differences are in points, as text.

    Args:
        summaries: From `summarize`.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for summary in summaries:
        for name, (value, column) in _list_values(summary).items():
            values[f"{_field(summary)}{name}"] = value
            origins[f"{_field(summary)}{name}"] = f"{RESULTS_FILE}: {summary.variant.name}, {column}"
    return Sourced(values, origins=origins)


def _list_values(summary: Summary) -> dict[str, tuple[Any, str]]:
    """Returns each value with the column that it is from."""
    values: dict[str, tuple[Any, str]] = {
        "title": (summary.title, "title"),
        "error": (summary.failed[0].error.rstrip(".") if summary.failed else "", "error"),
        "failed": (len(summary.failed), "error: number of seeds"),
        "planned": (summary.variant.seeds, "seeds_planned"),
    }
    if summary.done:
        values |= {
            "accuracy": (float(summary.accuracies.mean()), "val_accuracy"),
            "gap": (show_gap(summary), "gap, times 100"),
        }
    if summary.comparison:
        values |= {
            "difference": (in_points(summary.comparison.accuracy), "difference, times 100"),
            "gap_difference": (in_points(summary.comparison.gap), "gap_difference, times 100"),
            "p": (summary.comparison.p, "p"),
            "images": (summary.comparison.images, "images"),
            "seeds": (count_seeds(summary, len(summary.comparison.accuracies)), "seeds, seeds_planned"),
        }
    return values


def _measure_in_short(one: Judgement) -> str:
    """Returns the differences from the base, without intervals; of several variants with their titles."""
    texts = []
    for summary in one.forward:
        if summary.comparison:
            accuracy, gap = in_points(summary.comparison.accuracy), in_points(summary.comparison.gap)
            text = f"accuracy {accuracy['value']} points, gap {gap['value']} points"
            texts.append(text if len(one.forward) == 1 else f"{summary.title}: {text}")
    return "; ".join(texts) or "–"


def _tell_forward(one: Judgement, *, with_base: bool) -> str:
    if not with_base:
        return "The base has no result, so that there is nothing to compare with."
    sentences = []
    for summary in one.forward:
        sentences += [*_tell_numbers(summary), *_tell_trouble(summary)]
        if summary.comparison:
            sentences += _tell_outcome(one.study, summary)
    return " ".join([*sentences, *_tell_agreement(one)])


def _tell_numbers(summary: Summary) -> list[str]:
    if summary.comparison is None:
        return []
    field = _field(summary)
    return [
        f"Over {{{field}seeds}} with {{{field}images:,}} validation images in all, the accuracy of "
        f"“{{{field}title}}” is {{{field}accuracy:.1%}}, {_difference(summary)}, and its over-fitting gap is "
        f"{{{field}gap}} points, {_gap_difference(summary)}."
    ]


def _difference(summary: Summary) -> str:
    assert summary.comparison is not None
    field = _field(summary)
    p = "p < 0.001" if summary.comparison.p < 0.001 else f"p = {{{field}p:.3f}}"
    return (
        f"{{{field}difference}} points against the base (95% interval {{{field}difference.low}} to "
        f"{{{field}difference.high}}; {p})"
    )


def _gap_difference(summary: Summary) -> str:
    field = _field(summary)
    return (
        f"{{{field}gap_difference}} against the base (95% interval {{{field}gap_difference.low}} to "
        f"{{{field}gap_difference.high}})"
    )


def _tell_trouble(summary: Summary) -> list[str]:
    """Returns the sentence on what is missing of a variant; none where nothing is."""
    title, which = f"“{{{_field(summary)}title}}”", f"{{{_field(summary)}failed}} of {{{_field(summary)}planned}} seeds"
    if summary.status == NOT_RUN:
        return [f"{title} has not been run: make ablations does that."]
    if summary.failed and summary.diverged == len(summary.failed):
        rest = "the numbers are those of the others" if summary.done else "there is no accuracy and no gap to judge"
        return [f"With {title}, training did not finish in {which}, because the loss was no finite number; {rest}."]
    if summary.failed:
        return [f"{title} failed in {which} ({{{_field(summary)}error}})."]
    if summary.comparison is None:
        return [f"{title} has no seed in common with the base."]
    return []


def _tell_outcome(expected: StudyExpectation, summary: Summary) -> list[str]:
    """Returns the sentences on what a compared variant shows of all that the claim says."""
    directions = expected.directions
    shown, contradicted, left_open = sort_parts(expected, summary)
    sentences = []
    if contradicted:
        words = join_names([f"the {name} is {_WORDS[name, -directions[name]]}" for name in contradicted])
        sentences.append(f"{_capital(words)}: the paper says the opposite.")
    if shown:
        words = join_names([f"the {name} is {_WORDS[name, directions[name]]}" for name in shown])
        sentences.append(f"{_capital(words)}, as the paper says.")
    if left_open:
        words = join_names([f"the {name} is {_WORDS[name, directions[name]]}" for name in left_open])
        sentences.append(f"Whether {words}, as the paper says, is undecided at this n.")
    if "accuracy" not in directions:
        assert summary.comparison is not None
        way = summary.comparison.accuracy_direction
        which = f"is {_WORDS['accuracy', way]}" if way else "changes is undecided at this n"
        start = "The accuracy, of which the claim does not speak, " if way else "Whether the accuracy "
        sentences.append(f"{start}{which}.")
    return sentences


def _tell_agreement(one: Judgement) -> list[str]:
    """Returns the sentence on what several variants together make of a claim; none where there is one."""
    alone = [judge_variant(one.study, summary) for summary in one.forward]
    alone = [verdict for verdict in alone if verdict != NOT_TESTED]
    if len(alone) < 2:
        return []
    if REPRODUCED in alone and NOT_REPRODUCED in alone:
        return ["The variants disagree, so that the claim as a whole is undecided."]
    if REPRODUCED in alone:
        return ["All of them show it." if len(set(alone)) == 1 else "One that shows it is enough; none contradicts it."]
    if NOT_REPRODUCED in alone:
        return ["None of them shows it."]
    return []


def _tell_opposite(summary: Summary) -> str:
    field = _field(summary)
    return (
        f"For comparison, the reverse: “{{{field}title}}” has an accuracy of {{{field}accuracy:.1%}}, "
        f"{_difference(summary)}, and a gap of {{{field}gap}} points, {_gap_difference(summary)}."
    )


def _field(summary: Summary) -> str:
    """Returns what the fields of a variant begin with."""
    return f"v{summary.number}_"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
