"""The arithmetic of measurements. PURE.

A cell says what one metric did in one span of time, so that cells of neighbouring spans can
be put together in any order and any grouping: sums of sums are sums, peaks of peaks peaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Bits of a peak that are kept: it is at most 0.8 % too high, and compresses better.
_PEAK_BITS = 8


class Cell(NamedTuple):
    """What one metric did in one span.

    Of a counter: `weight` is the time that is covered, in tenths of a second, `total` what
    was counted in it, `peak` the highest rate, in thousandths per second. Of a gauge:
    `weight` is the number of readings, `total` their sum, `peak` the highest of them.
    """

    weight: int = 0
    total: int = 0
    peak: int = 0


#: Nothing is known of the span: it puts together with any other cell to that one.
NOTHING = Cell()


class Row(NamedTuple):
    """The cells of one object's metrics at one time, in seconds since 1970."""

    at: int
    cells: tuple[Cell, ...]


def merge(one: Cell, other: Cell) -> Cell:
    """Two spans of the same metric as one."""
    return Cell(one.weight + other.weight, one.total + other.total, max(one.peak, other.peak))


def counter_cell(total: int, weight: int) -> Cell:
    """So much was counted in so many tenths of a second."""
    return Cell(weight, total, _rounded_up(-(-total * 10_000 // weight)))


def gauge_cell(value: int | None) -> Cell:
    """One reading of something that goes up and down."""
    return NOTHING if value is None else Cell(1, value, value)


def growth(
    before: Sequence[int | None] | None, now: Sequence[int | None], seconds: float | None
) -> list[Cell]:
    """What each counter grew by since the reading before, `seconds` ago.

    A counter that fell was reset, and with it all others of its object: what it shows now is
    what was counted since then. Without a reading before, or with None for `seconds` (too
    long ago), nothing is known.
    """
    weight = round(seconds * 10) if seconds is not None else 0
    if before is None or weight <= 0:
        return [NOTHING] * len(now)
    was_reset = any(
        old is not None and new is not None and new < old
        for old, new in zip(before, now, strict=True)
    )
    return [
        NOTHING
        if old is None or new is None
        else counter_cell(new if was_reset else new - old, weight)
        for old, new in zip(before, now, strict=True)
    ]


def average(cell: Cell, *, is_counter: bool) -> float | None:
    """A counter's rate in 1/s, a gauge's mean; None where nothing is known."""
    if not cell.weight:
        return None
    return cell.total * (10 if is_counter else 1) / cell.weight


def highest(cell: Cell, *, is_counter: bool) -> float | None:
    """The highest rate in 1/s, or the highest reading."""
    if not cell.weight:
        return None
    return cell.peak / 1000 if is_counter else float(cell.peak)


def grouped(rows: Iterable[Row], span: int) -> list[Row]:
    """The rows put together by spans of so many seconds; each is named by its beginning.
    Spans without a row stay out: a gap stays a gap."""
    spans: dict[int, list[tuple[Cell, ...]]] = defaultdict(list)
    for row in rows:
        spans[row.at // span * span].append(row.cells)
    return [Row(at, summed(found)) for at, found in sorted(spans.items())]


def summed(found: Sequence[tuple[Cell, ...]]) -> tuple[Cell, ...]:
    """Several rows' cells as those of one."""
    whole = found[0]
    for cells in found[1:]:
        whole = tuple(map(merge, whole, cells))
    return whole


def _rounded_up(peak: int) -> int:
    spare = max(0, peak.bit_length() - _PEAK_BITS)
    return -(-peak >> spare) << spare
