"""The table of a study over backbones: how accurate each is, how fast, and how large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.wording import shorten
from scenebook.evaluation.claims.verdicts import NOTHING
from scenebook.study.plan import BASE
from scenebook.study.records import FAILED
from scenebook.study.results import LONGEST_ERROR, in_points
from scenebook.study.summaries import NOT_RUN, Summary


def select_backbones(summaries: Sequence[Summary]) -> list[Summary]:
    """Returns the variants that start from a backbone or weights of their own and were run, after the base.

    It is empty where there are none.
    """
    own = [one for one in summaries if one.variant.has_own_weights and one.status != NOT_RUN]
    return [one for one in summaries if one.variant.name == BASE and one.status != NOT_RUN] + own if own else []


def title_backbone(summary: Summary, backbone: str) -> str:
    """Returns what a row is called; the base is the run's `backbone`."""
    return f"{backbone} (base)" if summary.variant.name == BASE else summary.title


def tabulate_backbones(summaries: Sequence[Summary], backbone: str) -> pd.DataFrame:
    """Returns a row a backbone, as text; `backbone` is the run's."""
    return pd.DataFrame(
        [{"backbone": title_backbone(summary, backbone), **_show(summary)} for summary in select_backbones(summaries)]
    )


def _show(summary: Summary) -> dict[str, Any]:
    columns = ("accuracy (%)", "against the base (points)", "p", "images a second", "parameters (millions)")
    if not summary.done:
        what = summary.failed[0].error if summary.status == FAILED and summary.failed else NOTHING
        return dict(zip(columns, [shorten(f"failed: {what}", LONGEST_ERROR), *[NOTHING] * 4], strict=True))
    score, found, rate = summary.accuracy, summary.comparison, summary.images_per_second
    difference = "{value} ({low} to {high})".format(**in_points(found.accuracy)) if found else NOTHING
    p = NOTHING if found is None else "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    values = (
        f"{100 * score['value']:.1f} ({100 * score['low']:.1f} to {100 * score['high']:.1f})",
        difference,
        p,
        NOTHING if np.isnan(rate) else f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}",
        f"{summary.done[0].total_params / 1e6:.1f}",
    )
    return dict(zip(columns, values, strict=True))
