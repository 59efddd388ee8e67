"""The rack and a running console. A rack that does not come up fails the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.rack import Rack
from tests.racks import rack_number
from tests.running_console import RunningConsole

#: Every node that the tests declare as a host of the console.
HOSTS = ("lb1", "lb2", "client")


@pytest.fixture(scope="session")
def rack() -> Iterator[Rack]:
    """The rack, fresh from its template; one for each worker."""
    found = Rack(rack_number())
    if not found.up():
        found.reset()
    yield found


@pytest.fixture(scope="session")
def console(rack: Rack) -> Iterator[RunningConsole]:
    """A console that has the rack's machines as hosts, their keys accepted."""
    running = RunningConsole(EVENKEEL_POLL_INTERVAL="10", EVENKEEL_SWEEP_INTERVAL="2")
    running.start()
    try:
        onboard(running, rack)
        yield running
    finally:
        running.stop()


def onboard(console: RunningConsole, rack: Rack, names: tuple[str, ...] = HOSTS) -> None:
    """Declare machines of the rack as hosts and accept their keys, as a program would."""
    credential = _credential(console, rack)
    known = {host["name"] for host in console.call("GET", "hosts/").body["results"]}
    for name in names:
        if name in known:
            continue
        node = rack.node(name)
        made = console.call(
            "POST",
            "hosts/",
            {
                "name": name,
                "address": node.address,
                "port": node.port,
                "credential": credential,
            },
        )
        assert made.status == 201, made
        console.done(made.body["operation"])
        host = console.call("GET", f"hosts/{made.body['id']}/").body
        assert host["offered_key"] == node.host_key
        accepted = console.call(
            "POST",
            f"hosts/{host['id']}/accept-key/",
            {"fingerprint": host["offered_fingerprint"]},
        )
        assert accepted.status == 202, accepted
        console.done(accepted.headers["location"])


def _credential(console: RunningConsole, rack: Rack) -> int:
    """The rack's key as a credential; its number."""
    known = console.call("GET", "credentials/?q=rack").body["results"]
    if known:
        return int(known[0]["id"])
    secret = Path(rack.node("lb1").key_path).read_text()
    made = console.call("POST", "credentials/", {"name": "rack", "kind": "key", "secret": secret})
    assert made.status == 201, made
    return int(made.body["id"])


@pytest.fixture(scope="session")
def hosts(console: RunningConsole) -> dict[str, dict[str, Any]]:
    """The declared hosts by name."""
    return {host["name"]: host for host in console.call("GET", "hosts/").body["results"]}


@pytest.fixture(scope="session")
def machines(console: RunningConsole, rack: Rack) -> dict[str, int]:
    """The real servers as hosts too, which the console may prepare: numbers by name."""
    onboard(console, rack, ("rs1", "rs2", "rs3"))
    return {host["name"]: host["id"] for host in console.call("GET", "hosts/").body["results"]}


@pytest.fixture(scope="session")
def lb1(console: RunningConsole, hosts: dict[str, dict[str, Any]]) -> int:
    """lb1 as a director; its number."""
    made = console.call(
        "POST",
        "lvs/directors/",
        {
            "host": hosts["lb1"]["id"],
            "vip_interface": "pub0",
            "probe_host": hosts["client"]["id"],
            # Under emulation, on a machine with other work, a change takes its time.
            "confirm_seconds": 600,
        },
    )
    assert made.status == 201, made
    console.done(made.body["operation"])
    number: int = made.body["id"]
    return number
