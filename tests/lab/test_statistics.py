"""Counters of a real director: kept as the kernel has them, through a reboot too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lab.rack import Rack
from lvs.ipvsadm.parse import parse_stats
from lvs.ipvsadm.types import ServiceKey, Stats
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


def test_what_is_kept_is_what_the_kernel_counted(
    console: RunningConsole, rack: Rack, services: dict[str, dict[str, Any]]
) -> None:
    for service in services.values():
        counted_after(console, service, time.time() - 60)
    for vip in (NAT, DR):
        assert set(ask(rack, f"http://{vip}/", REQUESTS)) == {"rs1", "rs2"}
    time.sleep(LAG)
    for service in services.values():
        counted_after(console, service, time.time())
    time.sleep(10)  # the answer for Prometheus is kept for so long
    listing = rack.run("lb1", ["ipvsadm", "-Ln", "--stats", "--exact"]).stdout
    printed = parse_stats(listing)
    for name, vip in (("nat", NAT), ("dr", DR)):
        section = printed[ServiceKey.of("tcp", vip, 80)]
        assert section.head.connections == REQUESTS
        expected = {"": section.head} | {str(key): one for key, one in section.rows.items()}
        for server, stats in expected.items():
            if name == "dr":
                stats = stats._replace(out_packets=-1, out_bytes=-1)
            assert kept(console, name, server) == stats, (name, server)
        found = metrics(console, services[name])
        assert line(found, "connections")["total"] == REQUESTS
        assert line(found, "in_bytes")["total"] == section.head.in_bytes

    answered = metrics(console, services["nat"])
    assert line(answered, "out_bytes")["total"] > REQUESTS * 100
    assert not any(one["is_one_way"] for one in answered["lines"])
    passed_by = metrics(console, services["dr"])
    assert [one["metric"] for one in passed_by["lines"] if one["is_one_way"]] == [
        "out_packets",
        "out_bytes",
    ]
    assert set(line(passed_by, "out_bytes")["average"]) == {None}


def test_a_client_is_found_in_the_connection_table(
    console: RunningConsole, rack: Rack, lb1: int, services: dict[str, dict[str, Any]]
) -> None:
    assert ask(rack, f"http://{DR}/", 3)
    path = f"lvs/directors/{lb1}/connections/"
    asked = {"client": "10.10.0.100", "service": services["dr"]["id"]}
    begun = console.call("POST", path, asked)
    assert begun.status == 202, begun
    result = console.done(begun.headers["location"])["result"]
    assert result["total"] == len(result["connections"]) >= 3
    for one in result["connections"]:
        assert one["client"].startswith("10.10.0.100:")
        assert one["virtual"] == f"{DR}:80"
        assert one["real_server"] in {"10.20.0.11:80", "10.20.0.12:80"}
        assert 0 < one["expires"] <= 900
    begun = console.call("POST", path, asked | {"client": "10.10.0.128/25"})
    assert console.done(begun.headers["location"])["result"]["total"] == 0


def _listing(rack: Rack) -> str:
    return rack.run("lb1", ["ipvsadm", "-S", "-n"], check=False).stdout
