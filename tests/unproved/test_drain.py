"""Draining with real connections: they end by themselves, or the limit ends the wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import declare, eventually, remove, table
from tests.running_console import RunningConsole

RS1, RS2 = "10.20.0.11", "10.20.0.12"
VIP = "10.10.0.57"

#: A connection that stays open, then asks its question and keeps the answer.
LONG = f"""
import os, socket, time
s = socket.create_connection(("{VIP}", 80)); s.sendall(b"GET / HTTP/1.0\\r\\n")
open("/tmp/long", "w").write("open")
while not os.path.exists("/tmp/end"):
    time.sleep(0.2)
s.sendall(b"\\r\\n")
open("/tmp/long", "w").write(s.recv(4096).decode())
"""


@pytest.fixture
def service(console: RunningConsole, rack: Rack, lb1: int) -> Iterator[dict[str, Any]]:
    """Two real servers, of which the first gets the first connection."""
    made = declare(
        console,
        lb1,
        name="drained",
        vip=VIP,
        scheduler="wrr",
        apply=True,
        real_servers=[{"rip": RS1, "port": 80, "weight": 100}, {"rip": RS2, "port": 80}],
    )
    yield made
    remove(console, made)


def hold(rack: Rack) -> None:
    """Open a connection from the client that goes on until `end`."""
    script = (
        "rm -f /tmp/long /tmp/end; cat > /tmp/long.py;"
        " setsid python3 /tmp/long.py > /dev/null 2>&1 &"
    )
    rack.run("client", ["sh", "-c", script], given=LONG)
    eventually(lambda: said(rack) == "open", within=240)


def end(rack: Rack) -> None:
    """Let the connection ask its question and end."""
    rack.run("client", ["touch", "/tmp/end"])


def said(rack: Rack) -> str:
    return rack.run("client", ["sh", "-c", "cat /tmp/long 2>/dev/null"], check=False).stdout


def drain(console: RunningConsole, service: dict[str, Any], **values: Any) -> str:
    """Begin to drain the first real server; where its operation is."""
    server = next(one for one in service["real_servers"] if one["rip"] == RS1)
    begun = console.call("POST", f"lvs/real-servers/{server['id']}/drain/", values)
    assert begun.status == 202, begun
    return begun.headers["location"]


def weight(rack: Rack) -> str:
    """What the kernel has for the first real server: its weight, "" when it is gone."""
    lines = [line.split() for line in table(rack) if f"-r {RS1}:80" in line and VIP in line]
    return lines[0][lines[0].index("-w") + 1] if lines else ""


def test_long_connection_survives_the_drain_and_ends_by_itself(
    console: RunningConsole, rack: Rack, service: dict[str, Any]
) -> None:
    hold(rack)
    operation = drain(console, service, limit_seconds=600)
    eventually(lambda: weight(rack) == "0", within=240)
    waiting = eventually(
        lambda: next(
            (row for row in [console.call("GET", operation).body] if row["result"].get("left")),
            None,
        ),
        within=240,
    )
    assert waiting["result"]["left"] == 1 and "Connections left: 1" in waiting["error"]
    end(rack)
    ended = console.done(operation)
    assert ended["result"]["left"] == 0
    assert "rs1" in said(rack), "the old connection was served to its end"
    assert weight(rack) == ""


def test_limit_takes_it_out_and_cancelling_gives_the_weight_back(
    console: RunningConsole, rack: Rack, service: dict[str, Any]
) -> None:
    hold(rack)
    operation = drain(console, service, limit_seconds=600, then="keep")
    eventually(lambda: weight(rack) == "0", within=240)
    assert console.call("POST", f"{operation}cancel/").status == 200
    assert console.ended(operation)["status"] == "cancelled"
    eventually(lambda: weight(rack) == "100", within=240)

    def begun() -> str:
        try:
            return drain(console, service, limit_seconds=10)
        except AssertionError:
            return ""

    ended = console.done(eventually(begun, within=240))
    assert ended["result"]["left"] == 1
    assert weight(rack) == ""
    end(rack)
