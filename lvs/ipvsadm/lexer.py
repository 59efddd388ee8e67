"""The small words that ipvsadm and /proc share: endpoints, marks, numbers, lines."""

from __future__ import annotations

from functools import lru_cache

from .errors import ParseError
from .types import (
    DestinationKey,
    Protocol,
    ServiceKey,
    canonical_address,
    checked_port,
)

PROTOCOL_NAMES = {"TCP": Protocol.TCP, "UDP": Protocol.UDP, "SCTP": Protocol.SCTP}


@lru_cache(maxsize=1 << 17)
def read_endpoint(text: str) -> DestinationKey:
    """ "10.0.0.1:80" or "[fd00::1]:80". Raises ValueError.

    Cached: the same fleet is read every few seconds, and values that are the same
    object compare fastest.
    """
    address, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdecimal():
        raise ValueError(f"{text!r} is not a numeric address:port (was it read with -n?)")
    if address.startswith("["):
        if not address.endswith("]") or ":" not in address:
            raise ValueError(f"{text!r} is not [IPv6]:port")
        address = address[1:-1]
    elif ":" in address:
        raise ValueError(f"{text!r}: IPv6 stands in brackets before a port")
    return DestinationKey(canonical_address(address), checked_port(int(port)))


@lru_cache(maxsize=1 << 15)
def service_key(protocol: Protocol, text: str) -> ServiceKey:
    """The key of a service by its protocol and "address:port". Raises ValueError."""
    address, port = read_endpoint(text)
    return ServiceKey(protocol, address, port, 0, 6 if ":" in address else 4)


def mark_key(text: str, is_ipv6: bool) -> ServiceKey:
    """The key of a firewall mark in decimal. ipvsadm prints marks above 2147483647 as
    negative numbers (it uses %d), and does not take them back. Raises ValueError."""
    return ServiceKey.of_mark(int(text) & 0xFFFFFFFF, 6 if is_ipv6 else 4)


def lines_of(text: str) -> list[str]:
    """The lines of a complete text. Raises ParseError when it was cut: real output
    ends with a newline."""
    if not text:
        return []
    if not text.endswith("\n"):
        lines = text.splitlines()
        raise ParseError("the output was cut in the middle of a line", lines[-1], len(lines))
    return text[:-1].split("\n")
