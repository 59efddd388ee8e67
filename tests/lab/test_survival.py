"""What dies in the middle is taken up again: real workers, a real broker, a real director."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.conftest import onboard
from tests.lab.services import declare, eventually, remove, table
from tests.running_console import RunningConsole

_MANY = 1200


@pytest.fixture(scope="module")
def frail(rack: Rack) -> Iterator[RunningConsole]:
    """A console of its own, on lb2, that takes up quickly what was left."""
    running = RunningConsole(
        EVENKEEL_HEARTBEAT_INTERVAL="1",
        EVENKEEL_HEARTBEAT_STALE_AFTER="5",
        EVENKEEL_RESEND_AFTER="3",
        EVENKEEL_SWEEP_INTERVAL="1",
    )
    running.start()
    try:
        onboard(running, rack, ("lb2",))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def lb2(frail: RunningConsole) -> int:
    host = frail.call("GET", "hosts/?q=lb2").body["results"][0]
    made = frail.call("POST", "lvs/directors/", {"host": host["id"], "vip_interface": "pub0"})
    frail.done(made.body["operation"])
    number: int = made.body["id"]
    return number


def _crowd() -> list[dict[str, Any]]:
    return [{"rip": f"10.20.{100 + n // 200}.{n % 200 + 1}", "port": 80} for n in range(_MANY)]


def test_a_worker_killed_in_the_middle_is_followed_by_another_that_converges(
    frail: RunningConsole, rack: Rack, lb2: int
) -> None:
    service = declare(frail, lb2, name="crowd", vip="10.10.0.70", real_servers=_crowd())
    begun = frail.call("POST", f"lvs/directors/{lb2}/apply/", {})
    assert begun.status == 202
    path = begun.headers["location"]
    eventually(lambda: _is_changing(frail, path), within=60)
    os.kill(frail.pid_of("worker"), signal.SIGKILL)
    operation = frail.done(path)
    assert operation["attempt"] >= 2
    assert sum(line.startswith("-a -t 10.10.0.70:80") for line in table(rack, "lb2")) == _MANY
    remove(frail, service)


def _is_changing(console: RunningConsole, path: str) -> bool:
    """Whether the batch is running on the director right now."""
    steps = console.call("GET", path).body["steps"]
    return any(step["status"] == "running" and step["stdin_bytes"] > 10_000 for step in steps)


def test_an_emptied_broker_loses_nothing(frail: RunningConsole, rack: Rack, lb2: int) -> None:
    worker = frail.pid_of("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        service = frail.call(
            "POST",
            "lvs/virtual-services/",
            {"director": lb2, "name": "kept", "vip": "10.10.0.71", "port": 80, "apply": True,
             "real_servers": [{"rip": "10.20.0.11", "port": 80}]},
        ).body  # fmt: skip
        _redis(frail, "FLUSHALL")
    finally:
        os.kill(worker, signal.SIGCONT)
    frail.done(service["operation"])
    assert "-A -t 10.10.0.71:80 -s wlc" in table(rack, "lb2")
    remove(frail, service)


def test_a_killed_broker_comes_back_and_work_goes_on(
    frail: RunningConsole, rack: Rack, lb2: int
) -> None:
    os.kill(frail.pid_of("redis-server"), signal.SIGKILL)
    service = declare(
        frail,
        lb2,
        name="through",
        vip="10.10.0.72",
        apply=True,
        real_servers=[{"rip": "10.20.0.11", "port": 80}],
    )
    assert "-A -t 10.10.0.72:80 -s rr" in table(rack, "lb2")
    remove(frail, service)


def test_cancel_between_steps_leaves_the_operation_cancelled_and_the_next_one_converges(
    frail: RunningConsole, rack: Rack, lb2: int
) -> None:
    service = declare(frail, lb2, name="stopped", vip="10.10.0.73", real_servers=_crowd())
    path = frail.call("POST", f"lvs/directors/{lb2}/apply/", {}).headers["location"]
    eventually(lambda: frail.call("GET", path).body["status"] == "running", within=30)
    assert frail.call("POST", f"{path}cancel/").status in (200, 202)
    assert frail.ended(path)["status"] == "cancelled"
    again = frail.call("POST", f"lvs/directors/{lb2}/apply/", {})
    frail.done(again.headers["location"])
    assert sum(line.startswith("-a -t 10.10.0.73:80") for line in table(rack, "lb2")) == _MANY
    remove(frail, service)


def test_two_requests_at_once_one_operation_the_other_is_told_which(
    frail: RunningConsole, rack: Rack, lb2: int
) -> None:
    service = declare(frail, lb2, name="busy", vip="10.10.0.74", real_servers=_crowd())
    first = frail.call("POST", f"lvs/directors/{lb2}/apply/", {})
    second = frail.call("POST", f"lvs/directors/{lb2}/apply/", {})
    assert (first.status, second.status) == (202, 409)
    assert second.body["code"] == "busy"
    assert str(first.body["id"]) in second.body["detail"]
    frail.done(first.headers["location"])
    remove(frail, service)


def _redis(console: RunningConsole, *words: str) -> None:
    socket = console.directory / "state" / "run" / "redis.sock"
    code = (
        "import redis, sys;"
        f"redis.Redis(unix_socket_path={str(socket)!r}).execute_command(*sys.argv[1:])"
    )
    subprocess.run([sys.executable, "-c", code, *words], check=True)
