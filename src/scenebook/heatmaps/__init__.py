"""Maps of where the evidence for a class lies in a picture. No TensorFlow.

A map is float32 `(h, w)`, at least 0, of any resolution; all zeros where no place speaks for the class.
"""

from scenebook.heatmaps.checks import MOST_CHECKED, blur, check_maps, correlate_ranks, read_checks, tabulate_checks
from scenebook.heatmaps.places import (
    describe_choice,
    describe_maps,
    describe_place,
    enlarge,
    list_explained,
    measure_spread,
    read_maps,
)

__all__ = [
    "MOST_CHECKED",
    "blur",
    "check_maps",
    "correlate_ranks",
    "describe_choice",
    "describe_maps",
    "describe_place",
    "enlarge",
    "list_explained",
    "measure_spread",
    "read_checks",
    "read_maps",
    "tabulate_checks",
]
