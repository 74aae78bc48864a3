"""The sentences on a study as a whole: what was run, what its figures show, what cannot be concluded. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scenebook.core.sentences import Sourced
from scenebook.core.wording import count_noun, join_names
from scenebook.notebook.prose.ablation_claims import Sentence
from scenebook.study.plan import BASE
from scenebook.study.records import FAILED
from scenebook.study.results import RESULTS_FILE, show_gap
from scenebook.study.summaries import INCOMPLETE, NOT_RUN, Comparison, Summary

MANY_INTERVALS = 10
"""Of so many it has to be said that some miss by chance."""


def describe_study(summaries: Sequence[Summary], *, stale: int = 0) -> Sentence:
    """Returns the sentences on what was run, or the one that nothing was, with their values, for `say`.

    Args:
        summaries: From `summarize`.
        stale: How many kept results belong to other settings and are left out.
    """
    run = [one for one in summaries if one.status != NOT_RUN]
    if not run:
        aside = f" ({count_noun(stale, 'result')} of other settings left out)" if stale else ""
        text = f"No ablation has been run with the settings of this run{aside}: `make ablations` does that."
        return text, Sourced({})
    made = [record for summary in run for record in (*summary.done, *summary.failed)]
    values = {
        "variants": count_noun(sum(one.variant.name != BASE for one in run), "variant"),
        "trainings": count_noun(len(made), "training"),
        "held_out": len({path for record in made for path in record.val_paths}),
    }
    origins = {
        "variants": f"{RESULTS_FILE}: rows with a status other than {NOT_RUN}, without the base",
        "trainings": "ablations/runs: number of files",
        "held_out": "ablations/runs: validation images of all seeds",
    }
    text = (
        "The recipe of this run, the *base*, and {variants} of it make {trainings}. Over all seeds {held_out:,} "
        "images are held out, with each seed the same ones for every variant."
    )
    return " ".join([text, *_tell_missing(summaries, stale)]), Sourced(values, origins=origins)


def _tell_missing(summaries: Sequence[Summary], stale: int) -> list[str]:
    """Returns the sentences on what the study lacks; none where it is whole."""
    count = {status: sum(one.status == status for one in summaries) for status in (NOT_RUN, INCOMPLETE, FAILED)}
    sentences = {
        NOT_RUN: "Not run yet: {n} of the plan; `make ablations` goes on.",
        INCOMPLETE: "Without some of the seeds: {n}.",
        FAILED: "Failed: {n}.",
    }
    told = [text.format(n=count_noun(count[status], "variant")) for status, text in sentences.items() if count[status]]
    return [*told, f"Left out: {count_noun(stale, 'result')} of other settings."] if stale else told


def read_differences(summaries: Sequence[Summary]) -> Sentence:
    """Returns the sentences on how many variants differ from the base, with their values, for `say`.

    Args:
        summaries: From `summarize`; at least one variant can be compared.
    """
    compared = _list_compared(summaries)
    accuracy, gap = ([getattr(one, f"{name}_direction") for one in compared] for name in ("accuracy", "gap"))
    values = {
        "compared": count_noun(len(compared), "variant"),
        "lower": accuracy.count(-1),
        "higher": accuracy.count(1),
        "undecided": accuracy.count(0),
        "smaller": gap.count(-1),
        "larger": gap.count(1),
    }
    origins = dict.fromkeys(["lower", "higher", "undecided"], f"{RESULTS_FILE}: difference_low, difference_high, p")
    origins |= dict.fromkeys(["smaller", "larger"], f"{RESULTS_FILE}: gap_difference_low, gap_difference_high")
    origins["compared"] = f"{RESULTS_FILE}: rows with a difference"
    text = (
        "Of {compared}, the accuracy of {lower} is shown to be lower than the base's, and that of {higher} to be "
        "higher; for {undecided} that is undecided at this n. The over-fitting gap is shown to be larger for {larger} "
        "and smaller for {smaller}."
    )
    return text, Sourced(values, origins=origins)


def _list_compared(summaries: Sequence[Summary]) -> list[Comparison]:
    return [one.comparison for one in summaries if one.comparison]


def read_gaps(summaries: Sequence[Summary]) -> Sentence:
    """Returns the sentence on the largest and the smallest over-fitting gap, with its values, for `say`.

    Args:
        summaries: From `summarize`; at least one training is done.
    """
    ordered = sorted((one for one in summaries if one.done), key=lambda one: float(one.gaps.mean()))
    values: dict[str, Any] = {}
    origins = {}
    for end, summary in (("smallest", ordered[0]), ("largest", ordered[-1])):
        values |= {end: summary.title, f"{end}_gap": show_gap(summary)}
        origins[end] = f"{RESULTS_FILE}: title of the {end} gap"
        origins[f"{end}_gap"] = f"{RESULTS_FILE}: {summary.variant.name}, gap, times 100"
    text = "The over-fitting gap is largest in “{largest}”, {largest_gap} points"
    if len(ordered) > 1:
        text += ", and smallest in “{smallest}”, {smallest_gap} points"
    return f"{text}.", Sourced(values, origins=origins)


def describe_limits(summaries: Sequence[Summary]) -> Sentence:
    """Returns the sentences on what cannot be concluded, with their values, for `say`.

    Args:
        summaries: From `summarize`; at least one variant can be compared.
    """
    compared = _list_compared(summaries)
    values: dict[str, Any] = {"compared": count_noun(len(compared), "variant"), "intervals": 2 * len(compared)}
    origins = dict.fromkeys(values, f"{RESULTS_FILE}: rows with a difference")
    reaches = []
    for seeds in sorted({len(one.accuracies) for one in compared}, reverse=True):
        halves = [50 * (one.accuracy["high"] - one.accuracy["low"]) for one in compared if len(one.gaps) == seeds]
        values[f"reach{seeds}"] = float(np.median(halves))
        origins[f"reach{seeds}"] = f"{RESULTS_FILE}: median of half of difference_high less difference_low"
        reaches.append(f"{{reach{seeds}:.1f}} with {count_noun(seeds, 'seed')}")
    sentences = [
        "The points by which the interval of a difference in accuracy reaches to either side are, at the median, "
        f"{join_names(reaches)}: a difference of less cannot be told from none."
    ]
    values["single"] = sum(len(one.accuracies) == 1 for one in compared)
    origins["single"] = f"{RESULTS_FILE}: rows with a difference and one seed"
    if values["single"]:
        sentences.append("Of {compared}, {single} rest on one seed: what another would have given is not known.")
    sentences.append(
        "The intervals speak of other images, not of further trainings: of these, only the distance between seeds "
        "tells. What two changes do together was not tried."
    )
    if values["intervals"] >= MANY_INTERVALS:
        sentences.append("There are {intervals} intervals: of so many, one in twenty misses by chance.")
    return " ".join(sentences), Sourced(values, origins=origins)
