"""The counters of directors: read with a look, kept for services and real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from console.metrics import reading
from lvs import poll
from lvs.measures import DIRECTOR, SERVER, SERVICE
from lvs.models import Director, VirtualService
from tests.app import lvs_scene
from tests.app.conftest import Fleet
from tests.fakes.director import FakeDirector

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
NAMES = ("connections", "in_packets", "out_packets", "in_bytes", "out_bytes")


def on_the_table(fake: FakeDirector, counters: list[int], method: str = "-m") -> None:
    """The shop as SHOP has it, with its counters on the service and its first real server."""
    if not fake.table.entries:
        fake.table.load("".join(f"{line}\n" for line in lvs_scene.SHOP).replace("-m", method))
    (entry,) = fake.table.entries.values()
    entry.counters = list(counters)
    port = 8080 if method == "-m" else 80
    server = fake.table.server("-t 10.10.0.50:80", f"10.20.0.11:{port}")
    server.counters, server.active, server.inactive = list(counters), 4, 2


def scene(fleet: Fleet) -> tuple[Director, FakeDirector, VirtualService]:
    director, fake = fleet.director()
    return director, fake, lvs_scene.shop(director)


def look(director: Director, later: float) -> None:
    with time_machine.travel(BEGIN + timedelta(seconds=later), tick=False):
        poll.poll(director.pk)


def test_every_look_counts_services_and_real_servers(fleet: Fleet) -> None:
    director, fake, service = scene(fleet)
    on_the_table(fake, [10, 100, 90, 5000, 900_000])
    look(director, 0)
    on_the_table(fake, [310, 3100, 2790, 155_000, 27_900_000])
    look(director, 30)
    found = reading.latest(SERVICE, [service.pk])[service.pk]
    assert [found.readings[name] for name in NAMES] == [310, 3100, 2790, 155_000, 27_900_000]
    assert found.figures == {
        "connections": pytest.approx(10, rel=0.01),
        "in_packets": pytest.approx(100, rel=0.01),
        "out_packets": pytest.approx(90, rel=0.01),
        "in_bytes": pytest.approx(5000, rel=0.01),
        "out_bytes": pytest.approx(900_000, rel=0.01),
        "active": 4,
        "inactive": 2,
    }
    first, second = service.real_servers.all()
    servers = reading.latest(SERVER, [first.pk, second.pk])
    assert servers[first.pk].figures == found.figures
    assert servers[second.pk].figures["connections"] == 0
    whole = reading.latest(DIRECTOR, [director.pk])[director.pk]
    assert whole.figures["buckets"] == 4096
    assert whole.figures["active"] == 4
    assert whole.figures["connections"] == pytest.approx(10, rel=0.01)


def test_answers_that_do_not_pass_the_director_are_unknown_and_not_zero(fleet: Fleet) -> None:
    director, fake, service = scene(fleet)
    service.forwarding = "route"
    service.save()
    for later, counters in ((0, [1, 10, 0, 500, 0]), (30, [61, 610, 0, 30_500, 0])):
        on_the_table(fake, counters, "-g")
        look(director, later)
    figures = reading.latest(SERVICE, [service.pk])[service.pk].figures
    assert figures["in_bytes"] == pytest.approx(1000, rel=0.01)
    assert (figures["out_packets"], figures["out_bytes"]) == (None, None)
    assert reading.latest(DIRECTOR, [director.pk])[director.pk].figures["out_bytes"] is None


def test_a_reboot_is_no_negative_and_no_absurd_rate(fleet: Fleet) -> None:
    director, fake, service = scene(fleet)
    on_the_table(fake, [10**9, 10**10, 10**10, 10**13, 10**14])
    look(director, 0)
    fake.reboot()
    on_the_table(fake, [30, 300, 300, 3000, 6000])
    look(director, 30)
    figures = reading.latest(SERVICE, [service.pk])[service.pk].figures
    assert [figures[name] for name in NAMES] == [
        pytest.approx(rate, rel=0.01) for rate in (1, 10, 10, 100, 200)
    ]


def test_a_large_table_is_counted_whole_only_once_an_interval(
    fleet: Fleet, settings: pytest.FixtureRequest
) -> None:
    settings.LARGE_TABLE = 1  # type: ignore[attr-defined]
    director, fake, _service = scene(fleet)
    on_the_table(fake, [10, 100, 90, 5000, 900_000])
    for later in (0, 30, 60, 90, 120):
        look(director, later)
    scripts = [call.text for call in fake.calls if "ip_vs_stats" in call.text]
    assert ["--stats" in script for script in scripts] == [True, False, False, True, False]


def test_counters_that_cannot_be_read_do_not_spoil_the_look(fleet: Fleet) -> None:
    director, fake, service = scene(fleet)
    on_the_table(fake, [1, 2, 3, 4, 5])
    fake.table.refusals["-Ln --stats"] = "Resource temporarily unavailable"
    look(director, 0)
    director.refresh_from_db()
    assert director.observe_error == ""
    assert director.observed_at is not None
    assert reading.latest(SERVICE, [service.pk]) == {}
