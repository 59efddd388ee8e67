"""Blue and green under a client at fifty requests a second: over and back, none fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, declare, remove, table
from tests.lab.steady import steady_traffic
from tests.running_console import RunningConsole

VIP = "10.10.0.95"


@pytest.fixture
def service(console: RunningConsole, lb1: int) -> Iterator[dict[str, Any]]:
    """A service by firewall mark with rs1 in the blue set and rs2 in the green one."""
    made = declare(
        console,
        lb1,
        name="two-sets",
        vip=VIP,
        matching="mark",
        apply=True,
        real_servers=[
            {"rip": "10.20.0.11", "port": 80, "pool": "blue"},
            {"rip": "10.20.0.12", "port": 80, "pool": "green"},
        ],
    )
    yield made
    remove(console, made)


def flip(console: RunningConsole, service: dict[str, Any]) -> None:
    begun = console.call("POST", f"lvs/virtual-services/{service['id']}/flip/")
    assert begun.status == 202, begun
    console.done(begun.headers["location"])


def test_flip_and_flip_back_lose_no_request(
    console: RunningConsole, rack: Rack, service: dict[str, Any]
) -> None:
    before = table(rack)
    assert set(ask(rack, f"http://{VIP}/", 4)) == {"rs1"}
    with steady_traffic(rack, [(VIP, 80)]) as traffic:
        flip(console, service)
        assert set(ask(rack, f"http://{VIP}/", 4)) == {"rs2"}
        flip(console, service)
        assert set(ask(rack, f"http://{VIP}/", 4)) == {"rs1"}
    assert traffic.failed == []
    assert traffic.answered.keys() == {"rs1", "rs2"}
    assert sum(traffic.answered.values()) == traffic.sent
    assert table(rack) == before
