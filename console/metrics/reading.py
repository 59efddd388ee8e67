"""Reading measurements back: curves for graphs and tables, and the figures of the last moment."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from django.utils import timezone

from console.metrics.cells import NOTHING, Cell, Row, average, grouped, highest, summed
from console.metrics.families import Family, Metric
from console.metrics.packing import unpack
from console.metrics.spans import Span, span_for, step_for
from console.models import Meter, MeterChunk

#: Most objects whose curves are read at once (a year of one takes 50 ms), and most points.
MAX_OBJECTS, MAX_POINTS = 24, 1000


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one object over time: average and peak of each step, None where nothing
    is known, and of them all. `total` is what a counter counted."""

    metric: Metric
    averages: tuple[float | None, ...]
    peaks: tuple[float | None, ...]
    average: float | None
    peak: float | None
    total: int | None


class Curves(NamedTuple):
    """Curves with common times: the beginnings of steps of `step` seconds."""

    step: int
    times: tuple[int, ...]
    by_object: dict[int, dict[str, Curve]]


class Latest(NamedTuple):
    """The last reading of one object: rates in 1/s and gauges by metric, None where unknown,
    and the counters as they were read."""

    at: datetime
    figures: dict[str, float | None]
    readings: dict[str, int | None]


def latest(family: Family, keys: Iterable[int]) -> dict[int, Latest]:
    """The last reading of each of the objects that have one."""
    found = Meter.objects.filter(target_type=family.target_type, target_id__in=list(keys))
    return {meter.target_id: _latest(family, meter) for meter in found.defer("tail")}


def latest_of_all(family: Family, since: datetime) -> dict[int, Latest]:
    """The last reading of every object of a family that was read since then."""
    found = Meter.objects.filter(target_type=family.target_type, at__gte=since).defer("tail")
    return {meter.target_id: _latest(family, meter) for meter in found.iterator()}


def _latest(family: Family, meter: Meter) -> Latest:
    figures = {
        metric.name: average(Cell(*cell), is_counter=metric.is_counter)
        for metric, cell in zip(family.metrics, meter.cells, strict=False)
    }
    names = [metric.name for metric in family.metrics]
    return Latest(meter.at, figures, dict(zip(names, meter.readings, strict=False)))


def read(
    family: Family, keys: Sequence[int], start: float, end: float, *, points: int = 240
) -> Curves:
    """The curves of some objects between two times (seconds since 1970), of about so many
    points: fewer where they were measured more rarely."""
    wanted = max(1.0, (end - start) / max(1, min(points, MAX_POINTS)))
    span = span_for(start, wanted, timezone.now().timestamp())
    rows = _rows(family, keys[:MAX_OBJECTS], span, int(start), int(end))
    step = step_for(max(wanted, span.seconds, 2 * _spacing(rows.values(), span)))
    first = int(start) // step * step
    times = tuple(range(first, int(end) + 1, step))
    curves = {key: _curves(family, found, step, times) for key, found in rows.items()}
    return Curves(step, times, curves)


def _rows(
    family: Family, keys: Sequence[int], span: Span, start: int, end: int
) -> dict[int, list[Row]]:
    """The rows of each object between two times, in order."""
    meters = {
        meter.pk: meter
        for meter in Meter.objects.filter(target_type=family.target_type, target_id__in=keys)
    }
    found: dict[int, list[Row]] = {meter.target_id: [] for meter in meters.values()}
    chunks = MeterChunk.objects.filter(
        meter__in=meters, span=span.seconds, start__gt=start - span.chunk, start__lt=end
    )
    for chunk in chunks.order_by("start"):
        packed = zlib.decompress(bytes(chunk.data))
        found[meters[chunk.meter_id].target_id] += unpack(
            packed, chunk.start, family.counters, with_peaks=bool(span.seconds)
        )
    for meter in meters.values():
        tail = unpack(bytes(meter.tail), meter.hour, family.counters, with_peaks=False)
        found[meter.target_id] += tail
    return {key: [row for row in rows if start <= row.at <= end] for key, rows in found.items()}


def _spacing(found: Iterable[list[Row]], span: Span) -> float:
    """Seconds between readings; 0 where every row of the span has one."""
    longest = max(found, key=len, default=[])
    gaps = [later.at - earlier.at for earlier, later in pairwise(longest)]
    usual = median(gaps) if gaps else 0.0
    return usual if usual > span.seconds else 0.0


def _curves(family: Family, rows: list[Row], step: int, times: tuple[int, ...]) -> dict[str, Curve]:
    by_time = {row.at: row.cells for row in grouped(rows, step)}
    nothing = (NOTHING,) * len(family.metrics)
    steps = [by_time.get(at, nothing) for at in times]
    whole = summed(list(by_time.values())) if by_time else nothing
    return {
        metric.name: _curve(metric, [cells[position] for cells in steps], whole[position])
        for position, metric in enumerate(family.metrics)
    }


def _curve(metric: Metric, cells: list[Cell], whole: Cell) -> Curve:
    is_counter = metric.is_counter
    return Curve(
        metric,
        tuple(average(cell, is_counter=is_counter) for cell in cells),
        tuple(highest(cell, is_counter=is_counter) for cell in cells),
        average(whole, is_counter=is_counter),
        highest(whole, is_counter=is_counter),
        whole.total if is_counter and whole.weight else None,
    )
