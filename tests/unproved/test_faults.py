"""Faults in the middle of an apply, on real machines: converged or rolled back, never half."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.conftest import onboard
from tests.lab.services import eventually, remove, table
from tests.running_console import RunningConsole

#: Seconds after which the director undoes what nobody confirmed.
CONFIRM = 40
#: Enough lines that something can be done to the director while they run.
_MANY = 1500


@pytest.fixture(scope="module")
def frail(rack: Rack) -> Iterator[RunningConsole]:
    """A console of its own, with lb2, that loses patience soon."""
    running = RunningConsole(
        EVENKEEL_POLL_INTERVAL="600",
        EVENKEEL_SWEEP_INTERVAL="1",
        EVENKEEL_RESEND_AFTER="3",
    )
    running.start()
    try:
        onboard(running, rack, ("lb2",))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def lb2(frail: RunningConsole) -> int:
    """lb2 as a director; its number."""
    host = frail.call("GET", "hosts/?q=lb2").body["results"][0]
    made = frail.call(
        "POST",
        "lvs/directors/",
        {"host": host["id"], "vip_interface": "pub0", "confirm_seconds": 240},
    )
    assert made.status == 201, made
    frail.done(made.body["operation"])
    number: int = made.body["id"]
    return number


@pytest.fixture
def kept(frail: RunningConsole, lb2: int) -> Iterator[dict[str, Any]]:
    """A service that is in place and stays as it is, whatever happens beside it."""
    made = _declare(frail, lb2, name="kept", vip="10.10.0.90", apply=True,
                    real_servers=[{"rip": "10.20.0.11", "port": 80, "weight": 3}])  # fmt: skip
    frail.done(made["operation"])
    yield made
    remove(frail, made)


def _declare(console: RunningConsole, director: int, **values: Any) -> dict[str, Any]:
    made = console.call(
        "POST",
        "lvs/virtual-services/",
        {"director": director, "port": 80, "scheduler": "rr"} | values,
    )
    assert made.status == 201, made
    found: dict[str, Any] = made.body
    return found


def _crowd() -> list[dict[str, Any]]:
    return [{"rip": f"10.20.{100 + n // 200}.{n % 200 + 1}", "port": 80} for n in range(_MANY)]


def _is_changing(console: RunningConsole, path: str) -> bool:
    """Whether the batch runs on the director right now."""
    steps = console.call("GET", path).body["steps"]
    return any(step["status"] == "running" and step["stdin_bytes"] > 10_000 for step in steps)


def _around(rack: Rack) -> str:
    """What else an apply may touch: addresses, forwarding, our files, timers."""
    script = (
        "ip -o address show dev pub0 | awk '{print $4}'; cat /proc/sys/net/ipv4/ip_forward;"
        " cat /etc/evenkeel/vips /etc/sysctl.d/60-evenkeel.conf 2>/dev/null;"
        " for d in /run/evenkeel/undo-*; do [ -d $d ] && [ ! -e $d/settled ] && echo $d; done;"
        " systemctl list-timers --all | grep undo"
    )
    return str(rack.run("lb2", ["sh", "-c", f"{script}; true"]).stdout)


def test_reboot_in_the_middle_ends_converged(
    frail: RunningConsole, rack: Rack, lb2: int, kept: dict[str, Any]
) -> None:
    made = _declare(
        frail, lb2, name="rebooted", vip="10.10.0.93", apply=True, real_servers=_crowd()
    )
    eventually(lambda: _is_changing(frail, made["operation"]), within=120)
    rack.run("lb2", ["systemctl", "reboot"])
    frail.done(made["operation"], timeout=300)
    lines = table(rack, "lb2")
    assert sum(line.startswith("-a -t 10.10.0.93:80") for line in lines) == _MANY
    assert "-a -t 10.10.0.90:80 -r 10.20.0.11:80 -m -w 3" in lines
    assert "10.10.0.93/32" in _around(rack)
    remove(frail, made)
