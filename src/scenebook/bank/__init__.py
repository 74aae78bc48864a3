"""The feature bank: what a frozen trunk makes of a picture's views, kept on disk across runs. No TensorFlow."""

from scenebook.bank.bank import Bank
from scenebook.bank.opening import estimate_bytes, open_bank
from scenebook.bank.rounding import round_rows
from scenebook.bank.shard import Shard
from scenebook.bank.space import Space

__all__ = ["Bank", "Shard", "Space", "estimate_bytes", "open_bank", "round_rows"]
