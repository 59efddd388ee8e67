"""Reasons why a service would not work where its machines stand, from addresses alone.

Nearly all of it is advice: the networks that the console knows of need not be all there are.
What the paths really do, only packets prove. Facts measured on Debian 12's 6.1 kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address

from console.planning import Problem
from console.planning import mark as _

from .types import Destination, ForwardingMethod

Network = IPv4Network | IPv6Network

FIELDS = {
    "ipvs-director-is-server": "address",
    "ipvs-masq-one-network": "forwarding",
    "ipvs-route-other-network": "forwarding",
    "ipvs-server-is-broadcast": "address",
}


def topology_problems(
    destinations: Iterable[Destination],
    *,
    director_addresses: Collection[str] = (),
    director_networks: Collection[Network] = (),
    client_networks: Collection[Network] = (),
) -> Iterator[Problem]:
    """What stands in the way between director, real servers and clients.

    `director_addresses` are the director's own, in canonical text; `director_networks`
    those that it is directly attached to; `client_networks` those where clients are.
    An empty collection means not known: nothing is said about it.
    """
    for one in destinations:
        address, subject = ip_address(one.key.address), str(one.key)
        if one.key.address in director_addresses:
            yield Problem(
                "ipvs-director-is-server",
                subject,
                _("The director would be its own real server."),
                _("It works for a service on the same port; keep it only if that is meant."),
                is_blocking=False,
            )
            continue
        if any(
            address.version == 4
            and address == network.broadcast_address
            and network.num_addresses > 2
            for network in director_networks
        ):
            yield Problem(
                "ipvs-server-is-broadcast",
                subject,
                _(
                    "%(address)s is the broadcast address of a network of the director, and the"
                    " kernel refuses it."
                ),
                _("Give a real server's own address."),
                {"address": str(address)},
            )
            continue
        if one.forwarding is ForwardingMethod.MASQ and _inside(address, client_networks):
            yield Problem(
                "ipvs-masq-one-network",
                subject,
                _(
                    "Clients are in the real server's own network: it would answer them directly,"
                    " from an address that they did not ask, and they would wait in vain."
                ),
                _("Forward by fullnat, or by route."),
                is_blocking=False,
            )
        is_known = any(network.version == address.version for network in director_networks)
        if (
            one.forwarding is ForwardingMethod.ROUTE
            and is_known
            and not _inside(address, director_networks)
        ):
            yield Problem(
                "ipvs-route-other-network",
                subject,
                _(
                    "By route, the real server must be in a network of the director: packets are"
                    " sent to its hardware address, and no router takes them."
                ),
                _("Forward by tunnel or masq, or attach the director to that network."),
                is_blocking=False,
            )


def _inside(address: object, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)
