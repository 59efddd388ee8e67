"""Measurements as they are kept: hours become chunks, chunks become graphs, and all is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from console.metrics import reading, writing
from console.metrics.families import FAMILIES, Family, Metric, register
from console.metrics.spans import DAY, HOUR
from console.models import Meter, MeterChunk
from tests import factories

pytestmark = pytest.mark.django_db

NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def family() -> Iterator[Family]:
    """A family of hosts: one counter, one gauge."""
    found = Family(
        "console.host", (Metric("requests", "", "1/s"), Metric("load", "", "", is_counter=False))
    )
    register(found)
    yield found
    del FAMILIES["console.host"]


def feed(
    family: Family, key: int, start: float, seconds: int, every: int = 30, rate: int = 10
) -> None:
    """A counter that grows by `rate` a second, and a gauge that is 5."""
    for offset in range(0, seconds, every):
        now = [rate * offset, 5]
        writing.record(family, start + offset, {key: now}, gap=3 * every)


def test_a_rate_is_what_a_counter_grew_by(family: Family) -> None:
    feed(family, 1, NOON, HOUR)
    with time_machine.travel(NOON + HOUR, tick=False):
        found = reading.read(family, [1], NOON, NOON + HOUR, points=120)
    curve = found.by_object[1]["requests"]
    assert found.step == 60
    assert {value for value in curve.averages if value is not None} == {10.0}
    assert curve.total == 10 * (HOUR - 30)
    assert found.by_object[1]["load"].average == 5.0
    assert reading.latest(family, [1])[1].figures == {"requests": 10.0, "load": 5.0}


def test_hours_that_are_over_add_up_to_what_was_counted(family: Family) -> None:
    feed(family, 1, NOON, 3 * HOUR + 300)
    spans = sorted(MeterChunk.objects.values_list("span", "start"))
    assert [span for span, _start in spans] == [0, 0, 0, 300, 3600]
    with time_machine.travel(NOON + 3 * HOUR + 300, tick=False):
        for points in (2000, 20, 4):
            found = reading.read(family, [1], NOON, NOON + 3 * HOUR + 300, points=points)
            assert found.by_object[1]["requests"].total == 10 * (3 * HOUR + 270), found.step


def test_a_gap_is_no_zero_and_no_flat_line(family: Family) -> None:
    feed(family, 1, NOON, 600)
    writing.record(family, NOON + 1800, {1: [50_000, 5]}, gap=90)
    writing.record(family, NOON + 1830, {1: [50_300, 5]}, gap=90)
    with time_machine.travel(NOON + 1900, tick=False):
        found = reading.read(family, [1], NOON, NOON + 1899, points=60)
    averages = dict(zip(found.times, found.by_object[1]["requests"].averages, strict=True))
    assert averages[NOON + 1200] is None
    assert averages[NOON + 1800] == 10.0
    assert found.by_object[1]["requests"].peak == pytest.approx(10, rel=0.01)


def test_readings_too_near_to_each_other_are_left_out(family: Family) -> None:
    assert writing.record(family, NOON, {1: [0, 1]}, gap=90) == 1
    assert writing.record(family, NOON + 1, {1: [40, 1]}, gap=90) == 0
    assert writing.record(family, NOON + 30, {1: [300, 1]}, gap=90) == 1
    assert reading.latest(family, [1])[1].figures["requests"] == 10.0


def test_slow_readings_do_not_look_like_gaps(family: Family) -> None:
    feed(family, 1, NOON, HOUR, every=420)
    with time_machine.travel(NOON + HOUR, tick=False):
        found = reading.read(family, [1], NOON, NOON + HOUR - 1, points=240)
    known = [value for value in found.by_object[1]["requests"].averages if value is not None]
    assert found.step == 1800
    assert known == [10.0, 10.0]


def test_many_objects_are_written_together(family: Family) -> None:
    for offset in (0, 30):
        numbers = {key: [key * offset, None] for key in range(1, 1201)}
        assert writing.record(family, NOON + offset, numbers, gap=90) == 1200
    assert Meter.objects.count() == 1200
    latest = reading.latest(family, [7, 1200])
    assert [latest[key].figures for key in (7, 1200)] == [
        {"requests": 7.0, "load": None},
        {"requests": 1200.0, "load": None},
    ]


def test_what_is_kept_no_longer_is_forgotten_and_the_rest_stays(family: Family) -> None:
    host = factories.HostFactory.create()
    for day in (0, 2, 40, 500):
        feed(family, host.pk, NOON + day * DAY, 2 * HOUR, every=600)
        feed(family, host.pk, NOON + day * DAY + 3 * HOUR, 60)
        with time_machine.travel(NOON + day * DAY + 4 * HOUR, tick=False):
            writing.forget()
    left = sorted(MeterChunk.objects.values_list("span", flat=True))
    assert left == [0, 0, 300, 3600]
    with time_machine.travel(NOON + 2000 * DAY, tick=False):
        writing.forget()
    assert not MeterChunk.objects.exists()
    assert not Meter.objects.exists()


def test_nothing_is_left_of_an_object_that_is_gone_for_a_day(family: Family) -> None:
    host = factories.HostFactory.create()
    feed(family, host.pk, NOON, 60)
    feed(family, host.pk + 1, NOON, 60)
    at = datetime.fromtimestamp(NOON, UTC)
    with time_machine.travel(at + timedelta(hours=2), tick=False):
        writing.forget()
    assert Meter.objects.count() == 2
    with time_machine.travel(at + timedelta(days=2), tick=False):
        writing.forget()
    assert list(Meter.objects.values_list("target_id", flat=True)) == [host.pk]
