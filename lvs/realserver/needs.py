"""Why a machine has to be prepared: the real servers that it is, one `Need` each."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

#: What an Ethernet carries, and what IP and TCP headers take of it, by family.
_ETHERNET = 1500
_IP_HEADER = {4: 20, 6: 40}
_TCP_HEADER = 20
#: What a tunnel adds behind its outer IP header: GRE (RFC 2784) and its checksum; UDP and
#: GUE (draft-ietf-intarea-gue) and the private data of a remote checksum.
_WRAPPING = {
    ("ipip", "nocsum"): 0,
    ("gre", "nocsum"): 4,
    ("gre", "csum"): 8,
    ("gue", "nocsum"): 12,
    ("gue", "csum"): 12,
    ("gue", "remcsum"): 20,
}


def family_of(address: str) -> int:
    """4 or 6, of an address or a network."""
    return 6 if ":" in address else 4


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One real server of one virtual service, as its machine is concerned.

    `vip` is an address, or a network in CIDR notation where a service by firewall mark takes
    a whole one. `port` is the real server's, 0 for every port. `gateway` is the director's
    address in the real server's own network, "" where it has none there. `tunnel` and what
    belongs to it are of the method "tunnel".
    """

    service: int
    vip: str
    rip: str
    method: str
    protocol: str = "tcp"
    port: int = 0
    gateway: str = ""
    tunnel: str = ""
    tunnel_port: int = 0
    tunnel_checksum: str = "nocsum"

    @property
    def holds_vip(self) -> bool:
        """Whether packets arrive addressed to the VIP: by DR and TUN."""
        return self.method in ("route", "tunnel")

    @property
    def local_address(self) -> str:
        """The machine's end of a connection: the VIP, or by NAT its own address."""
        return self.vip if self.holds_vip else self.rip

    @property
    def mss(self) -> int:
        """The largest TCP segment that fits into the tunnel, in bytes."""
        return _ETHERNET - wrapping_of(self) - _IP_HEADER[family_of(self.vip)] - _TCP_HEADER

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Need:
        """What `to_json` wrote; a name that is not known any more is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


def wrapping_of(need: Need) -> int:
    """The bytes that a need's tunnel takes of each packet, the outer IP header among them."""
    return _IP_HEADER[family_of(need.rip)] + _WRAPPING[need.tunnel, need.tunnel_checksum]


def digest_of(needs: Iterable[Need]) -> str:
    """A short word that is the same for the same needs."""
    return f"{zlib.crc32(repr(sorted(needs)).encode()):08x}"
