"""Cascades: a front by DR or TUN whose real servers are directors that forward by NAT.

A cascade is recognised, not declared: the address of a real server of the front is one of a
director's own, and that director has a service with the same protocol, VIP and port.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface

from django.db.models import QuerySet

from lvs.director.types import Surroundings
from lvs.models import Director, RealServer, VirtualService
from lvs.models.virtual_services import Forwarding

#: The methods of the two tiers.
FRONT = (Forwarding.ROUTE.value, Forwarding.TUNNEL.value)
BACK = (Forwarding.MASQ.value, Forwarding.FULLNAT.value)


def backs_of(
    front: VirtualService, servers: Iterable[RealServer] | None = None
) -> dict[str, VirtualService]:
    """The second tier of a service: the service of the director behind each address of its
    real servers. Empty for what is no front."""
    rows = front.real_servers.all() if servers is None else servers
    reached = {row.rip for row in rows if (row.forwarding or front.forwarding) in FRONT}
    if not reached:
        return {}
    return {
        rip: back
        for back in _same_address(front)
        .filter(forwarding__in=BACK)
        .prefetch_related("real_servers")
        for rip in reached & addresses_of(back.director)
    }


def fronts_of(back: VirtualService) -> list[VirtualService]:
    """The services that send their packets to this one's director."""
    if back.forwarding not in BACK:
        return []
    own = addresses_of(back.director)
    return [
        front
        for front in _same_address(back).prefetch_related("real_servers")
        if any(
            row.rip in own and (row.forwarding or front.forwarding) in FRONT
            for row in front.real_servers.all()
        )
    ]


def share_vip(service: VirtualService, other: VirtualService) -> bool:
    """Whether a service may have the VIP that another director's has: one of the two stands
    behind the other or behind its neighbour, or both stand behind the same front."""
    return are_tiers(service, other) or any(
        front.director_id == service.director_id or are_tiers(service, front)
        for front in fronts_of(other)
    )


def are_tiers(one: VirtualService, other: VirtualService) -> bool:
    """Whether one of the two stands behind the other, so that both may have the VIP."""
    if one.forwarding in FRONT and other.forwarding in BACK:
        front, back = one, other
    elif one.forwarding in BACK and other.forwarding in FRONT:
        front, back = other, one
    else:
        return False
    if (front.protocol, front.port) != (back.protocol, back.port) or front.pk is None:
        return False
    return front.real_servers.filter(rip__in=addresses_of(back.director)).exists()


def addresses_of(director: Director) -> set[str]:
    """A director's own addresses as last seen, with the one that the console logs in to."""
    seen = Surroundings.from_json(director.observed_facts)
    return {str(ip_interface(one).ip) for one in seen.all_addresses()} | {director.host.address}


def _same_address(service: VirtualService) -> QuerySet[VirtualService]:
    """The services of other directors with the same protocol, VIP and port."""
    return (
        VirtualService.objects.filter(protocol=service.protocol, vip=service.vip, port=service.port)
        .exclude(director_id=service.director_id)
        .select_related("director__host")
        .defer("director__observed_table", "director__observed_counts")
    )
