"""From what looks and preflights have found to the machines that the rules judge. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_interface
from typing import Any

from lvs.director.types import Surroundings, Way

from .facts import Machine, Network, Route, is_inside, route_of

_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def machine_of_look(name: str, seen: Surroundings) -> Machine:
    """A director as its last look found it."""
    return Machine(
        name,
        {link: tuple(map(ip_interface, held)) for link, held in seen.addresses.items()},
        None if seen.routes is None else tuple(map(_route, seen.routes)),
        {f"net.ipv4.vs.{setting}": value for setting, value in seen.settings.items()},
    )


def machine_of_preflight(name: str, facts: Mapping[str, Any]) -> Machine | None:
    """A machine as its preflight found it: of its routes only the default ones and those to
    its own networks. None without interfaces."""
    network = facts.get("network") or {}
    links = [one for one in network.get("interfaces") or () if one.get("name")]
    if not links:
        return None
    addresses = {
        one["name"]: tuple(
            ip_interface(f"{held['ip']}/{held['prefix']}") for held in one.get("addresses") or ()
        )
        for one in links
    }
    attached = [
        Route(held.network, "", link)
        for link, every in addresses.items()
        for held in every
        if held.network.num_addresses > 1
    ]
    defaults = [
        route_of(_EVERYWHERE[one["family"]], one.get("gateway", ""), one.get("device", ""))
        for one in network.get("routes") or ()
    ]
    return Machine(
        name,
        addresses,
        (*attached, *defaults),
        network.get("sysctls") or {},
        frozenset(one["name"] for one in links if one.get("is_up")),
    )


def networks_of_client(client: Machine | None, vip: str) -> tuple[Network, ...]:
    """Where clients are, as far as one of them tells: its network with the VIP, or those of
    the interface by which it would go there."""
    if client is None:
        return ()
    sharing = [one for one in client.attached() if is_inside(vip, [one])]
    if sharing:
        return tuple(sharing)
    way = client.way_to(vip)
    held = client.addresses.get(way.device, ()) if way else ()
    return tuple(one.network for one in held if one.network.num_addresses > 1)


def own_addresses(director: Machine, vips: Iterable[str]) -> frozenset[str]:
    """The director's own addresses: all that it holds, without the VIPs."""
    taken = set(vips)
    return frozenset(str(one.ip) for held in director.addresses.values() for one in held) - taken


def _route(way: Way) -> Route:
    return route_of(way.network, way.gateway, way.device, way.table)
