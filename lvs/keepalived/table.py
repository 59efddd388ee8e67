"""The table that keepalived would make of a configuration while every check is green."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from console.planning import Problem
from console.planning import mark as _
from lvs.ipvsadm.types import (
    DEFAULT_PERSISTENCE,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Service,
    ServiceKey,
    VirtualEntry,
)
from lvs.keepalived.types import Configuration, Group, Mark, Range, Server, VirtualServer

#: Services that one file may make of its groups and ranges.
MAX_SERVICES = 50_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a service of the table comes from."""

    server: VirtualServer
    group: Group | None = None

    @property
    def comment(self) -> str:
        """What its author wrote above it."""
        return self.server.comment or (self.group.comment if self.group else "")

    @property
    def sorry(self) -> DestinationKey | None:
        """Its sorry server."""
        one = self.server.sorry
        return DestinationKey(str(ip_address(one.address)), one.port) if one else None


@dataclass(slots=True)
class Expressed:
    """The table, where each service of it comes from, and what has no place in a table."""

    table: dict[ServiceKey, VirtualEntry] = field(default_factory=dict)
    origins: dict[ServiceKey, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def table_of(configuration: Configuration) -> Expressed:
    """Every virtual server, one service for each address of its group."""
    made = Expressed()
    for server in configuration.servers:
        group = None
        if isinstance(server.target, str):
            group = configuration.group(server.target)
            if group is None:
                made.problems.append(_no_group(server))
                continue
        for key in _keys(server, group):
            if len(made.table) >= MAX_SERVICES:
                made.problems.append(_too_many(server))
                return made
            _express(made, key, Origin(server, group))
    return made


def _express(made: Expressed, key: ServiceKey, origin: Origin) -> None:
    server = origin.server
    try:
        entry = _entry(key, server)
    except ValueError as error:
        made.problems.append(
            Problem(
                "keepalived-no-service",
                str(key),
                _("%(service)s, line %(line)s, would be refused: %(why)s"),
                _("Mend it in the file, or declare it by hand."),
                {"service": str(key), "line": server.line, "why": str(error)},
            )
        )
        return
    if made.table.setdefault(key, entry) is not entry:
        made.problems.append(
            Problem(
                "keepalived-twice",
                str(key),
                _("%(service)s is there twice, again in line %(line)s: the first one counts."),
                _("Compare the two, and keep what is meant."),
                {"service": str(key), "line": server.line},
            )
        )
        return
    made.origins[key] = origin


def _keys(server: VirtualServer, group: Group | None) -> Iterator[ServiceKey]:
    targets: tuple[Range | Mark, ...]
    if group is None:
        targets = () if isinstance(server.target, str) else (server.target,)
    else:
        targets = group.ranges + group.marks
    #: "If the protocol is 0, the kernel defaults to UDP", and so does keepalived.
    protocol = server.protocol or "udp"
    for target in targets:
        if isinstance(target, Mark):
            yield ServiceKey.of_mark(target.number, target.family or _family(server))
            continue
        first, last = ip_address(target.first), ip_address(target.last)
        for number in range(int(first), int(last) + 1):
            yield ServiceKey.of(protocol, type(first)(number), target.port)


def _family(server: VirtualServer) -> int:
    """Of a mark: as it says, else that of its real servers, else IPv4."""
    if server.family:
        return server.family
    families = {ip_address(one.address).version for one in server.servers}
    return 6 if families == {6} else 4


def _entry(key: ServiceKey, server: VirtualServer) -> VirtualEntry:
    persistence = server.persistence
    if persistence is None and (server.granularity or (not key.fwmark and not key.port)):
        persistence = DEFAULT_PERSISTENCE
    service = Service.of(
        key,
        server.scheduler or "wlc",
        sched_flags=server.flags,
        persistence=persistence,
        netmask=server.granularity,
        pe=server.engine,
        one_packet=server.one_packet and key.protocol in ("udp", "fwmark"),
    )
    return VirtualEntry.of(service, [_destination(key, server, one) for one in server.servers])


def _destination(key: ServiceKey, server: VirtualServer, one: Server) -> Destination:
    """As keepalived adds it: its own method, else the service's, else NAT."""
    method, tunnel = one.method, one.tunnel
    if method is None:
        method, tunnel = server.method or ForwardingMethod.MASQ, server.tunnel
    port = one.port
    if key.fwmark and method is not ForwardingMethod.MASQ:
        port = 0
    elif not port and not key.fwmark:
        port = key.port
    return Destination.of(
        key,
        one.address,
        port,
        method,
        weight=server.weight if one.weight is None else one.weight,
        upper_threshold=one.upper_threshold,
        lower_threshold=one.lower_threshold,
        tunnel=tunnel,
    )


def _no_group(server: VirtualServer) -> Problem:
    return Problem(
        "keepalived-no-group",
        str(server.target),
        _("Line %(line)s speaks of the group %(group)s, which is not there."),
        _("Add the group, or the file that has it."),
        {"line": server.line, "group": str(server.target)},
    )


def _too_many(server: VirtualServer) -> Problem:
    return Problem(
        "keepalived-too-many",
        f"line {server.line}",
        _("The file makes more than %(count)s services; those from line %(line)s on are left out."),
        _("Use firewall marks for large ranges of addresses."),
        {"count": MAX_SERVICES, "line": server.line},
    )
