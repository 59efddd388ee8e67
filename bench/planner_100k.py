"""CPU seconds to plan 100,000 real servers in memory, in 10,000 services.

Three cases: everything to build, one weight changed, every weight changed. Each is
measured five times; the published figure is the slowest case's median, against the goal
of one second. Beside them stands the floor: one plain `==` of the two tables, which is
what merely looking at every value costs.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench.common import write_result
from console.planning import Plan
from lvs.ipvsadm.planner import plan
from lvs.ipvsadm.types import Destination, Service, ServiceKey, VirtualEntry, table_of

SERVICES = 10_000
SERVERS = 10
RUNS = 5
GOAL = 1.0

Tables = dict[ServiceKey, VirtualEntry]


def build(weight: int) -> Tables:
    """A table with values of its own: no object is shared with another table's."""
    entries = []
    for number in range(SERVICES):
        key = ServiceKey.of("tcp", f"10.64.{number >> 8}.{number & 255}", 80)
        servers = []
        for place in range(SERVERS):
            host = number * SERVERS + place
            address = f"10.{128 + (host >> 16)}.{host >> 8 & 255}.{host & 255}"
            servers.append(Destination.of(key, address, 8080, "masq", weight=weight))
        entries.append(VirtualEntry.of(Service.of(key, "wrr"), servers))
    return table_of(entries)


def with_one_change(table: Tables) -> Tables:
    """The same table, but for the weight of one real server in the middle."""
    key = list(table)[SERVICES // 2]
    service, servers = table[key]
    server = next(iter(servers.values()))
    edited = {**servers, server.key: server._replace(weight=server.weight + 1)}
    return {**table, key: VirtualEntry(service, edited)}


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call, after the garbage of others is collected."""
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def line_count(planned: Plan) -> int:
    return sum(len(step.lines) for step in planned)


def main() -> None:
    """Measure, check what was planned, and write the result."""
    desired, observed, heavier = build(1), build(1), build(2)
    changed = with_one_change(desired)
    owned = frozenset(desired)
    nothing: Tables = {}
    cases: list[tuple[str, Tables, Tables, int]] = [
        ("everything to build", desired, nothing, SERVICES * (SERVERS + 1)),
        ("one weight changed", changed, observed, 1),
        ("every weight changed", heavier, observed, SERVICES * SERVERS),
    ]
    samples: list[dict[str, Any]] = []
    for name, wanted, present, lines in cases:
        planned = plan(wanted, present, owned)
        if line_count(planned) != lines:
            raise SystemExit(f"{name}: {line_count(planned)} lines instead of {lines}")
        del planned
        runs = [cpu_seconds(lambda: plan(wanted, present, owned)) for _ in range(RUNS)]  # noqa: B023
        samples.append({"case": name, "lines": lines, "median": median(runs), "runs": runs})
    floor = [cpu_seconds(lambda: desired == observed) for _ in range(RUNS)]
    slowest = max(sample["median"] for sample in samples)
    samples.append({"case": "floor: ==", "lines": 0, "median": median(floor), "runs": floor})
    write_result(
        name="planner_100k",
        what=f"plan {SERVICES} services x {SERVERS} real servers, the slowest of three cases",
        ours=round(slowest, 3),
        against=GOAL,
        ratio=round(slowest / GOAL, 3),
        goal="< 1 s of CPU",
        unit="s of CPU",
        samples=samples,
    )


if __name__ == "__main__":
    main()
