"""Counters of a real director: kept as the kernel has them, through a reboot too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lab.rack import Rack
from lvs.ipvsadm.types import Stats
from tests.lab.services import ask, declare, eventually, remove
from tests.running_console import RunningConsole

REQUESTS = 50
#: The kernel brings its counters up to date only every 2 s.
LAG = 3
NAT, DR = "10.10.0.57", "10.10.0.81"


@pytest.fixture(scope="module")
def services(console: RunningConsole, lb1: int) -> Iterator[dict[str, dict[str, Any]]]:
    """One service by NAT and one by DR, both in place."""
    found = {
        name: declare(
            console,
            lb1,
            name=f"counted-{name}",
            vip=vip,
            forwarding=method,
            apply=True,
            real_servers=[{"rip": "10.20.0.11", "port": 80}, {"rip": "10.20.0.12", "port": 80}],
        )
        for name, vip, method in (("nat", NAT, "masq"), ("dr", DR, "route"))
    }
    yield found
    for service in found.values():
        remove(console, service)


def metrics(console: RunningConsole, service: dict[str, Any], **query: str) -> dict[str, Any]:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    answer = console.call("GET", f"lvs/virtual-services/{service['id']}/metrics/?{words}")
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.body
    return found


def line(found: dict[str, Any], metric: str) -> dict[str, Any]:
    one: dict[str, Any] = next(one for one in found["lines"] if one["metric"] == metric)
    return one


def counted_after(console: RunningConsole, service: dict[str, Any], moment: float) -> None:
    """Wait for a reading of the service that is younger than a moment of this machine."""

    def is_counted() -> bool:
        at = metrics(console, service)["counted_at"]
        return at is not None and datetime.fromisoformat(at).timestamp() > moment

    eventually(is_counted, within=300)


def samples(console: RunningConsole) -> dict[tuple[str, str, str], float]:
    """What Prometheus reads, by metric, service and real server."""
    answer = console.call("GET", "/metrics")
    assert answer.status == 200, answer
    return {
        (one.name, one.labels.get("service", ""), one.labels.get("real_server", "")): one.value
        for family in text_string_to_metric_families(answer.body)
        for one in family.samples
    }


def kept(console: RunningConsole, name: str, server: str = "") -> Stats:
    """The counters of a service or one of its real servers as the console has them, -1 where
    it has none."""
    found = samples(console)
    kind = "real_server" if server else "virtual_service"
    numbers = [
        found.get((f"evenkeel_{kind}_{field}_total", f"counted-{name}", server), -1)
        for field in Stats._fields
    ]
    return Stats(*map(int, numbers))


def test_a_reboot_of_the_director_gives_no_rate_that_never_was(
    console: RunningConsole, rack: Rack, services: dict[str, dict[str, Any]]
) -> None:
    nat = services["nat"]
    ask(rack, f"http://{NAT}/", 20)
    counted_after(console, nat, time.time() + LAG)
    before = line(metrics(console, nat), "connections")["total"]
    assert before >= 20
    rack.run("lb1", ["systemctl", "reboot"], check=False)
    time.sleep(5)
    eventually(lambda: NAT in _listing(rack), within=400)
    counted_after(console, nat, time.time())
    assert line(metrics(console, nat), "connections")["total"] == before
    ask(rack, f"http://{NAT}/", 7)
    counted_after(console, nat, time.time() + LAG)
    after = metrics(console, nat)
    assert line(after, "connections")["total"] == before + 7
    for one in after["lines"]:
        assert all(value is None or value >= 0 for value in [*one["average"], *one["peak"]]), one
    assert line(after, "connections")["highest"] <= before
    assert line(after, "in_bytes")["highest"] < 10_000_000


def _listing(rack: Rack) -> str:
    return rack.run("lb1", ["ipvsadm", "-S", "-n"], check=False).stdout
