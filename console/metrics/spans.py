"""For how long rows are kept, and how many make a chunk. PURE."""

from __future__ import annotations

from typing import NamedTuple

HOUR, DAY = 3600, 86400


class Span(NamedTuple):
    """Rows of so many `seconds` (0: as they were read), so long in one chunk, so long kept."""

    seconds: int
    chunk: int
    kept: int


RAW = Span(0, HOUR, DAY + HOUR)
FINE = Span(300, DAY, 32 * DAY)
COARSE = Span(HOUR, 30 * DAY, 367 * DAY)
#: A day, a month and a year, and a little more, so that each can be asked for in whole.
SPANS = (RAW, FINE, COARSE)

#: Seconds that a point of a graph may stand for.
STEPS = (10, 30, 60, 120, 300, 600, 1800, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY)


def span_for(start: float, step: float, now: float) -> Span:
    """The finest rows that still reach back to `start`, if they are not much finer than the
    points that are asked for; the coarsest where none reach back so far."""
    reaching = [span for span in SPANS if start >= now - span.kept] or [COARSE]
    fitting = [span for span in reaching if span.seconds <= step] or reaching[:1]
    return fitting[-1]


def step_for(wanted: float) -> int:
    """The smallest step of a graph that is not below the one that is wanted."""
    return next((step for step in STEPS if step >= wanted), STEPS[-1])
