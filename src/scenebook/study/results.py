"""The tables of an ablation study: all numbers, for `ablations/results.csv`, and a short one to be read.

Accuracies and gaps are shares in the first and percentages or percentage points in the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.run_files import STUDY_RESULTS
from scenebook.core.sentences import Sourced
from scenebook.core.wording import count_noun, shorten, show_setting, signed
from scenebook.evaluation.claims.verdicts import NOTHING
from scenebook.evaluation.metrics.intervals import Score
from scenebook.study.plan import BASE, Variant
from scenebook.study.summaries import NOT_RUN, Summary
from scenebook.study.trials import FAILED

MOST_CHANGES = 3
"""A row of the short table gives the number of further settings."""
LONGEST_ERROR = 80


def tabulate(summaries: Sequence[Summary]) -> pd.DataFrame:
    """Returns all numbers, a row a variant.

    `val_accuracy` and `gap` are means over the seeds that are done, with the standard deviation (of n - 1) as `_sd`;
    `difference`, with McNemar's `p`, and `gap_difference` are those from the base on the same seeds' images, with
    their 95% intervals as `_low` and `_high`, and `images` how many validation images the former rests on (of the
    base: how many it has); `seconds` are those of one training, on average.
    """
    return pd.DataFrame([_list_numbers(summary) for summary in summaries])


def _list_numbers(summary: Summary) -> dict[str, Any]:
    # pandas' statistics of nothing are NaN.
    accuracies, gaps, found = pd.Series(summary.accuracies), pd.Series(summary.gaps), summary.comparison
    first = summary.done[0] if summary.done else None
    return {
        "variant": summary.variant.name,
        "title": summary.variant.title,
        "changed": format_changes(summary.changes),
        "seeds": len(summary.done),
        "seeds_planned": summary.variant.seeds,
        "val_accuracy": accuracies.mean(),
        "val_accuracy_sd": accuracies.std(),
        "val_accuracy_min": accuracies.min(),
        "val_accuracy_max": accuracies.max(),
        "gap": gaps.mean(),
        "gap_sd": gaps.std(),
        **_list_bounds("difference", found.accuracy if found else None),
        "p": found.p if found else np.nan,
        **_list_bounds("gap_difference", found.gap if found else None),
        "images": found.images if found else sum(len(record.val_right) for record in summary.done),
        "seconds": pd.Series([record.seconds for record in summary.done], dtype=float).mean(),
        "total_params": first.total_params if first else np.nan,
        "trainable_params": first.trainable_params if first else np.nan,
        "images_per_second": summary.images_per_second,
        "status": summary.status,
        "error": summary.error,
    }


def _list_bounds(name: str, score: Score | None) -> dict[str, float]:
    known = score or {"value": np.nan, "low": np.nan, "high": np.nan}
    return {name: known["value"], f"{name}_low": known["low"], f"{name}_high": known["high"]}


def tabulate_plan(variants: Sequence[Variant]) -> pd.DataFrame:
    """Returns the plan, a row a variant: name, what is changed, which claim it tests, how many seeds."""
    rows = [(one.name, format_changes(one.change) or NOTHING, one.claim or NOTHING, one.seeds) for one in variants]
    return pd.DataFrame(rows, columns=["variant", "changed", "claim", "seeds"])


def format_changes(change: Mapping[str, Any], most: int | None = None) -> str:
    """Returns the settings that a variant changes, as `learning_rate 0.01`; of more than `most`, how many more."""
    # The report does not show the folders of the machine.
    short = {name: PurePath(value).name if name == "weights" else value for name, value in change.items()}
    listed = [f"{name} {show_setting(value)}" for name, value in short.items()]
    if most is not None and len(listed) > most:
        listed = [*listed[: most - 1], f"{len(listed) - most + 1} more"]
    return ", ".join(listed)


def tabulate_shown(summaries: Sequence[Summary]) -> pd.DataFrame:
    """Returns the short table, as text but for whole numbers; variants that were not run are left out."""
    summaries = [summary for summary in summaries if summary.status != NOT_RUN]
    numbers = tabulate(summaries)
    return pd.DataFrame(
        {
            "variant": [summary.title for summary in summaries],
            "changed": [format_changes(one.changes, MOST_CHANGES) or NOTHING for one in summaries],
            "validation accuracy (%)": [_show_accuracy(summary) for summary in summaries],
            "gap (points)": [show_gap(one) if one.done else NOTHING for one in summaries],
            "against the base (points)": [_show_difference(summary) for summary in summaries],
            "seconds": _show_whole(numbers["seconds"]),
            "trained parameters": _show_whole(numbers["trainable_params"]),
        }
    )


def _show_accuracy(summary: Summary) -> str:
    """Returns '85.3 ± 2.1 (3 seeds)', '85.3 (1 of 3 seeds)', or what went wrong."""
    if summary.status == FAILED:
        return f"failed: {shorten(summary.failed[0].error, LONGEST_ERROR)}"
    accuracies = 100 * summary.accuracies
    spread = f" ± {accuracies.std(ddof=1):.1f}" if len(accuracies) > 1 else ""
    return f"{accuracies.mean():.1f}{spread} ({_count_seeds(summary, len(accuracies))})"


def _count_seeds(summary: Summary, count: int) -> str:
    """Returns '3 seeds', or '2 of 3 seeds' where more are planned."""
    if count < summary.variant.seeds:
        return f"{count} of {count_noun(summary.variant.seeds, 'seed')}"
    return count_noun(count, "seed")


def _show_difference(summary: Summary) -> str:
    if summary.comparison is None:
        return NOTHING
    return "{value} ({low} to {high})".format(**in_points(summary.comparison.accuracy))


def show_gap(summary: Summary) -> str:
    """Returns the mean over-fitting gap in percentage points; there is no sign but a minus."""
    return signed(100 * float(summary.gaps.mean()), 1).lstrip("+")


def in_points(score: Score) -> dict[str, str]:
    """Returns a difference of shares and its bounds in percentage points, as signed text."""
    return {bound: signed(100 * score[bound], 1) for bound in ("value", "low", "high")}


def _show_whole(values: pd.Series) -> list[Any]:
    """Returns whole numbers, or text where one is missing: a column of numbers has no room for what is none."""
    if values.notna().all():
        return [round(value) for value in values]
    return [NOTHING if np.isnan(value) else f"{value:,.0f}" for value in values]


def collect_study_values(summaries: Sequence[Summary]) -> Sourced:
    """Returns what sentences say of variants, `v3_accuracy` for one of the fourth."""
    pairs = {
        f"v{summary.number}_{name}": (value, f"{STUDY_RESULTS}: {summary.variant.name}, {column}")
        for summary in summaries
        for name, (value, column) in _list_values(summary).items()
    }
    return Sourced.from_pairs(pairs)


def _list_values(summary: Summary) -> dict[str, tuple[Any, str]]:
    """Returns each value with the column that it is from; differences are in points, as text."""
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
            "seeds": (_count_seeds(summary, len(summary.comparison.accuracies)), "seeds, seeds_planned"),
        }
    return values


def select_backbones(summaries: Sequence[Summary]) -> list[Summary]:
    """Returns the variants that start from a backbone or weights of their own and were run, if any, after the base."""
    own = [one for one in summaries if one.variant.has_own_weights and one.status != NOT_RUN]
    return [one for one in summaries if one.variant.name == BASE and one.status != NOT_RUN] + own if own else []


def title_backbone(summary: Summary, backbone: str) -> str:
    """Returns what a row is called; the base is the run's `backbone`."""
    return f"{backbone} (base)" if summary.variant.name == BASE else summary.title


def tabulate_backbones(summaries: Sequence[Summary], backbone: str) -> pd.DataFrame:
    """Returns a row a backbone, as text; `backbone` is the run's."""
    shown = select_backbones(summaries)
    return pd.DataFrame([{"backbone": title_backbone(one, backbone), **_show_backbone(one)} for one in shown])


def _show_backbone(summary: Summary) -> dict[str, Any]:
    columns = ("accuracy (%)", "against the base (points)", "p", "images a second", "parameters (millions)")
    if not summary.done:
        what = summary.failed[0].error if summary.status == FAILED and summary.failed else NOTHING
        return dict(zip(columns, [shorten(f"failed: {what}", LONGEST_ERROR), *[NOTHING] * 4], strict=True))
    score, found, rate = summary.accuracy, summary.comparison, summary.images_per_second
    p = NOTHING if found is None else "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    values = (
        f"{100 * score['value']:.1f} ({100 * score['low']:.1f} to {100 * score['high']:.1f})",
        _show_difference(summary),
        p,
        NOTHING if np.isnan(rate) else f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}",
        f"{summary.done[0].total_params / 1e6:.1f}",
    )
    return dict(zip(columns, values, strict=True))
