"""What can be told of a real server from addresses alone, and by one command on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface


def listener_check(port: int, protocol: str) -> str:
    """Shows whether something listens on that port of a real server."""
    kind = {"tcp": "t", "udp": "u", "sctp": "S"}[protocol]
    return f"ss -H -ln{kind} 'sport = :{port}'"


def gateway_for(rip: str, addresses: Mapping[str, Iterable[str]], vips: Iterable[str]) -> str:
    """The director's own address in the real server's network, or "" where it has none.

    `addresses` are the director's by interface, with prefix; `vips` are no gateways.
    """
    server, taken = ip_address(rip), set(vips)
    for held in addresses.values():
        for text in held:
            interface = ip_interface(text)
            if server in interface.network and str(interface.ip) not in taken | {rip}:
                return str(interface.ip)
    return ""
