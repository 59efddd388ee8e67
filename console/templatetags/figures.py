"""Figures with their units, as a person reads them."""

from __future__ import annotations

from django import template
from django.utils import formats

register = template.Library()

_LARGER = ("", "k", "M", "G", "T", "P")


@register.filter
def figure(value: float | None, unit: str = "") -> str:
    """Three digits and a unit: 12.3/s, 4.56 MB/s, 1,234; a dash where nothing is known.

    `unit` is that of a metric: "1/s", "B/s", "B" or "" for a number of things.
    """
    if value is None:
        return "–"
    if not unit.startswith("B"):
        return _number(value) + ("/s" if unit == "1/s" else "")
    power = 0
    while value >= 999.5 and power < len(_LARGER) - 1:
        value /= 1000
        power += 1
    return f"{_number(value)}\N{NO-BREAK SPACE}{_LARGER[power]}{unit}"


def _number(value: float) -> str:
    """Not more than three digits after all, and none where they are noise."""
    digits = 0 if value >= 99.95 or value == int(value) else 1 if value >= 9.995 else 2
    return formats.number_format(round(value, digits), digits, force_grouping=True)
