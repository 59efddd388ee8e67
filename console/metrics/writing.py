"""Writing readings down: one row a meter and reading, chunks once an hour, and forgetting."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from console.metrics.cells import Cell, Row, gauge_cell, grouped, growth
from console.metrics.families import FAMILIES, Family
from console.metrics.packing import pack, unpack
from console.metrics.spans import COARSE, FINE, HOUR, RAW, SPANS, Span
from console.models import Meter, MeterChunk

#: Readings that are nearer to each other than so many seconds say nothing about a rate: the
#: kernel itself brings its counters up to date only every 2 s.
TOO_SOON = 5.0
#: Meters that are written in one transaction.
_BATCH = 500

Reading = Sequence[int | None]


def record(family: Family, at: float, readings: Mapping[int, Reading], gap: float) -> int:
    """Write down what was read at `at` (seconds since 1970) of the objects by their keys.

    Between readings that are more than `gap` seconds apart nothing is known. Returns how
    many were written; those that come too soon after the last ones are left out.
    """
    keys = sorted(readings)
    return sum(
        _record_some(family, at, {key: readings[key] for key in keys[first : first + _BATCH]}, gap)
        for first in range(0, len(keys), _BATCH)
    )


@transaction.atomic
def _record_some(family: Family, at: float, readings: Mapping[int, Reading], gap: float) -> int:
    rows = Meter.objects.filter(target_type=family.target_type, target_id__in=readings.keys())
    known = {meter.target_id: meter for meter in rows}
    old = {key: meter for key, meter in known.items() if at - meter.at.timestamp() >= TOO_SOON}
    hour = int(at) // HOUR * HOUR
    _close(family, [meter for meter in old.values() if meter.hour != hour])
    changed = []
    for key, now in readings.items():
        if key in known and key not in old:
            continue
        meter = old.get(key)
        cells = _cells(family, meter, now, at, gap)
        row = pack([Row(int(at), cells)], hour, with_peaks=False)
        tail = bytes(meter.tail) if meter is not None and meter.hour == hour else b""
        changed.append(
            Meter(
                target_type=family.target_type,
                target_id=key,
                at=datetime.fromtimestamp(at, UTC),
                readings=list(now),
                cells=cells,
                hour=hour,
                tail=tail + row,
            )
        )
    Meter.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["target_type", "target_id"],
        update_fields=["at", "readings", "cells", "hour", "tail"],
    )
    return len(changed)


def _cells(
    family: Family, meter: Meter | None, now: Reading, at: float, gap: float
) -> tuple[Cell, ...]:
    """What each metric did since the reading before."""
    before, seconds = None, None
    if meter is not None and len(meter.readings) == len(now):
        before, seconds = meter.readings, at - meter.at.timestamp()
    counted = [new if is_one else None for new, is_one in zip(now, family.counters, strict=True)]
    grown = growth(before, counted, seconds if seconds is not None and seconds <= gap else None)
    return tuple(
        cell if is_one else gauge_cell(value)
        for cell, value, is_one in zip(grown, now, family.counters, strict=True)
    )


def _close(family: Family, meters: Sequence[Meter]) -> None:
    """Put the hours that are over into chunks: as they were read, by 5 minutes, as one row."""
    raw: list[MeterChunk] = []
    growing: dict[tuple[int, Span, int], list[Row]] = {}
    for meter in meters:
        tail = bytes(meter.tail)
        if not tail:
            continue
        raw.append(_chunk(meter.pk, RAW, meter.hour, tail))
        rows = unpack(tail, meter.hour, family.counters, with_peaks=False)
        for span in (FINE, COARSE):
            start = meter.hour // span.chunk * span.chunk
            growing[meter.pk, span, start] = grouped(rows, span.seconds)
    _append(growing, raw)


def _append(growing: Mapping[tuple[int, Span, int], list[Row]], new: list[MeterChunk]) -> None:
    """Add rows to the chunks that they belong to, and write them with the new ones."""
    present = MeterChunk.objects.filter(
        meter_id__in={meter for meter, _span, _start in growing},
        span__in={span.seconds for _meter, span, _start in growing},
        start__in={start for _meter, _span, start in growing},
    )
    before = {(one.meter_id, one.span, one.start): one.data for one in present}
    for (meter, span, start), rows in growing.items():
        data = before.get((meter, span.seconds, start))
        old = zlib.decompress(bytes(data)) if data is not None else b""
        new.append(_chunk(meter, span, start, old + pack(rows, start, with_peaks=True)))
    MeterChunk.objects.bulk_create(
        new,
        update_conflicts=True,
        unique_fields=["meter", "span", "start"],
        update_fields=["data"],
    )


def _chunk(meter: int, span: Span, start: int, data: bytes) -> MeterChunk:
    return MeterChunk(
        meter_id=meter, span=span.seconds, start=start, data=zlib.compress(data, level=6)
    )


def forget() -> int:
    """Delete what is kept no longer, and the meters of objects that are gone for a day.
    Returns how many rows went. Nothing is left of an object that nobody measures."""
    now = timezone.now()
    gone = 0
    for span in SPANS:
        too_old = int(now.timestamp()) - span.kept - span.chunk
        gone += MeterChunk.objects.filter(span=span.seconds, start__lt=too_old).delete()[0]
    silent = Meter.objects.filter(at__lt=now - timedelta(days=1))
    gone += silent.filter(at__lt=now - timedelta(seconds=COARSE.kept)).delete()[0]
    for target_type in FAMILIES:
        model = apps.get_model(target_type)
        orphans = silent.filter(target_type=target_type).exclude(
            target_id__in=model._base_manager.values("pk")
        )
        gone += orphans.delete()[0]
    return gone
