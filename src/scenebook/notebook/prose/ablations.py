"""The sentences on a study: what was run, what becomes of the paper's claims, what cannot be concluded.

All of them take the summaries of `summarize_variants`, and `claims` of the claims file. A sentence has fields for what
it says of `ablations/results.csv`, and comes with their values, for `say`. A field on a variant begins with the
variant's number in the plan, so that the sentences of several claims may stand together.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scenebook.core.run_files import STUDY_RECORDS, STUDY_RESULTS, STUDY_VERDICTS
from scenebook.core.sentences import Sentence, Sourced, format_field
from scenebook.core.wording import count_noun, join_names, say_number
from scenebook.evaluation.claims.schema import Claim, StudyExpectation
from scenebook.evaluation.claims.verdicts import NOT_REPRODUCED, REPRODUCED, VERDICTS
from scenebook.study.plan import BASE
from scenebook.study.results import collect_study_values, in_points, show_gap
from scenebook.study.summaries import INCOMPLETE, NOT_RUN, Comparison, Summary, has_base
from scenebook.study.trials import FAILED
from scenebook.study.verdicts import Judgement, judge_claims, judge_variant, sort_parts

_MANY_INTERVALS = 10  # of so many it has to be said that some miss by chance


def tell_study(summaries: Sequence[Summary], *, stale: int = 0) -> Sentence:
    """Returns the sentences on what was run, or the one that nothing was.

    So many kept results as are `stale` belong to other settings and are left out.
    """
    run = [one for one in summaries if one.status != NOT_RUN]
    if not run:
        aside = f" ({count_noun(stale, 'result')} of other settings left out)" if stale else ""
        text = f"No ablation has been run with the settings of this run{aside}: `make ablations` does that."
        return text, Sourced({})
    made = [record for summary in run for record in (*summary.done, *summary.failed)]
    differing = count_noun(sum(one.variant.name != BASE for one in run), "variant")
    held_out = len({path for record in made for path in record.val_paths})
    values = {
        "variants": (differing, f"{STUDY_RESULTS}: rows with a status other than {NOT_RUN}, without the base"),
        "trainings": ("once" if len(made) == 1 else f"{len(made):,} times", f"{STUDY_RECORDS}: number of files"),
        "held_out": (held_out, f"{STUDY_RECORDS}: validation images of all seeds"),
    }
    text = (
        "The recipe of this run (the *base*) and {variants} of it were trained {trainings} in all. The seeds together "
        "hold out {held_out:,} images, each seed the same ones for every variant."
    )
    return " ".join([text, *_tell_missing(summaries, stale)]), Sourced.from_pairs(values)


def _tell_missing(summaries: Sequence[Summary], stale: int) -> list[str]:
    sentences = {
        NOT_RUN: ("variant of the plan has", "variants of the plan have", "not been trained."),
        INCOMPLETE: ("variant lacks", "variants lack", "some of the seeds."),
        FAILED: ("variant", "variants", "failed."),
    }
    told = []
    for status, (one, many, rest) in sentences.items():
        if count := sum(summary.status == status for summary in summaries):
            told.append(f"{count_noun(count, one, many)} {rest}")
    if stale:
        told.append(f"{count_noun(stale, 'result of other settings is', 'results of other settings are')} left out.")
    return told


def tell_differences(summaries: Sequence[Summary]) -> Sentence:
    """Returns the sentences on how many variants differ from the base; at least one can be compared."""
    compared = [one.comparison for one in summaries if one.comparison]
    accuracy, gap = ([getattr(one, f"{name}_direction") for one in compared] for name in ("accuracy", "gap"))
    of_accuracy = f"{STUDY_RESULTS}: difference_low, difference_high, p"
    of_gap = f"{STUDY_RESULTS}: gap_difference_low, gap_difference_high"
    values = {
        "compared": (count_noun(len(compared), "variant"), f"{STUDY_RESULTS}: rows with a difference"),
        **{name: (say_number(accuracy.count(way)), of_accuracy) for way, name in ((-1, "lower"), (1, "higher"))},
        **{name: (say_number(gap.count(way)), of_gap) for way, name in ((-1, "smaller"), (1, "larger"))},
    }
    if len(compared) == 1:
        told = {-1: "lower", 1: "higher"}.get(accuracy[0])
        text = (
            f"The accuracy is significantly {told} than that of the base."
            if told
            else "The difference in accuracy may be due to chance."
        )
        return text, Sourced({})
    if not any([*accuracy, *gap]):
        text = "Compared with the base, none of {compared} differs significantly in accuracy or in over-fitting gap."
        return text, Sourced.from_pairs({"compared": values["compared"]})
    of = _tell_ways("accuracy", accuracy, "lower", "higher"), _tell_ways("over-fitting gap", gap, "smaller", "larger")
    text = f"Of {{compared}} compared with the base, {join_names(of)}. All other differences may be due to chance."
    return text, Sourced.from_pairs(values)


def _tell_ways(what: str, ways: Sequence[int], less: str, more: str) -> str:
    """Returns 'the accuracy is significantly lower for 2'; of the directions -1, 0 and 1, 0 is no difference."""
    told = [f"{word} for {{{word}}}" for word, way in ((less, -1), (more, 1)) if way in ways]
    return f"the {what} " + (f"is significantly {join_names(told)}" if told else "differs significantly for none")


def tell_gaps(summaries: Sequence[Summary]) -> Sentence:
    """Returns the sentence on the largest and the smallest over-fitting gap; at least one training is done."""
    ordered = sorted((one for one in summaries if one.done), key=lambda one: float(one.gaps.mean()))
    values = {}
    for end, summary in (("smallest", ordered[0]), ("largest", ordered[-1])):
        values[end] = (summary.title, f"{STUDY_RESULTS}: title of the {end} gap")
        values[f"{end}_gap"] = (show_gap(summary), f"{STUDY_RESULTS}: {summary.variant.name}, gap, times 100")
    text = "The over-fitting gap is largest in “{largest}”, {largest_gap} points"
    if len(ordered) > 1:
        text += ", and smallest in “{smallest}”, {smallest_gap} points"
    return f"{text}.", Sourced.from_pairs(values)


def tell_limits(summaries: Sequence[Summary]) -> Sentence:
    """Returns the sentences on what cannot be concluded; at least one variant can be compared."""
    compared = [one.comparison for one in summaries if one.comparison]
    single = sum(len(one.accuracies) == 1 for one in compared)
    values: dict[str, tuple[Any, str]] = {
        "compared": (count_noun(len(compared), "variant"), f"{STUDY_RESULTS}: rows with a difference"),
        "intervals": (2 * len(compared), f"{STUDY_RESULTS}: rows with a difference"),
        "single": (single, f"{STUDY_RESULTS}: rows with a difference and one seed"),
    }
    reaches = []
    for seeds in sorted({len(one.accuracies) for one in compared}, reverse=True):
        halves = [50 * (one.accuracy["high"] - one.accuracy["low"]) for one in compared if len(one.gaps) == seeds]
        origin = f"{STUDY_RESULTS}: median of half of difference_high less difference_low"
        values[f"reach{seeds}"] = (float(np.median(halves)), origin)
        reaches.append(f"{{reach{seeds}:.1f}} points with {count_noun(seeds, 'seed')}")
    sentences = [f"A difference in accuracy has to exceed about {join_names(reaches)} to be detected."]
    if single:
        rest = "rests" if single == 1 else "rest"
        sentences.append(f"Of {{compared}}, {{single}} {rest} on one seed: another may give another result.")
    sentences.append(
        "The intervals describe the effect of other images; that of another training shows only in the spread between "
        "the seeds. No two changes were combined."
    )
    if 2 * len(compared) >= _MANY_INTERVALS:
        sentences.append("Of {intervals} such intervals, one in twenty is expected to miss the true value by chance.")
    return " ".join(sentences), Sourced.from_pairs(values)


_WORDS = {("accuracy", -1): "lower", ("accuracy", 1): "higher", ("gap", -1): "smaller", ("gap", 1): "larger"}
_GAP_DIFFERENCE = "{gap_difference} against the base (95% interval {gap_difference.low} to {gap_difference.high})"


def tell_study_verdicts(summaries: Sequence[Summary], claims: Sequence[Claim]) -> dict[str, dict[str, Any]]:
    """Returns the content of `ablations/verdicts.json`: of each claim that a variant tests, by its id, the `verdict`,
    what was `measured` in short, the `sentence`, both as plain text, and the verdict of each variant alone. It is empty
    where nothing was run.
    """  # fmt: skip
    values = collect_study_values(summaries)
    return {
        one.claim.id: {
            "verdict": one.verdict,
            "measured": _measure_in_short(one),
            "sentence": _fill_plainly(_tell_forward(one, with_base=has_base(summaries)), values),
            "variants": {summary.variant.name: judge_variant(one.study, summary) for summary in one.forward},
        }
        for one in judge_claims(summaries, claims)
        if any(summary.status != NOT_RUN for summary in summaries)
    }


def tell_study_outcome(summaries: Sequence[Summary], claims: Sequence[Claim]) -> Sentence:
    """Returns what becomes of the claims that the variants test, without numbers; no text where none was compared."""
    judged = [one for one in judge_claims(summaries, claims) if any(summary.comparison for summary in one.forward)]
    told, values = [], {}
    for number, verdict in enumerate(VERDICTS):
        if which := [one.claim.statement for one in judged if one.verdict == verdict]:
            told.append(f"{_capital(verdict)}: {{claims{number}}}.")
            values[f"claims{number}"] = ("; ".join(which), f"{STUDY_VERDICTS}: claims whose verdict is {verdict}")
    text = " ".join(["The variants test what a paper claims about such changes.", *told]) if told else ""
    return text, Sourced.from_pairs(values)


def tell_study_claims(summaries: Sequence[Summary], claims: Sequence[Claim]) -> list[Sentence]:
    """Returns the sentences on each claim that a variant tests, with their values, for `say`."""
    values = collect_study_values(summaries)
    told = []
    for one in judge_claims(summaries, claims):
        forward = _tell_forward(one, with_base=has_base(summaries))
        compared = [_tell_opposite(summary, summary.comparison) for summary in one.opposite if summary.comparison]
        told.append((" ".join([f"**{_capital(one.claim.statement)}: {one.verdict}.**", forward, *compared]), values))
    return told


def _fill_plainly(sentence: str, values: Sourced) -> str:
    parts = string.Formatter().parse(sentence)
    return "".join(text + (format_field(name, spec or "", [values]) if name else "") for text, name, spec, _ in parts)


def _measure_in_short(one: Judgement) -> str:
    texts = []
    for summary in one.forward:
        if summary.comparison:
            accuracy, gap = in_points(summary.comparison.accuracy), in_points(summary.comparison.gap)
            text = f"accuracy {accuracy['value']} points, gap {gap['value']} points"
            texts.append(text if len(one.forward) == 1 else f"{summary.title}: {text}")
    return "; ".join(texts) or "–"


def _tell_forward(one: Judgement, *, with_base: bool) -> str:
    if not with_base:
        return "The base has no result, so there is nothing to compare with."
    sentences: list[str] = []
    for summary in one.forward:
        found = summary.comparison
        if found:
            text = (
                "Over {seeds} with {images:,} validation images in all, the accuracy of “{title}” is {accuracy:.1%}, "
                f"{_show_difference(found)}, and its over-fitting gap is {{gap}} points, {_GAP_DIFFERENCE}."
            )
            sentences.append(_name_fields(text, summary))
        sentences.append(_name_fields(_tell_trouble(summary), summary))
        if found:
            sentences += _tell_outcome(one.study, summary, found)
    return " ".join(filter(None, [*sentences, _tell_agreement(one)]))


def _show_difference(found: Comparison) -> str:
    p = "p < 0.001" if found.p < 0.001 else "p = {p:.3f}"
    return f"{{difference}} points against the base (95% interval {{difference.low}} to {{difference.high}}; {p})"


def _tell_trouble(summary: Summary) -> str:
    if summary.status == NOT_RUN:
        return "“{title}” has not been run: make ablations does that."
    if summary.failed and summary.diverged == len(summary.failed):
        rest = "the numbers are those of the others" if summary.done else "there is no accuracy and no gap to judge"
        return (
            "With “{title}”, training did not finish in {failed} of {planned} seeds, because the loss was not a finite "
            f"number; {rest}."
        )
    if summary.failed:
        return "“{title}” failed in {failed} of {planned} seeds ({error})."
    return "" if summary.comparison else "“{title}” has no seed in common with the base."


def _tell_outcome(expected: StudyExpectation, summary: Summary, found: Comparison) -> Iterator[str]:
    shown, contradicted, left_open = sort_parts(expected, summary)

    def word(names: list[str], sign: int = 1) -> str:
        return join_names([f"the {name} is {_WORDS[name, sign * expected.directions[name]]}" for name in names])

    if contradicted:
        yield f"{_capital(word(contradicted, -1))}: the paper says the opposite."
    if shown:
        yield f"{_capital(word(shown))}, as the paper says."
    if left_open:
        yield f"Whether {word(left_open)}, as the paper says, is undecided."
    if "accuracy" not in expected.directions:
        way = found.accuracy_direction
        if way:
            yield f"The accuracy, which the claim does not mention, is {_WORDS['accuracy', way]}."
        else:
            yield "Whether the accuracy changes is undecided."


def _tell_agreement(one: Judgement) -> str:
    alone = [judge_variant(one.study, summary) for summary in one.forward if summary.comparison]
    if len(alone) < 2:
        return ""
    if REPRODUCED in alone and NOT_REPRODUCED in alone:
        return "The variants disagree, so the claim as a whole is undecided."
    if REPRODUCED in alone:
        return "All of them show it." if len(set(alone)) == 1 else "One that shows it is enough; none contradicts it."
    return "None of them shows it." if NOT_REPRODUCED in alone else ""


def _tell_opposite(summary: Summary, found: Comparison) -> str:
    text = (
        f"For comparison, the reverse: “{{title}}” has an accuracy of {{accuracy:.1%}}, {_show_difference(found)}, "
        f"and a gap of {{gap}} points, {_GAP_DIFFERENCE}."
    )
    return _name_fields(text, summary)


def _name_fields(text: str, summary: Summary) -> str:
    """Returns a sentence on one variant with the names of its fields as `collect_study_values` has them."""
    return text.replace("{", f"{{v{summary.number}_")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
