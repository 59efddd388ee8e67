"""What the tests of virtual services on the rack share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lab.rack import Rack
from tests.running_console import RunningConsole


def declare(console: RunningConsole, director: int, **values: Any) -> dict[str, Any]:
    """Declare a service over the API; nothing is applied unless `apply` says so."""
    body = {"director": director, "port": 80, "scheduler": "rr"} | values
    made = console.call("POST", "lvs/virtual-services/", body)
    assert made.status == 201, made
    if made.body["operation"]:
        console.done(made.body["operation"])
    found: dict[str, Any] = made.body
    return found


def remove(console: RunningConsole, service: dict[str, Any]) -> None:
    """Take a service away again, once nothing else is under way, and see that it is gone."""
    path = f"lvs/virtual-services/{service['id']}/"
    until = time.monotonic() + 120
    while True:
        answer = console.call("DELETE", path, {"confirm": service["name"]})
        if answer.status != 409 or time.monotonic() > until:
            break
        time.sleep(1)
    assert answer.status in (202, 204), answer
    if answer.status == 202:
        console.done(answer.headers["location"])
    assert console.call("GET", path).status == 404


def prove(console: RunningConsole, service: dict[str, Any]) -> dict[str, Any]:
    """Prove a service; its proof."""
    path = f"lvs/virtual-services/{service['id']}/"
    begun = console.call("POST", f"{path}prove/")
    assert begun.status == 202, begun
    console.done(begun.headers["location"])
    proof: dict[str, Any] = console.call("GET", path).body["proof"]
    return proof


def planned_lines(console: RunningConsole, path: str) -> list[str]:
    """The lines that Apply would run now."""
    answer = console.call("GET", f"{path}planned-changes/")
    assert answer.status == 200, answer
    return [line["text"] for step in answer.body["steps"] for line in step["lines"]]


def table(rack: Rack, node: str = "lb1") -> list[str]:
    """What the kernel of a director has, read by hand."""
    return rack.run(node, ["ipvsadm", "-S", "-n"]).stdout.splitlines()


def ask(rack: Rack, url: str, count: int = 1) -> list[str]:
    """The first line of each answer that the client gets, "" for none."""
    script = f"for i in $(seq {count}); do curl -s -m 5 '{url}' | head -n 1; echo; done"
    text = rack.run("client", ["sh", "-c", script], timeout=60 + 6 * count).stdout
    return [line for line in text.splitlines() if line] or [""]


def eventually(condition: Callable[[], Any], within: float) -> Any:
    """What `condition` returns once that is true; fails after so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {within} s")


def wait_for_reboot(rack: Rack, node: str = "lb1") -> None:
    """Wait until a director is back and has what it keeps for its boot."""
    time.sleep(3)
    is_active = ["systemctl", "is-active", "evenkeel-ipvs.service"]

    def is_back() -> bool:
        return rack.run(node, is_active, check=False).stdout.strip() == "active"

    eventually(is_back, within=180)


def configure(console: RunningConsole, director: int, **values: Any) -> dict[str, Any]:
    """Declare settings of a director's own and apply them; how it reads afterwards."""
    path = f"lvs/directors/{director}/settings/"
    changed = console.call("PATCH", path, values | {"apply": True})
    assert changed.status == 200, changed
    console.done(changed.body["operation"])
    found: dict[str, Any] = console.call("GET", path).body
    return found


def visits(rack: Rack, url: str, count: int, node: str = "client") -> list[tuple[str, str]]:
    """(real server, client's address as it sees it) of so many requests."""
    script = f"for i in $(seq {count}); do curl -s -m 5 '{url}' | tr '\\n' ' '; echo; done"
    text = rack.run(node, ["sh", "-c", script], timeout=60 + 6 * count).stdout
    words = [line.split() for line in text.splitlines()]
    return [(one[0], one[1]) for one in words if len(one) > 1]


def datagrams(rack: Rack, host: str, port: int, count: int) -> list[str]:
    """Who answered so many datagrams, each from a socket of its own."""
    script = (
        "import socket\n"
        f"for n in range({count}):\n"
        f" s = socket.socket(socket.{'AF_INET6' if ':' in host else 'AF_INET'},"
        " socket.SOCK_DGRAM)\n"
        f" s.settimeout(5); s.sendto(b'hello', ({host!r}, {port}))\n"
        " try: print(s.recv(100).decode().split()[0])\n"
        " except OSError as error: print(type(error).__name__)\n"
    )
    return rack.run("client", ["python3", "-c", script], timeout=60 + 6 * count).stdout.split()
