"""Our own nftables table on a director: firewall marks, and the source of Full NAT.

`table inet evenkeel_lvs` is ours alone and one transaction. Packets for a service by
firewall mark, and for a service with Full NAT, get its mark before IPVS sees them: exact
addresses by a hash, networks and port ranges by an interval map. What leaves with the mark
of a Full NAT service for one of its real servers gets an address of the director's as its
source. Tables of others are never touched. See nft(8); IPVS needs net.ipv4.vs.conntrack
for the second half.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lvs.director.claims import Range

FAMILY, TABLE = "inet", "evenkeel_lvs"
NAME = f"{FAMILY} {TABLE}"
FILE = "/etc/evenkeel/evenkeel.nft"

#: The marks of services by firewall mark, and ours for Full NAT services by address.
SERVICE_MARKS = 0x0E000000
ADDRESS_MARKS = 0x0D000000
MARK_MASK = 0x00FFFFFF

_KEY = {
    4: "ip daddr . meta l4proto . th dport",
    6: "ip6 daddr . meta l4proto . th dport",
}
_ADDRESS = {4: "ipv4_addr", 6: "ipv6_addr"}
_PROTOCOL = {4: "ip", 6: "ip6"}
MARKS = {4: "marks4", 6: "marks6"}
RANGES = {4: "ranges4", 6: "ranges6"}
FULL_NAT = {4: "full_nat4", 6: "full_nat6"}


class Object(NamedTuple):
    """A map, set or chain: how it is made, and how `nft -j` lists it."""

    text: str
    shown: dict[str, Any]


class Rule(NamedTuple):
    """One rule: as it is written, and as `nft -j` lists it."""

    text: str
    shown: list[Any]


def _objects() -> dict[str, Object]:
    found: dict[str, Object] = {}
    for family in (4, 6):
        key = [_ADDRESS[family], "inet_proto", "inet_service"]
        words = f"type {' . '.join(key)} : mark;"
        found[MARKS[family]] = Object(
            f"map {NAME} {MARKS[family]} {{ {words} }}",
            {"kind": "map", "type": key, "map": "mark", "flags": []},
        )
        found[RANGES[family]] = Object(
            f"map {NAME} {RANGES[family]} {{ {words} flags interval; }}",
            {"kind": "map", "type": key, "map": "mark", "flags": ["interval"]},
        )
        found[FULL_NAT[family]] = Object(
            f"set {NAME} {FULL_NAT[family]} {{ type mark . {_ADDRESS[family]}; }}",
            {"kind": "set", "type": ["mark", _ADDRESS[family]], "map": None, "flags": []},
        )
    for name, kind, hook, priority, number in (
        ("prerouting", "filter", "prerouting", "mangle", -150),
        ("output", "route", "output", "mangle", -150),
        ("postrouting", "nat", "postrouting", "srcnat", 100),
    ):
        found[name] = Object(
            f"chain {NAME} {name} {{ type {kind} hook {hook} priority {priority};"
            " policy accept; }",
            {"kind": "chain", "type": kind, "hook": hook, "prio": number, "policy": "accept"},
        )
    return found


OBJECTS = _objects()
CHAINS = tuple(name for name, one in OBJECTS.items() if one.shown["kind"] == "chain")
SETS = tuple(name for name in OBJECTS if name not in CHAINS)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The table by its meaning: elements by set ("10.0.0.1 . tcp . 80 : 0x0e000001"), rules
    by chain, each as canonical text of what `nft -j` lists, and the objects likewise."""

    elements: dict[str, frozenset[str]] = field(default_factory=dict)
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the database."""
        return {
            "elements": {name: sorted(held) for name, held in self.elements.items()},
            "rules": {name: list(held) for name, held in self.rules.items()},
            "objects": self.objects,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ruleset:
        """What `to_json` wrote."""
        return cls(
            {name: frozenset(held) for name, held in data["elements"].items()},
            {name: tuple(held) for name, held in data["rules"].items()},
            dict(data["objects"]),
        )


@dataclass(frozen=True, slots=True)
class Marking:
    """What the table has to do.

    `points` map (address, protocol, port) to a mark, `ranges` are disjoint of them and of
    each other. `full_nat` are the marks and real servers' addresses whose packets get one
    of the addresses of `pool` of their family as the source, by chance: taking turns would
    march in step with a scheduler that does, and give each real server one address only.
    Without any, that of the interface on which they leave.
    """

    points: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    ranges: tuple[Range, ...] = ()
    full_nat: frozenset[tuple[int, str]] = frozenset()
    pool: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.points or self.ranges or self.full_nat)

    @property
    def families(self) -> set[int]:
        """Of the real servers behind Full NAT."""
        return {family_of(address) for _mark, address in self.full_nat}

    def rules(self) -> dict[str, tuple[Rule, ...]]:
        """The rules of each chain. What the director itself sends under a mark keeps that one:
        a probe of one real server."""
        marking, own = (
            tuple(
                _mark_rule(family, names[family], keeps_marks=keeps_marks)
                for names in (MARKS, RANGES)
                for family in (4, 6)
            )
            for keeps_marks in (False, True)
        )
        sources = tuple(_source_rule(family, self.pool) for family in (4, 6))
        return {"prerouting": marking, "output": own, "postrouting": sources}

    def elements(self) -> dict[str, frozenset[str]]:
        """The elements of each set, as canonical text."""
        held: dict[str, set[str]] = {name: set() for name in SETS}
        for (address, protocol, port), mark in self.points.items():
            key = f"{address} . {protocol} . {port}"
            held[MARKS[family_of(address)]].add(f"{key} : {hex_mark(mark)}")
        for one in self.ranges:
            held[RANGES[one.family]].add(f"{one.key} : {hex_mark(one.mark)}")
        for mark, address in self.full_nat:
            held[FULL_NAT[family_of(address)]].add(f"{hex_mark(mark)} . {address}")
        return {name: frozenset(texts) for name, texts in held.items()}

    def ruleset(self) -> Ruleset:
        """How the table reads once it is in place."""
        return Ruleset(
            self.elements(),
            {
                name: tuple(canonical(r.shown) for r in rules)
                for name, rules in self.rules().items()
            },
            {name: canonical(one.shown) for name, one in OBJECTS.items()},
        )


def family_of(address: str) -> int:
    return 6 if ":" in address else 4


def hex_mark(mark: int) -> str:
    return f"0x{mark:08x}"


def canonical(shown: Any) -> str:
    """One text for one meaning."""
    return json.dumps(shown, sort_keys=True, separators=(",", ":"))


def whole(marking: Marking) -> list[str]:
    """The lines that make the table anew, whatever was there: for `nft -f`, at boot too."""
    lines = [f"add table {NAME}", f"delete table {NAME}", f"add table {NAME}"]
    lines += [f"add {one.text}" for one in OBJECTS.values()]
    for chain, rules in marking.rules().items():
        lines += [f"add rule {NAME} {chain} {rule.text}" for rule in rules]
    for name, elements in marking.elements().items():
        lines += [add_element(name, element) for element in sorted(elements)]
    return lines


def file_text(marking: Marking) -> str:
    """The file from which the table comes back at boot; empty where there is none."""
    return "".join(f"{line}\n" for line in whole(marking)) if marking else ""


def add_element(name: str, element: str) -> str:
    return f"add element {NAME} {name} {{ {element} }}"


def delete_element(name: str, element: str) -> str:
    """nft finds an element of a map by its key alone."""
    return f"delete element {NAME} {name} {{ {element.partition(' : ')[0]} }}"


def _mark_rule(family: int, name: str, *, keeps_marks: bool = False) -> Rule:
    unmarked = {"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 0}}
    return Rule(
        f"{'meta mark 0x00000000 ' if keeps_marks else ''}meta mark set {_KEY[family]} map @{name}",
        [
            *([unmarked] if keeps_marks else []),
            {
                "mangle": {
                    "key": {"meta": {"key": "mark"}},
                    "value": {"map": {"key": {"concat": [
                        _field(_PROTOCOL[family], "daddr"),
                        {"meta": {"key": "l4proto"}},
                        _field("th", "dport"),
                    ]}, "data": f"@{name}"}},
                }
            }
        ],
    )  # fmt: skip


def _source_rule(family: int, pool: Iterable[str]) -> Rule:
    ours = [address for address in pool if family_of(address) == family]
    protocol, name = _PROTOCOL[family], FULL_NAT[family]
    which = f"meta mark . {protocol} daddr @{name}"
    match = {
        "match": {
            "op": "==",
            "left": {"concat": [{"meta": {"key": "mark"}}, _field(protocol, "daddr")]},
            "right": f"@{name}",
        }
    }
    if not ours:
        return Rule(f"{which} masquerade", [match, {"masquerade": None}])
    if len(ours) == 1:
        shown = {"snat": {"family": protocol, "addr": ours[0]}}
        return Rule(f"{which} snat {protocol} to {ours[0]}", [match, shown])
    turns = ", ".join(f"{number} : {address}" for number, address in enumerate(ours))
    numbers = {"numgen": {"mode": "random", "mod": len(ours), "offset": 0}}
    table = {"set": [[number, address] for number, address in enumerate(ours)]}
    return Rule(
        f"{which} snat {protocol} to numgen random mod {len(ours)} map {{ {turns} }}",
        [match, {"snat": {"family": protocol,
                          "addr": {"map": {"key": numbers, "data": table}}}}],
    )  # fmt: skip


def _field(protocol: str, name: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": name}}
