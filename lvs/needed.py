"""From declared rows to what machines need as real servers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db.models import F, QuerySet

from console.models import Host
from console.planning import Plan
from lvs.director.types import Surroundings
from lvs.models import Director, PreparedServer, RealServer, VirtualService
from lvs.models.virtual_services import Forwarding
from lvs.realserver import planner
from lvs.realserver.checks import gateway_for
from lvs.realserver.needs import Need
from lvs.realserver.sample import Seen
from lvs.realserver.wanted import wanted_items

#: What a need reads of its rows.
_SERVERS = RealServer.objects.select_related("virtual_service__director").prefetch_related(
    "virtual_service__addresses"
)


def needs_of(server: RealServer, vips: Collection[str] | None = None) -> list[Need]:
    """What the machine of one real server needs: one need for each VIP of its service. A
    director that is its own real server needs nothing.

    `vips` are those of the service's director, for who asks about many of its servers.
    """
    service = server.virtual_service
    director = service.director
    if server.host_id is not None and server.host_id == director.host_id:
        return []
    method = server.effective_forwarding
    tunnelled = server if server.forwarding else service
    is_tunnel = method == Forwarding.TUNNEL
    return [
        Need(
            service=service.pk,
            vip=vip,
            rip=server.rip,
            method=method,
            protocol=protocol,
            port=server.port,
            gateway=_gateway(director, server.rip, vips) if method == Forwarding.MASQ else "",
            tunnel=tunnelled.tunnel_type if is_tunnel else "",
            tunnel_port=tunnelled.tunnel_port if is_tunnel else 0,
            tunnel_checksum=tunnelled.tunnel_checksum if is_tunnel else "nocsum",
        )
        for vip, protocol in _packets(service)
    ]


def _packets(service: VirtualService) -> list[tuple[str, str]]:
    """The VIPs and protocols that a service takes, each once."""
    extra = service.addresses.all() if service.matching == "mark" else ()
    pairs = [(service.vip, service.protocol), *((_single(one.network), one.protocol)
                                                for one in extra)]  # fmt: skip
    return list(dict.fromkeys(pairs))


def _single(network: str) -> str:
    """A network of one address as that address."""
    address, _, prefix = network.partition("/")
    return address if prefix in ("", "128" if ":" in address else "32") else network


def vips_of(director: Director) -> set[str]:
    """Every VIP that is declared on a director."""
    return set(director.virtual_services.order_by().values_list("vip", flat=True).distinct())


def _gateway(director: Director, rip: str, vips: Collection[str] | None) -> str:
    surroundings = Surroundings.from_json(director.observed_facts)
    known = vips_of(director) if vips is None else vips
    return gateway_for(rip, surroundings.addresses, known)


def declared_needs(services: Iterable[int]) -> dict[int, set[Need]]:
    """What the given services declare, by host: those that are not on their way out."""
    found: dict[int, set[Need]] = defaultdict(set)
    servers = _SERVERS.filter(
        virtual_service__in=list(services),
        virtual_service__removal_requested_at=None,
        host__isnull=False,
    )
    for server in servers:
        if server.host_id is not None:
            found[server.host_id].update(needs_of(server))
    return found


def settled_needs(prepared: PreparedServer, applying: Collection[int] = ()) -> set[Need]:
    """What the machine should be prepared for once nothing is under way.

    Services as they were applied last, or with `applying` as they are declared now; what a
    changed service needed before stays until it was applied.
    """
    kept = prepared.need_values
    services = {need.service for need in kept} | set(
        RealServer.objects.filter(host=prepared.host_id).values_list("virtual_service", flat=True)
    )
    rows = VirtualService.objects.filter(pk__in=services)
    fresh = set(rows.filter(generation=F("applied_generation")).values_list("pk", flat=True)) | set(
        applying
    )
    gone = services - set(rows.values_list("pk", flat=True))
    waiting = {need for need in kept if need.service not in fresh | gone}
    return waiting | declared_needs(fresh - gone).get(prepared.host_id, set())


def prepared_for(rows: QuerySet[PreparedServer], services: Collection[int]) -> list[PreparedServer]:
    """The machines that are prepared for any of these services."""
    wanted = set(services)
    return [row for row in rows.all() if wanted & {need.service for need in row.need_values}]


def planned_preparation(services: Collection[int]) -> tuple[Plan, Plan]:
    """What applying the given services would run on real servers' machines, from the last
    looks at them: before the director's change, and after it."""
    before, after = Plan(), Plan()
    declared = declared_needs(services)
    prepared = PreparedServer.objects.select_related("host")
    rows = {row.host_id: row for row in prepared_for(prepared, services)}
    rows |= {row.host_id: row for row in prepared.filter(host__in=declared)}
    for host in Host.objects.filter(pk__in=set(declared) - set(rows)):
        rows[host.pk] = PreparedServer(host=host)
    for host_id, row in rows.items():
        kept = row.need_values
        wanted = kept | declared.get(host_id, set())
        seen = Seen.from_json(row.observed_facts)
        if wanted != kept:
            before += _plan(wanted, seen, row)
        settled = settled_needs(row, services) if row.pk else wanted
        if settled != wanted:
            after += Plan(tuple(step for step in _plan(settled, seen, row) if step.is_destructive))
    return before, after


def _plan(needs: Iterable[Need], seen: Seen, row: PreparedServer) -> Plan:
    return planner.plan(wanted_items(needs), seen, machine=row.host.name)


def host_for(rip: str) -> Host | None:
    """The one known machine whose preflight found this address on it, or None."""
    return hosts_by_address().get(rip)


def hosts_by_address() -> dict[str, Host]:
    """Known machines by the addresses that their preflights found on one of them alone."""
    found: dict[str, list[Host]] = defaultdict(list)
    for host in Host.objects.exclude(preflight={}):
        for address in _addresses_of(host):
            found[address].append(host)
    return {address: hosts[0] for address, hosts in found.items() if len(hosts) == 1}


def _addresses_of(host: Host) -> set[str]:
    interfaces = host.preflight.get("facts", {}).get("network", {}).get("interfaces") or ()
    return {
        address["ip"]
        for interface in interfaces
        if interface.get("name") != "lo"
        for address in interface.get("addresses", ())
    }
