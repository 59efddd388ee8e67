"""Which packets a service takes, as values: protocol, network of VIPs, range of ports.

A service by address takes one of them. One by firewall mark takes those that the director's
own rules mark for it: its VIP and port, and any number of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import NamedTuple

from console.planning import Problem
from console.planning import mark as _

from .problems import is_unicast

Network = IPv4Network | IPv6Network

#: code -> the field that has to change
FIELDS = {
    "match-network-invalid": "network",
    "match-network-bits": "network",
    "match-network-family": "network",
    "match-network-not-unicast": "network",
    "match-ports-crossed": "last_port",
}

LAST_PORT = 65535


class Match(NamedTuple):
    """Packets of one protocol to any address of `network`, ports from first to last."""

    protocol: str
    network: Network
    first_port: int
    last_port: int

    @classmethod
    def of_vip(cls, protocol: str, vip: str, port: int) -> Match:
        """One VIP and port; port 0 is every port."""
        return cls(protocol, ip_network(vip), port or 1, port or LAST_PORT)

    @classmethod
    def of_text(cls, protocol: str, network: str, first_port: int, last_port: int) -> Match:
        """What a row says. Raises ValueError for what is no network."""
        return cls(protocol, ip_network(network), first_port, last_port)

    def overlaps(self, other: Match) -> bool:
        """Whether there is a packet that both take."""
        return (
            self.protocol == other.protocol
            and self.network.version == other.network.version
            and self.network.overlaps(other.network)
            and self.first_port <= other.last_port
            and other.first_port <= self.last_port
        )

    def covers(self, other: Match) -> bool:
        """Whether it takes every packet that the other one takes."""
        return (
            self.overlaps(other)
            and self.network.prefixlen <= other.network.prefixlen
            and self.first_port <= other.first_port
            and other.last_port <= self.last_port
        )

    def __str__(self) -> str:
        ports = f"{self.first_port}"
        if self.last_port != self.first_port:
            ports += f"-{self.last_port}"
        return f"{self.protocol.upper()} {network_text(self.network)} {ports}"


def network_text(network: Network) -> str:
    """A network as rows keep it: an address alone without its prefix."""
    return str(network.network_address if network.num_addresses == 1 else network)


def canonical_network(text: str) -> str:
    """The text of an address or network as rows keep it; unchanged where it is neither."""
    try:
        return network_text(ip_network(text.strip()))
    except ValueError:
        return text.strip()


def match_problems(
    network: str, first_port: int, last_port: int, *, family: int
) -> Iterator[Problem]:
    """What is wrong with one row of a service whose VIP is of `family`, 4 or 6."""
    if last_port < first_port:
        yield Problem(
            "match-ports-crossed",
            network,
            _("The last port %(last)s is below the first one, %(first)s."),
            _("Give the range from its lower end to its upper one."),
            {"first": first_port, "last": last_port},
        )
    try:
        found = ip_network(network)
    except ValueError:
        yield _not_a_network(network)
        return
    if found.version != family:
        yield Problem(
            "match-network-family",
            network,
            _(
                "%(network)s is IPv%(version)s, and the service's VIP is IPv%(family)s: a firewall"
                " mark is a service for each family."
            ),
            _("Declare another service for it."),
            {"network": network, "version": found.version, "family": family},
        )
    is_alone = found.num_addresses == 1
    is_wrong = is_alone and not is_unicast(str(found.network_address))
    if is_wrong or found.is_multicast or found.is_loopback:
        yield _not_unicast(network)


def _not_a_network(network: str) -> Problem:
    try:
        typed = ip_interface(network)
    except ValueError:
        return Problem(
            "match-network-invalid",
            network,
            _("%(network)s is neither an address nor a network."),
            _("Write an address such as 10.0.0.50, or a network such as 10.0.0.0/28."),
            {"network": network},
        )
    return Problem(
        "match-network-bits",
        network,
        _("%(network)s is an address within a network."),
        _("Write %(whole)s for the whole network, or %(address)s for the address."),
        {"network": network, "whole": str(typed.network), "address": str(typed.ip)},
    )


def _not_unicast(network: str) -> Problem:
    return Problem(
        "match-network-not-unicast",
        network,
        _("%(network)s holds no address that one machine can have."),
        _("Give the addresses that clients connect to."),
        {"network": network},
    )
