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
    """Take a service away again, and see that it is gone."""
    path = f"lvs/virtual-services/{service['id']}/"
    answer = console.call("DELETE", path, {"confirm": service["name"]})
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
