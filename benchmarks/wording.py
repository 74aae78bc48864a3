"""How numbers are written for people."""

from __future__ import annotations


def format_number(value: float | None) -> str:
    """Returns a number to three significant digits, `12.0`, `1,230`; a dash where there is none."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:#.3g}"


def format_range(low: float | None, high: float | None) -> str:
    """Returns `1.20 to 1.40`; a dash where there is nothing."""
    return "–" if low is None else f"{format_number(low)} to {format_number(high)}"
