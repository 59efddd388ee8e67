"""Blue and green under a client at fifty requests a second: over and back, none fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, declare, remove
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


def test_open_connection_stays_where_it_is(
    console: RunningConsole, rack: Rack, service: dict[str, Any]
) -> None:
    """It asks before the flip and once more after it, on one connection."""
    script = (
        "import socket, sys, time\n"
        f"sock = socket.create_connection(('{VIP}', 80), 20)\n"
        "open('/tmp/flip-open', 'w').close()\n"
        "time.sleep(float(sys.argv[1]))\n"
        "sock.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "text = b''\n"
        "while data := sock.recv(65536):\n"
        "    text += data\n"
        "open('/tmp/flip-said', 'wb').write(text)\n"
    )
    rack.run("client", ["sh", "-c", "rm -f /tmp/flip-*; cat > /tmp/flip.py"], given=script)
    begin = "nohup python3 /tmp/flip.py 60 > /tmp/flip.log 2>&1 < /dev/null &"
    rack.run("client", ["sh", "-c", f"{begin} sleep 3; ls /tmp/flip-open"])
    flip(console, service)
    assert set(ask(rack, f"http://{VIP}/", 2)) == {"rs2"}
    wait = "for n in $(seq 90); do [ -s /tmp/flip-said ] && break; sleep 1; done"
    said = rack.run("client", ["sh", "-c", f"{wait}; cat /tmp/flip-said /tmp/flip.log"],
                    timeout=150).stdout  # fmt: skip
    assert "rs1" in said, said
