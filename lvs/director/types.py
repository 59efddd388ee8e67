"""A director's surroundings as frozen values, as they should be and as they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Way(NamedTuple):
    """A unicast route: its network in CIDR notation, the gateway or "", device and table."""

    network: str
    gateway: str
    device: str
    table: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was seen around the table.

    `addresses` maps each interface to its addresses with prefix ("10.0.0.1/24").
    `routes` is None where they were not read.
    `files` maps the paths of our own files to the SHA-256 of their content, without those
    that are missing. `is_unit_enabled` says whether the table comes back at boot. `undos`
    are the timed undos that lie there, by operation: when they ran, in seconds since 1970,
    None while they are pending; they are no part of what is compared or kept.
    """

    kernel: str = ""
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    routes: tuple[Way, ...] | None = None
    forwards_ipv4: bool = False
    forwards_ipv6: bool = False
    files: dict[str, str] = field(default_factory=dict)
    is_unit_enabled: bool = False
    undos: dict[int, int | None] = field(default_factory=dict, compare=False)

    def all_addresses(self) -> list[str]:
        """Every address with its prefix."""
        return [address for held in self.addresses.values() for address in held]

    def bare_addresses(self) -> set[str]:
        """Every address without its prefix."""
        return {address.partition("/")[0] for address in self.all_addresses()}

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the database."""
        return {
            "kernel": self.kernel,
            "addresses": {name: list(held) for name, held in self.addresses.items()},
            "routes": None if self.routes is None else [list(way) for way in self.routes],
            "forwards_ipv4": self.forwards_ipv4,
            "forwards_ipv6": self.forwards_ipv6,
            "files": self.files,
            "is_unit_enabled": self.is_unit_enabled,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Surroundings:
        """What `to_json` wrote; missing parts have their defaults."""
        return cls(
            kernel=data.get("kernel", ""),
            addresses={name: tuple(held) for name, held in data.get("addresses", {}).items()},
            routes=None
            if data.get("routes") is None
            else tuple(Way(*way) for way in data["routes"]),
            forwards_ipv4=data.get("forwards_ipv4", False),
            forwards_ipv6=data.get("forwards_ipv6", False),
            files=data.get("files", {}),
            is_unit_enabled=data.get("is_unit_enabled", False),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be around the table.

    `vips` are to be held by `interface`; `leaving` are VIPs of ours that no service needs
    any more. NAT needs forwarding for the families that it is used with.
    """

    interface: str
    vips: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    needs_ipv4_forwarding: bool = False
    needs_ipv6_forwarding: bool = False


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A small file of ours on the director, written whole when its content differs."""

    path: str
    content: str

    @property
    def digest(self) -> str:
        """SHA-256 of the content, as sha256sum prints it."""
        return hashlib.sha256(self.content.encode()).hexdigest()
