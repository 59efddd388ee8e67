"""What is known around a service, from the database alone: the rules of topology judge it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from console.models import Host
from console.planning import Problem
from lvs import cascades, declared
from lvs.director.types import Surroundings
from lvs.models import Director, RealServer, VirtualService
from lvs.topology import reading
from lvs.topology.facts import LOOPBACK, Holder, Machine, Method, Network, Server, Situation
from lvs.topology.problems import certain_problems, topology_problems, vip_problems

#: A machine's last look counts as recent for so many poll intervals.
_RECENT_POLLS = 3
#: Real servers without a chosen machine that are sought among the hosts.
_SOUGHT = 50


def problems_of(service: VirtualService, servers: Iterable[RealServer]) -> list[Problem]:
    """Reasons of topology why a service would not work, as of what was last seen."""
    return list(topology_problems(situation_of(service, servers)))


def situation_of(service: VirtualService, servers: Iterable[RealServer]) -> Situation:
    """A service and its surroundings. The rows need not be saved yet."""
    director = service.director
    rows = list(servers)
    fronts = cascades.fronts_of(service)
    seen = director_machine(director)
    counts = director.counts_of(declared.key_of(service)) if service.pk else {}
    machines = _machines(rows)
    return Situation(
        vip=service.vip,
        port=service.port,
        servers=tuple(_server(service, row, machines, counts.get(row.address)) for row in rows),
        director=seen,
        own_addresses=own_addresses(director, seen, service.vip),
        is_vip_managed=service.is_vip_managed,
        is_by_mark=service.matching == VirtualService.Matching.MARK,
        is_persistent=service.persistence_timeout is not None,
        local_addresses=tuple(director.local_addresses),
        clients=client_networks(director, service.vip),
        holders=tuple(_holders(service, [front.director_id for front in fronts])),
        is_second_tier=bool(fronts),
    )


def blocking(
    director: Director, services: Collection[VirtualService] | None = None
) -> list[Problem]:
    """What refuses an apply of these services, or of all: certain from what was last seen,
    and only about those that have changed since they were applied.

    Few queries, whatever their number.
    """
    pending = director.virtual_services.declared().exclude(generation=F("applied_generation"))
    if services is not None:
        pending = pending.filter(pk__in=[service.pk for service in services])
    asked = (
        RealServer.objects.filter(virtual_service__in=pending)
        .order_by("rip", "port")
        .values_list("rip", "port", "forwarding", "virtual_service__forwarding")
        .distinct()
    )
    found = {
        (rip, own or of_service): Server(rip, port, Method(own or of_service))
        for rip, port, own, of_service in asked.iterator(chunk_size=5000)
    }
    seen = director_machine(director)
    around = Situation("", 0, tuple(found.values()), seen, own_addresses(director, seen))
    return [
        *(one for one in certain_problems(around) if one.is_blocking),
        *_blocking_holders(director, pending, services),
    ]


def _blocking_holders(
    director: Director, pending: Any, services: Collection[VirtualService] | None
) -> Iterator[Problem]:
    """VIPs that another director has now; sought for a few services only."""
    if services is None or len(services) > _SOUGHT:
        return
    for service in pending.filter(is_vip_managed=True):
        service.director = director
        fronts = [front.director_id for front in cascades.fronts_of(service)]
        holders = tuple(_holders(service, fronts))
        yield from (
            problem
            for problem in vip_problems(Situation(service.vip, service.port, holders=holders))
            if problem.is_blocking
        )


def director_machine(director: Director) -> Machine:
    """A director as it was last seen."""
    surroundings = Surroundings.from_json(director.observed_facts)
    return reading.machine_of_look(director.host.name, surroundings)


def own_addresses(director: Director, seen: Machine, *vips: str) -> frozenset[str]:
    """The director's own addresses, without those that are VIPs of its services."""
    held = [str(one.ip) for every in seen.addresses.values() for one in every]
    taken = director.virtual_services.filter(vip__in=held).values_list("vip", flat=True)
    return reading.own_addresses(seen, {*taken, *vips})


def client_networks(director: Director, vip: str) -> tuple[Network, ...]:
    """Where clients are, as far as the client for proofs tells."""
    host = director.probe_host
    if host is None:
        return ()
    return reading.networks_of_client(
        reading.machine_of_preflight(host.name, host.preflight.get("facts", {})), vip
    )


def _machines(rows: Sequence[RealServer]) -> dict[str, Machine]:
    """The machines of real servers by address, as their preflights found them: the chosen
    ones, and those of the console's hosts that have the address."""
    chosen = {row.host_id: row.rip for row in rows if row.host_id is not None}
    sought = [row.rip for row in rows if row.host_id is None][:_SOUGHT]
    if not chosen and not sought:
        return {}
    asked = Q(pk__in=chosen)
    for rip in sought:
        asked |= Q(text__contains=f'"{rip}"')
    found: dict[str, Machine] = {}
    hosts = Host.objects.annotate(text=Cast("preflight", TextField())).filter(asked)
    for pk, name, preflight in hosts.values_list("pk", "name", "preflight"):
        machine = reading.machine_of_preflight(name, preflight.get("facts", {}))
        if machine is None:
            continue
        if pk in chosen:
            found[chosen[pk]] = machine
        found |= {rip: machine for rip in sought if _has_near(machine, rip)}
    return found


def _has_near(machine: Machine, rip: str) -> bool:
    return any(name != LOOPBACK for name in machine.interfaces_of(rip))


def _server(
    service: VirtualService,
    row: RealServer,
    machines: dict[str, Machine],
    connections: list[int] | None,
) -> Server:
    tunnel = row if row.forwarding else service
    return Server(
        row.rip,
        row.port,
        Method(row.forwarding or service.forwarding),
        row.weight,
        row.upper_threshold,
        tunnel.tunnel_type,
        tunnel.tunnel_checksum,
        machines.get(row.rip),
        row.host_id is not None,
        sum(connections) if connections is not None else None,
    )


def _holders(service: VirtualService, fronts: Collection[int] = ()) -> Iterator[Holder]:
    """Other machines that were seen with the VIP, without the directors of its fronts. Real
    servers may have it on loopback."""
    recently = timezone.now() - timedelta(seconds=_RECENT_POLLS * settings.POLL_INTERVAL)
    quoted = f'"{service.vip}'
    other = Director.objects.exclude(pk__in=[service.director_id, *fronts]).select_related("host")
    looked = other.annotate(text=Cast("observed_facts", TextField())).filter(text__contains=quoted)
    named = {
        service.director.host_id,
        *Director.objects.filter(pk__in=fronts).values_list("host_id", flat=True),
    }
    for director in looked.defer("observed_table", "observed_counts"):
        machine = director_machine(director)
        named.add(director.host_id)
        for interface in machine.interfaces_of(service.vip):
            is_recent = director.observed_at is not None and director.observed_at > recently
            yield Holder(director.host.name, interface, is_recent)
    preflighted = Host.objects.exclude(pk__in=named).annotate(text=Cast("preflight", TextField()))
    for host in preflighted.filter(text__contains=f'{quoted}"').only("name", "preflight"):
        found = reading.machine_of_preflight(host.name, host.preflight.get("facts", {}))
        for interface in found.interfaces_of(service.vip) if found else ():
            yield Holder(host.name, interface)
