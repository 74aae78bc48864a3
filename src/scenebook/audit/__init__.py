"""What is wrong with a data set. Nothing is dropped here, only reported. No TensorFlow."""

from __future__ import annotations

from scenebook.audit.counts import compute_imbalance, count_pictures, describe_imbalance, tabulate_set_aside
from scenebook.audit.duplicates import DuplicateGroups, find_duplicates, find_exact_duplicates, select_pairs
from scenebook.audit.quality import (
    QualityFindings,
    find_odd_pictures,
    find_odd_sizes,
    select_odd_pictures,
    tabulate_odd_pictures,
)
from scenebook.audit.report import (
    audit_pictures,
    caption_odd_pictures,
    caption_pairs,
    describe_duplicates,
    describe_giveaways,
    describe_odd_pictures,
    list_warnings,
)
from scenebook.audit.shortcuts import find_giveaways

__all__ = [
    "DuplicateGroups",
    "QualityFindings",
    "audit_pictures",
    "caption_odd_pictures",
    "caption_pairs",
    "compute_imbalance",
    "count_pictures",
    "describe_duplicates",
    "describe_giveaways",
    "describe_imbalance",
    "describe_odd_pictures",
    "find_duplicates",
    "find_exact_duplicates",
    "find_giveaways",
    "find_odd_pictures",
    "find_odd_sizes",
    "list_warnings",
    "select_odd_pictures",
    "select_pairs",
    "tabulate_odd_pictures",
    "tabulate_set_aside",
]
