"""Which packets belong to which mark: claims of services made into a disjoint map.

A claim is a network, a protocol and a range of ports. Of two that overlap the more exact
wins, as in a routing table; two that cross, or are the same, are a conflict.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

Point = tuple[str, str, int]


class Claim(NamedTuple):
    """Packets to `network` (an address or CIDR) and these ports belong to `owner`; they get
    `mark`, or stay without one where that is 0."""

    network: str
    protocol: str
    first_port: int
    last_port: int
    mark: int
    owner: str


class Range(NamedTuple):
    """Addresses and ports, both ends included, with their mark. Addresses are numbers."""

    family: int
    protocol: str
    first: int
    last: int
    first_port: int
    last_port: int
    mark: int
    owner: str = ""

    @property
    def key(self) -> str:
        """As nft writes it: 10.0.0.0-10.0.0.255 . tcp . 80-443."""
        first, last = _text(self.family, self.first), _text(self.family, self.last)
        addresses = first if first == last else f"{first}-{last}"
        ports = str(self.first_port)
        if self.last_port != self.first_port:
            ports += f"-{self.last_port}"
        return f"{addresses} . {self.protocol} . {ports}"

    @property
    def size(self) -> tuple[int, int]:
        return self.last - self.first, self.last_port - self.first_port

    @property
    def is_point(self) -> bool:
        return self.size == (0, 0)

    def meets(self, other: Range) -> bool:
        return (
            self.first <= other.last
            and other.first <= self.last
            and self.first_port <= other.last_port
            and other.first_port <= self.last_port
        )

    def holds(self, other: Range) -> bool:
        """Whether `other` lies within, and is not the same."""
        return (
            self.first <= other.first
            and other.last <= self.last
            and self.first_port <= other.first_port
            and other.last_port <= self.last_port
            and self.size != other.size
        )

    def without(self, hole: Range) -> Iterator[Range]:
        """What is left of it; `hole` overlaps it."""
        if self.first < hole.first:
            yield self._replace(last=hole.first - 1)
        if hole.last < self.last:
            yield self._replace(first=hole.last + 1)
        middle = self._replace(first=max(self.first, hole.first), last=min(self.last, hole.last))
        if self.first_port < hole.first_port:
            yield middle._replace(last_port=hole.first_port - 1)
        if hole.last_port < self.last_port:
            yield middle._replace(first_port=hole.last_port + 1)


class Conflict(NamedTuple):
    """Two owners of the same packets."""

    one: str
    other: str
    key: str


class Disjoint(NamedTuple):
    """The map: exact addresses and ports, ranges disjoint of them, and what could not be."""

    points: dict[Point, int]
    ranges: tuple[Range, ...]
    conflicts: tuple[Conflict, ...]


def disjoint(claims: Iterable[Claim]) -> Disjoint:
    """The claims as a disjoint map. The cost grows with the claims, and with the number of
    ranges times what lies within them."""
    points: dict[tuple[int, str], dict[tuple[int, int], Range]] = defaultdict(dict)
    wide: dict[tuple[int, str], list[Range]] = defaultdict(list)
    conflicts: list[Conflict] = []
    for one in map(_range, claims):
        kind = one.family, one.protocol
        if not one.is_point:
            wide[kind].append(one)
            continue
        present = points[kind].setdefault((one.first, one.first_port), one)
        if present is not one and present.owner != one.owner:
            conflicts.append(Conflict(present.owner, one.owner, one.key))
    ranges: list[Range] = []
    for kind, found in wide.items():
        ranges += _carve(found, points[kind], conflicts)
    exact = {
        (_text(one.family, one.first), one.protocol, one.first_port): one.mark
        for held in points.values()
        for one in held.values()
        if one.mark
    }
    exact |= {
        (_text(one.family, one.first), one.protocol, one.first_port): one.mark
        for one in ranges
        if one.is_point and one.mark
    }
    kept = tuple(sorted(one for one in ranges if one.mark and not one.is_point))
    return Disjoint(exact, kept, tuple(conflicts))


def _carve(
    wide: list[Range], points: dict[tuple[int, int], Range], conflicts: list[Conflict]
) -> list[Range]:
    """Ranges of one family and protocol without what the more exact ones take."""
    order = sorted(points)
    placed: list[Range] = []
    found: list[Range] = []
    for one in sorted(wide, key=lambda each: each.size):
        holes = [hole for hole in placed if one.meets(hole)]
        conflicts += [
            Conflict(hole.owner, one.owner, hole.key)
            for hole in holes
            if hole.owner != one.owner and not one.holds(hole)
        ]
        start = bisect_left(order, (one.first, 0))
        end = bisect_left(order, (one.last + 1, 0))
        inside = (points[key] for key in order[start:end])
        pieces = [one]
        for hole in (*holes, *(point for point in inside if one.meets(point))):
            pieces = [
                piece
                for was in pieces
                for piece in (was.without(hole) if was.meets(hole) else (was,))
            ]
        found += pieces
        placed.append(one)
    return found


def _range(claim: Claim) -> Range:
    network = ip_network(claim.network, strict=False)
    return Range(
        network.version,
        claim.protocol,
        int(network.network_address),
        int(network.broadcast_address),
        claim.first_port,
        claim.last_port,
        claim.mark,
        claim.owner,
    )


def _text(family: int, number: int) -> str:
    packed = number.to_bytes(4 if family == 4 else 16, "big")
    return str(ip_address(packed))
