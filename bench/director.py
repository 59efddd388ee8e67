"""A console with a director of the rack, for the benchmarks of applying.

The peer's times are taken on the director itself, by its own clock, so that no SSH is in
them; ours are from the request of the API until the operation says that it succeeded.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.rack import Rack
from tests.lab.conftest import onboard
from tests.running_console import RunningConsole

SERVICES, SERVERS = 10_000, 4
_VIPS = 40

#: Declares SERVICES x SERVERS on the only director, in the database: what is measured is
#: applying, not declaring. Runs under `manage.py shell`.
_DECLARE = f"""
from lvs.models import *
director = Director.objects.get()
services = VirtualService.objects.bulk_create([
    VirtualService(director=director, name=f"s{{n}}", vip=f"10.10.1.{{n % {_VIPS} + 1}}",
                   port=1000 + n // {_VIPS}, scheduler="wlc")
    for n in range({SERVICES})])
RealServer.objects.bulk_create([
    RealServer(virtual_service=service, rip=f"10.20.{{n // 200 % 200}}.{{10 + m}}", port=80)
    for n, service in enumerate(services) for m in range({SERVERS})], batch_size=5000)
print(len(services))
"""
#: Back to before the first apply, on the console's side.
_FORGET = """
from lvs.models import *
VirtualService.objects.update(applied_generation=0, provisioning_status="pending")
Director.objects.update(saved_digest="", table_digest="", observed_whole_at=None, table_size=0,
                        observed_table=None, drift_count=0)
"""


class Bench:
    """The pair under measurement."""

    def __init__(self, rack: Rack, console: RunningConsole, director: int) -> None:
        self.rack, self.console, self.director = rack, console, director

    def declare(self) -> None:
        """The whole table, declared and not applied."""
        self.console.manage("shell", "-v", "0", "-c", _DECLARE)

    def forget(self) -> None:
        """A director as it booted, and a console that has applied nothing.

        Clearing the table would not do: the kernel keeps removed real servers for two
        minutes, and walks all of them for each one that is added.
        """
        self.rack.reset()
        self.console.manage("shell", "-v", "0", "-c", _FORGET)
        begun = self.console.call("POST", f"lvs/directors/{self.director}/observe/")
        self.console.done(begun.headers["location"])

    def lines(self) -> str:
        """The lines that the console would run, as a file for `ipvsadm -R`."""
        text = self.console.manage(
            "shell", "-v", "0", "-c",
            "from lvs.models import *; from lvs import declared; from lvs.ipvsadm import planner;"
            "table = declared.desired_table(VirtualService.objects.all());"
            "print(planner.rules_text(table), end='')",
        )  # fmt: skip
        assert text.count("\n") == SERVICES * (SERVERS + 1), text[:500]
        return text

    def typed(self, command: str) -> float:
        """Seconds that a command typed on the director takes, by the director's clock."""
        script = f"TIMEFORMAT=%R; time {{ {command}; }} > /dev/null 2>&1"
        said = self.rack.run("lb1", ["bash", "-c", script], timeout=600).stderr
        return float(said.strip().splitlines()[-1].replace(",", "."))

    def apply(self, body: dict[str, object] | None = None) -> float:
        """Seconds from the request to apply until its operation has succeeded."""
        began = time.perf_counter()
        begun = self.console.call("POST", f"lvs/directors/{self.director}/apply/", body or {})
        assert begun.status == 202, begun
        self._finished(begun.headers["location"])
        return time.perf_counter() - began

    def set_weight(self, server: int, weight: int) -> float:
        """Seconds from the change of one weight until it was seen in place."""
        began = time.perf_counter()
        changed = self.console.call(
            "PATCH", f"lvs/real-servers/{server}/", {"weight": weight, "apply": True}
        )
        assert changed.status == 200, changed
        self._finished(changed.body["operation"])
        return time.perf_counter() - began

    def _finished(self, operation: str) -> None:
        ended = self.console.done(operation, timeout=900)
        for step in ended.get("steps", []):
            print(f"    {step['seconds']:7.2f} s  {step['title']}", flush=True)


@contextmanager
def bench_on_rack() -> Iterator[Bench]:
    """A fresh rack, a console that does not poll meanwhile, lb1 as its only director."""
    rack = Rack(int(os.environ.get("EVENKEEL_TEST_RACK", "0")))
    if not rack.up():
        rack.reset()
    console = RunningConsole(EVENKEEL_POLL_INTERVAL="100000")
    console.start()
    try:
        onboard(console, rack, ("lb1",))
        host = console.call("GET", "hosts/?q=lb1").body["results"][0]
        made = console.call("POST", "lvs/directors/", {"host": host["id"], "vip_interface": "pub0"})
        assert made.status == 201, json.dumps(made.body)
        console.done(made.body["operation"])
        yield Bench(rack, console, made.body["id"])
    finally:
        console.stop()
        rack.reset()
