"""Choosing pictures to show, and what to say of each."""

from scenebook.samples.bars import bars_of
from scenebook.samples.cases import KINDS, count_rows, read_cases, select_cases
from scenebook.samples.drawing import (
    describe_errors,
    describe_prediction,
    find_samples,
    name_copies,
    read_selection,
    select_one_per_class,
    select_per_class,
    tile,
)
from scenebook.samples.evidence import read_error_maps

__all__ = [
    "KINDS",
    "bars_of",
    "count_rows",
    "describe_errors",
    "describe_prediction",
    "find_samples",
    "name_copies",
    "read_cases",
    "read_error_maps",
    "read_selection",
    "select_cases",
    "select_one_per_class",
    "select_per_class",
    "tile",
]
