"""What training never changes, cut off and run by itself: where the cut is, and what the trunk runs in."""

from scenebook.trunk.cutting import Split, describe_trunk, is_empty, list_stochastic, read_cut, split_frozen
from scenebook.trunk.running import RunTrunk, compile_trunk

__all__ = [
    "RunTrunk",
    "Split",
    "compile_trunk",
    "describe_trunk",
    "is_empty",
    "list_stochastic",
    "read_cut",
    "split_frozen",
]
