"""What would be done, and what was seen, from the database alone: no machine is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from console.planning import Plan, Problem
from lvs import declared, matching, needed, situations
from lvs.director import planner as around
from lvs.director.types import Surroundings
from lvs.ipvsadm import planner, pools, problems, render
from lvs.ipvsadm.parse import parse_save
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.ipvsadm.types import (
    Connections,
    Destination,
    DestinationKey,
    Protocol,
    ServiceKey,
    Table,
    VirtualEntry,
)
from lvs.models import Director, VirtualService


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """A service in the kernel's table that nobody has declared here."""

    key: str
    entry: VirtualEntry
    can_adopt: bool
    reason: str

    @property
    def lines(self) -> list[str]:
        """The entry as `ipvsadm -R` would read it."""
        return render.render_table({self.entry.service.key: self.entry})

    @property
    def protocol(self) -> str:
        return self.entry.service.key.protocol.value

    @property
    def address(self) -> str:
        return str(self.entry.service.key)

    @property
    def real_servers(self) -> int:
        return len(self.entry.destinations)


def observed_table(director: Director) -> Table:
    """The whole table as it was last seen."""
    return _table_of(director.observed_lines)


def planned_changes(
    director: Director, *, services: Iterable[VirtualService] | None = None
) -> Plan:
    """What Apply would run now, from the last observation: for all services or for some."""
    rows = director.virtual_services.all()
    if services is not None:
        rows = rows.filter(pk__in=[service.pk for service in services])
    owned = declared.owned_keys(rows)
    observed = _observed_of(director, owned) if services is not None else observed_table(director)
    wanted = declared.wanted_around(director, rows)
    surroundings = Surroundings.from_json(director.observed_facts)
    preparing, withdrawing = needed.planned_preparation(rows.values_list("pk", flat=True))
    return (
        preparing
        + around.plan_before(wanted, surroundings)
        + planner.plan(declared.desired_table(rows), observed, owned)
        + around.plan_after(wanted, surroundings)
        + withdrawing
    )


def unmanaged(director: Director) -> list[Unmanaged]:
    """The entries that are there and not ours."""
    owned = declared.owned_keys(director.virtual_services.all())
    return [_unmanaged(entry) for entry in planner.unmanaged(observed_table(director), owned)]


def find_unmanaged(director: Director, key: str) -> Unmanaged:
    """The unmanaged entry under a key like "tcp:10.0.0.1:80", or 404."""
    for entry in unmanaged(director):
        if entry.key == key:
            return entry
    raise Http404


def advice(service: VirtualService) -> list[Problem]:
    """Reasons why a service may not work, each with its remedy."""
    director = service.director
    surroundings = Surroundings.from_json(director.observed_facts)
    entry = declared.entry_of(service, service.real_servers.all())
    servers = list(entry.destinations.values())
    schedulers = kernel_schedulers(director) or SCHEDULERS.keys()
    protocols = matching.protocols_of(service, service.addresses.all())
    return [
        *around.problems(declared.wanted_around(director), surroundings),
        *problems.service_problems(entry.service, schedulers, protocols=protocols),
        *pools.pool_problems(entry.service, servers, _connections(service, servers)),
        *situations.problems_of(service, service.real_servers.all()),
    ]


def _connections(
    service: VirtualService, servers: Iterable[Destination]
) -> dict[DestinationKey, Connections]:
    """The connections that each real server held when the table was last read whole."""
    counts = service.director.counts_of(declared.key_of(service)) if service.pk else {}
    return {one.key: Connections(*found) for one in servers if (found := counts.get(str(one.key)))}


def kernel_schedulers(director: Director) -> frozenset[str] | None:
    """The schedulers that the director's kernel has, or None before a preflight."""
    names = director.host.preflight.get("facts", {}).get("ipvs", {}).get("schedulers")
    return frozenset(names) if names else None


def live(service: VirtualService) -> dict[str, Any]:
    """What was last seen of a service: presence, and weight and connections by real server."""
    key = declared.key_of(service)
    standby = declared.key_of(service, service.standby_pool)
    table = _observed_of(service.director, {key, standby})
    servers = {}
    for one in (standby, key):  # what both sets have is shown as the live one has it
        counts = service.director.counts_of(one) if one in table else {}
        for server in table[one].destinations.values() if one in table else ():
            active, inactive = counts.get(str(server.key), (None, None))
            servers[str(server.key)] = {
                "is_present": True,
                "weight": server.weight,
                "active": active,
                "inactive": inactive,
            }
    return {
        "is_present": key in table,
        "observed_at": service.director.observed_at,
        "counts_at": service.director.observed_whole_at,
        "real_servers": servers,
    }


def _observed_of(director: Director, keys: Iterable[ServiceKey]) -> Table:
    """The part of the last observation under `keys`, without reading the rest."""
    starts = tuple(
        f"{command} {render.service_words(key)} " for key in keys for command in ("-A", "-a")
    )
    return _table_of([line for line in director.observed_lines if line.startswith(starts)])


def _table_of(lines: list[str]) -> Table:
    return parse_save("".join(f"{line}\n" for line in lines))


def _unmanaged(entry: VirtualEntry) -> Unmanaged:
    reason = ""
    service = entry.service
    if service.key.fwmark:
        reason = _(
            "Rules that somebody else wrote give packets this firewall mark: the console cannot"
            " say which packets it takes. Declare a service matched by firewall mark in its place."
        )
    elif service.pe and service.key.protocol != Protocol.UDP:
        reason = _(
            "It has a persistence engine that reads UDP packets only: the kernel drops its others."
        )
    elif service.pe not in ("", "sip"):
        reason = _("Its persistence engine is not known here.")
    elif any(pools.one_packet_problems(service, entry.destinations.values())):
        reason = _("It combines one-packet scheduling and NAT, which cannot be declared here.")
    return Unmanaged(declared.key_text(service.key), entry, not reason, reason)
