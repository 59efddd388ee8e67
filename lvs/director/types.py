"""A director's surroundings as frozen values, as they should be and as they are."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from lvs.director.claims import Conflict
from lvs.director.nftables import Marking, Ruleset
from lvs.director.settings import NO_TIMEOUTS, Timeouts


class Way(NamedTuple):
    """A unicast route: its network in CIDR notation, the gateway or "", device and table."""

    network: str
    gateway: str
    device: str
    table: str


@dataclass(frozen=True, slots=True)
class Load:
    """How full the director's tables are.

    `buckets` is the size of the hash table of IPVS connections, `connections` how many
    there are. The others are of netfilter's connection tracking: connections now and at
    most, and since boot those that found no free port and those that were dropped.
    """

    buckets: int = 0
    connections: int = 0
    tracked: int = 0
    tracked_most: int = 0
    insert_failed: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Own:
    """What our own files on the director say: what we once put there.

    `addresses` maps addresses to interfaces; `settings` and `timeouts` are those declared,
    not those that services need.
    """

    addresses: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    timeouts: Timeouts = NO_TIMEOUTS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was seen around the table.

    `addresses` maps each interface to its addresses with prefix ("10.0.0.1/24").
    `routes` is None where they were not read. `protocols` are those that IPVS was built for
    in this kernel ("tcp"), None where that is not known.
    `files` maps the paths of our own files to the SHA-256 of their content, without those
    that are missing. `is_unit_enabled` says whether the table comes back at boot. `undos`
    are the timed undos that lie there, by operation: when they ran, in seconds since 1970,
    None while they are pending; they are no part of what is compared or kept.
    `settings` are the values under net.ipv4.vs by name, empty where they were not read;
    `local_networks` those that we had delivered to the director itself; `nft` our own
    nftables table, None where there is none.
    """

    kernel: str = ""
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    routes: tuple[Way, ...] | None = None
    forwards_ipv4: bool = False
    forwards_ipv6: bool = False
    files: dict[str, str] = field(default_factory=dict)
    is_unit_enabled: bool = False
    undos: dict[int, int | None] = field(default_factory=dict, compare=False)
    settings: dict[str, str] = field(default_factory=dict)
    timeouts: Timeouts = NO_TIMEOUTS
    load: Load = field(default=Load(), compare=False)
    local_networks: tuple[str, ...] = ()
    has_nft: bool = True
    nft: Ruleset | None = None
    own: Own = Own()
    protocols: frozenset[str] | None = None

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
            "settings": self.settings,
            "timeouts": list(self.timeouts),
            "load": asdict(self.load),
            "local_networks": list(self.local_networks),
            "has_nft": self.has_nft,
            "nft": self.nft.to_json() if self.nft else None,
            "own": {
                "addresses": self.own.addresses,
                "settings": self.own.settings,
                "timeouts": list(self.own.timeouts),
            },
            "protocols": sorted(self.protocols) if self.protocols is not None else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Surroundings:
        """What `to_json` wrote; missing parts have their defaults."""
        own = data.get("own", {})
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
            settings=data.get("settings", {}),
            timeouts=Timeouts(*data.get("timeouts", ())),
            load=Load(**data.get("load", {})),
            local_networks=tuple(data.get("local_networks", ())),
            has_nft=data.get("has_nft", True),
            nft=Ruleset.from_json(data["nft"]) if data.get("nft") else None,
            own=Own(
                own.get("addresses", {}),
                own.get("settings", {}),
                Timeouts(*own.get("timeouts", ())),
            ),
            protocols=frozenset(data["protocols"]) if data.get("protocols") else None,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be around the table.

    `vips` are to be held by `interface`; `leaving` are VIPs of ours that no service needs
    any more, `declared` those of every service, in place or not. `networks` of VIPs are
    delivered to the director itself. NAT needs forwarding for the families that it is used
    with. `settings` and `timeouts` are those declared for the director, the preset
    included. `marking` is what our nftables table does, `conflicts` what it cannot. The
    addresses of its pool are held by `local_interface`.
    """

    interface: str
    vips: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    needs_ipv4_forwarding: bool = False
    needs_ipv6_forwarding: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    timeouts: Timeouts = NO_TIMEOUTS
    marking: Marking = field(default_factory=Marking)
    conflicts: tuple[Conflict, ...] = ()
    local_interface: str = ""

    @property
    def derived(self) -> dict[str, str]:
        """Settings that the services need, whatever is declared."""
        return {"conntrack": "1"} if self.marking.full_nat else {}

    def placed(self) -> dict[str, str]:
        """Every address that the console puts on the director, with its interface."""
        pool = dict.fromkeys(self.marking.pool, self.local_interface or self.interface)
        return {**pool, **dict.fromkeys(self.vips, self.interface)}


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A small file of ours on the director, written whole when its content differs."""

    path: str
    content: str

    @property
    def digest(self) -> str:
        """SHA-256 of the content, as sha256sum prints it."""
        return hashlib.sha256(self.content.encode()).hexdigest()
