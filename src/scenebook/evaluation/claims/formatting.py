"""How the values of claims are written: as the paper prints them, and rounded as it rounds."""

from __future__ import annotations

from decimal import Decimal

from scenebook.evaluation.claims.measures import Measured
from scenebook.evaluation.claims.schema import Claim, Value

NOTHING = "–"
MOST_PLACES = 7
SLACK = 1e-9
"""So that 0.88 - 0.02 and 0.86 are the same edge."""


def rounds_to(value: float, claim: Claim) -> bool:
    """Returns whether a value, rounded as the paper prints it, is the reported one."""
    unit = _printed_unit(claim)
    return abs(value - float(claim.reported)) <= unit / 2 + SLACK


def _printed_unit(claim: Claim) -> float:
    """Returns the last printed place of the reported value: 0.01 for 0.90 and for 89%, 1 for 7,301."""
    text = show_reported(claim).replace(",", "").strip()
    try:
        exponent = Decimal(text.rstrip("%").strip()).as_tuple().exponent
    except ArithmeticError:
        return 0.0
    return 10.0 ** (int(exponent) - (2 if text.endswith("%") else 0))


def show_reported(claim: Claim) -> str:
    """Returns the reported value as the paper prints it."""
    return claim.printed or show_value(claim, claim.reported)


def show_value(claim: Claim, value: Value) -> str:
    """Returns a value of a claim as text: two places, or one of a percentage, or as many as the reported value has."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if claim.percent:
        return f"{value:.{max(1, _count_places(claim.reported) - 2)}%}"
    if isinstance(value, int):
        return f"{value:,}"
    places = max(2, _count_places(claim.reported))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{places}f}" if places <= MOST_PLACES else f"{value:g}"


def _count_places(value: Value) -> int:
    """Returns how many places a number has: 7 of 1e-7."""
    return max(0, -int(Decimal(repr(value)).as_tuple().exponent)) if isinstance(value, float) else 0


def show_measured(claim: Claim, measured: Measured | None) -> tuple[str, str]:
    """Returns a measured value and its interval as text."""
    if measured is None:
        return NOTHING, ""
    shown = show_value(claim, measured.value)
    if measured.low is None or measured.high is None:
        return shown, ""
    return shown, f"{show_value(claim, measured.low)} to {show_value(claim, measured.high)}"
