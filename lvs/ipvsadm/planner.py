"""Compares the table that should be with the table that is, and says the difference in lines.

The plan is one batch for one `ipvsadm -R`: one process and one round trip, whatever
its length. Its rules, each of which has a test:

* never `-C`: it takes the kernel's hooks away while the table is rebuilt, and clients
  get refused meanwhile;
* an edit says everything (`-E` and `-e` reset what they do not say), a threshold that
  goes is written as 0;
* everything is added and edited before anything is taken away, and real servers go
  before their service, each by its own line, so that the lines alone can be undone;
* what is neither desired nor owned is not touched.

`ipvsadm -R` goes on after an error of the kernel and exits with the status of its last
line, so the exit code proves nothing: read the table again and plan again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from console.planning import Effect, Line, Plan, Step
from console.planning import mark as _

from .render import (
    delete_service_line,
    destination_options,
    render_table,
    service_options,
    service_words,
)
from .types import DestinationKey, ServiceKey, Table, VirtualEntry, endpoint

ARGV = ("ipvsadm", "-R")

#: Seconds that a batch may take: a start, and for each line more than ten times what
#: a director under software emulation needed (0.8 ms).
BASE_TIMEOUT = 30.0
TIMEOUT_PER_LINE = 0.01


class Summary(NamedTuple):
    """How many services and real servers a plan adds, changes and removes."""

    services_added: int = 0
    services_changed: int = 0
    services_removed: int = 0
    servers_added: int = 0
    servers_changed: int = 0
    servers_removed: int = 0

    @property
    def added(self) -> int:
        return self.services_added + self.servers_added

    @property
    def changed(self) -> int:
        return self.services_changed + self.servers_changed

    @property
    def removed(self) -> int:
        return self.services_removed + self.servers_removed


def plan(desired: Table, observed: Table, owned: Collection[ServiceKey]) -> Plan:
    """The plan that turns `observed` into `desired`; empty when they agree.

    `owned` are the keys that are ours: those that are not desired any more are
    removed. A desired key is taken as ours even when `owned` does not name it (see
    `pools.unmanaged_conflicts` for asking first). A real server that stands in
    one of our services without being declared is drift, and is removed. Everything
    else is `unmanaged` and left alone.
    """
    return batch(plan_lines(desired, observed, owned))


def batch(lines: Iterable[Line], title: str = _("Change the IPVS table")) -> Plan:
    """The lines as a plan of one step, or the empty plan."""
    together = tuple(lines)
    if not together:
        return Plan()
    step = Step(
        title=title,
        argv=ARGV,
        lines=together,
        is_destructive=any(line.effect is Effect.REMOVE for line in together),
        timeout=BASE_TIMEOUT + TIMEOUT_PER_LINE * len(together),
    )
    return Plan((step,))


def plan_lines(desired: Table, observed: Table, owned: Collection[ServiceKey]) -> list[Line]:
    """The lines of `plan`, in the order in which they run."""
    building: list[Line] = []
    removing: list[Line] = []
    for key, entry in desired.items():
        present = observed.get(key)
        if present is None:
            _add(entry, building)
        elif present != entry:
            _change(entry, present, building, removing)
    ours = owned if isinstance(owned, AbstractSet) else frozenset(owned)
    leaving = [key for key in observed if key in ours and key not in desired]
    for key in leaving:
        _remove_servers(observed[key], observed[key].destinations, removing)
    removing.extend(
        Line(
            delete_service_line(key),
            Effect.REMOVE,
            f"-A {service_words(key)} {service_options(observed[key].service)}",
        )
        for key in leaving
    )
    return building + removing


def unmanaged(observed: Table, owned: Collection[ServiceKey]) -> tuple[VirtualEntry, ...]:
    """The services that are there and not ours, in the order of `observed`."""
    ours = owned if isinstance(owned, AbstractSet) else frozenset(owned)
    return tuple(entry for key, entry in observed.items() if key not in ours)


def inverse(done: Plan) -> Plan:
    """The plan that undoes `done`, which must have run whole.

    After a run that broke off, plan afresh from what is observed instead.
    """
    undo = [_undo(line) for step in reversed(done.steps) for line in reversed(step.lines)]
    undo.sort(key=lambda line: line.effect is Effect.REMOVE)
    return batch(undo, "Undo the change of the IPVS table")


def summary(planned: Plan) -> Summary:
    """What a plan comes to, in numbers."""
    counts = dict.fromkeys("AEDaed", 0)
    for step in planned.steps:
        for line in step.lines:
            counts[line.text[1]] += 1
    return Summary(*(counts[command] for command in "AEDaed"))


def entry_count(table: Table) -> int:
    """How many services and real servers a table has together."""
    return len(table) + sum(len(entry.destinations) for entry in table.values())


def exceeds_removal_cap(
    planned: Plan, present: int, *, share: float = 0.5, at_least: int = 10
) -> bool:
    """Whether a plan removes more than one pass may, without a person asking for it.

    `present` is how many of our services and real servers are there now (see
    `entry_count`). A pass may always remove `at_least` of them, and otherwise up
    to the `share`.
    """
    return planned.removals > max(at_least, present * share)


def rules_text(table: Table) -> str:
    """A saved rules file, for `ipvsadm -R` at boot."""
    return "".join(f"{line}\n" for line in render_table(table))


def _add(entry: VirtualEntry, lines: list[Line]) -> None:
    service, destinations = entry
    name = service_words(service.key)
    lines.append(Line(f"-A {name} {service_options(service)}", Effect.ADD))
    prefix = f"-a {name} -r "
    lines.extend(
        Line(f"{prefix}{endpoint(*key)}{destination_options(destination, False)}", Effect.ADD)
        for key, destination in destinations.items()
    )


def _change(
    entry: VirtualEntry, present: VirtualEntry, building: list[Line], removing: list[Line]
) -> None:
    """The lines for a service that is there, but differs."""
    service, wanted = entry
    there = present.destinations
    name = service_words(service.key)
    if service != present.service:
        building.append(
            Line(
                f"-E {name} {service_options(service)}",
                Effect.CHANGE,
                f"-E {name} {service_options(present.service)}",
            )
        )
    if wanted == there:
        return
    edits: list[Line] = []
    for key, destination in wanted.items():
        was = there.get(key)
        if was == destination:
            continue
        server = f"{name} -r {endpoint(*key)}"
        if was is None:
            text = f"-a {server}{destination_options(destination, False)}"
            building.append(Line(text, Effect.ADD))
            continue
        limited = bool(
            was.upper_threshold
            or was.lower_threshold
            or destination.upper_threshold
            or destination.lower_threshold
        )
        edits.append(
            Line(
                f"-e {server}{destination_options(destination, limited)}",
                Effect.CHANGE,
                f"-e {server}{destination_options(was, limited)}",
            )
        )
    building.extend(edits)
    _remove_servers(present, (key for key in there if key not in wanted), removing)


def _remove_servers(entry: VirtualEntry, keys: Iterable[DestinationKey], lines: list[Line]) -> None:
    name = service_words(entry.service.key)
    for key in keys:
        server = f"{name} -r {endpoint(*key)}"
        was = entry.destinations[key]
        lines.append(
            Line(
                f"-d {server}",
                Effect.REMOVE,
                f"-a {server}{destination_options(was, False)}",
            )
        )


def _undo(line: Line) -> Line:
    """The line that undoes one line."""
    if line.effect is Effect.CHANGE:
        return Line(line.before, Effect.CHANGE, line.text)
    if line.effect is Effect.REMOVE:
        return Line(line.before, Effect.ADD)
    command, rest = line.text[:2], line.text[3:]
    if command == "-A":
        return Line(f"-D {rest[: rest.index(' -s ')]}", Effect.REMOVE, line.text)
    words = rest.split()
    server = words.index("-r") + 2
    return Line(f"-d {' '.join(words[:server])}", Effect.REMOVE, line.text)
