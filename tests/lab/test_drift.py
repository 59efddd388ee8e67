"""A table changed by hand: seen within an interval, told with the mending commands, mended."""

from __future__ import annotations

from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import declare, eventually, remove, table
from tests.running_console import RunningConsole

#: The interval that the console of these tests polls at, and time for the look itself.
WITHIN = 10 + 30


@pytest.fixture
def service(console: RunningConsole, lb1: int) -> Any:
    made = declare(
        console,
        lb1,
        name="drifting",
        vip="10.10.0.60",
        apply=True,
        real_servers=[{"rip": "10.20.0.11", "port": 80, "weight": 5},
                      {"rip": "10.20.0.12", "port": 80, "upper_threshold": 40}],
    )  # fmt: skip
    yield made
    console.call("PATCH", f"lvs/directors/{lb1}/", {"policy": "alert"})
    remove(console, made)


def _director(console: RunningConsole, lb1: int) -> dict[str, Any]:
    found: dict[str, Any] = console.call("GET", f"lvs/directors/{lb1}/").body
    return found


CHANGES = {
    "a weight": (
        ["-e", "-t", "10.10.0.60:80", "-r", "10.20.0.11:80", "-m", "-w", "77"],
        "-e -t 10.10.0.60:80 -r 10.20.0.11:80 -m -w 5",
    ),
    "a threshold, which -S does not show": (
        ["-e", "-t", "10.10.0.60:80", "-r", "10.20.0.12:80", "-m", "-w", "1", "-x", "0"],
        "-e -t 10.10.0.60:80 -r 10.20.0.12:80 -m -w 1 -x 40 -y 0",
    ),
    "an edit without a method, which makes it DR": (
        ["-e", "-t", "10.10.0.60:80", "-r", "10.20.0.11:80"],
        "-e -t 10.10.0.60:80 -r 10.20.0.11:80 -m -w 5",
    ),
    "an edit without a scheduler, which makes it wlc": (
        ["-E", "-t", "10.10.0.60:80"],
        "-E -t 10.10.0.60:80 -s rr",
    ),
    "a real server more": (
        ["-a", "-t", "10.10.0.60:80", "-r", "10.20.0.13:80", "-m"],
        "-d -t 10.10.0.60:80 -r 10.20.0.13:80",
    ),
    "a real server less": (
        ["-d", "-t", "10.10.0.60:80", "-r", "10.20.0.12:80"],
        "-a -t 10.10.0.60:80 -r 10.20.0.12:80 -m -w 1 -x 40 -y 0",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_by_hand_is_shown_with_the_mending_command(
    console: RunningConsole, rack: Rack, lb1: int, service: dict[str, Any], change: str
) -> None:
    words, mending = CHANGES[change]
    rack.run("lb1", ["ipvsadm", *words])
    drift = eventually(lambda: _director(console, lb1)["drift"], WITHIN)
    assert mending in drift.splitlines()


def test_confirmed_drift_raises_an_alert_and_reconcile_mends_it(
    console: RunningConsole, rack: Rack, lb1: int, service: dict[str, Any]
) -> None:
    before = table(rack)
    rack.run("lb1", ["ipvsadm", "-D", "-t", "10.10.0.60:80"])
    alert = eventually(
        lambda: console.call("GET", "alerts/?kind=director-drift&is_open=true").body["results"],
        WITHIN * 2,
    )[0]
    assert "-A -t 10.10.0.60:80 -s rr" in alert["commands"]
    assert table(rack) != before, "the policy is alert: nothing is mended unasked"
    console.call("PATCH", f"lvs/directors/{lb1}/", {"policy": "reconcile"})
    eventually(lambda: table(rack) == before, WITHIN * 2)
    eventually(
        lambda: console.call("GET", f"alerts/{alert['id']}/").body["resolved_at"], WITHIN * 2
    )


def test_vip_taken_off_by_hand_is_drift_too(
    console: RunningConsole, rack: Rack, lb1: int, service: dict[str, Any]
) -> None:
    rack.run("lb1", ["ip", "address", "delete", "10.10.0.60/32", "dev", "pub0"])
    drift = eventually(lambda: _director(console, lb1)["drift"], WITHIN)
    assert "address add 10.10.0.60/32 dev pub0" in drift
