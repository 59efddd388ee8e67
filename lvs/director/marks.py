"""Which packets carry a firewall mark, read from the rules that set it.

Understood are rules that say no more than address, protocol and port: iptables' MARK target
in the mangle table, and nftables' `meta mark set`. A rule that says more feeds its mark in a
way that the console could not repeat, so its mark is named instead.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any, NamedTuple

from lvs.director import nftables

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_CHAINS = frozenset({"PREROUTING", "OUTPUT"})
_ALL_PORTS = (1, 65535)
_OURS = nftables.NAME.split()[-1]


class Feed(NamedTuple):
    """Packets to `network`, by protocol and ports, that get a mark."""

    mark: int
    protocol: str
    network: str
    first_port: int
    last_port: int


Feeds = tuple[tuple[Feed, ...], frozenset[int]]


def feeds_of_iptables(text: str) -> Feeds:
    """The feeds that `iptables-save -t mangle` tells, and the marks set in other ways."""
    found: list[Feed] = []
    obscure: set[int] = set()
    for line in text.splitlines():
        if not line.startswith("-A "):
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        mark = _mark_of(words)
        if mark is None:
            continue
        try:
            found.extend(_iptables_feeds(mark, words))
        except (ValueError, StopIteration):
            obscure.add(mark)
    return tuple(found), frozenset(obscure)


def _mark_of(words: list[str]) -> int | None:
    for option in ("--set-xmark", "--set-mark", "--or-mark"):
        if option in words[:-1]:
            value = words[words.index(option) + 1].partition("/")[0]
            try:
                return int(value, 0) or None
            except ValueError:
                return None
    return None


def _iptables_feeds(mark: int, words: list[str]) -> Iterator[Feed]:
    protocol, network, ports = "", "", [_ALL_PORTS]
    if words[1] not in _CHAINS:
        raise ValueError("a chain of its own")
    rest = iter(words[2:])
    for word in rest:
        value = next(rest)
        if word == "-d":
            network = str(ip_network(value))
        elif word == "-p" and value in _PROTOCOLS:
            protocol = value
        elif word in ("--dport", "--dports"):
            ports = [_ports(one, ":") for one in value.split(",")]
        elif word == "--set-xmark" or word == "--set-mark":
            if value.partition("/")[2] not in ("", "0xffffffff"):
                raise ValueError("a part of the mark")
        elif (word == "-m" and value in {*_PROTOCOLS, "multiport", "comment"}) or (
            (word, value) == ("-j", "MARK") or word == "--comment"
        ):
            continue
        else:
            raise ValueError(word)
    if not protocol or not network:
        raise ValueError("every protocol or every address")
    for first, last in ports:
        yield Feed(mark, protocol, network, first, last)


def _ports(text: str, dash: str) -> tuple[int, int]:
    first, is_range, last = text.partition(dash)
    return int(first), int(last) if is_range else int(first)


def feeds_of_nft(ruleset: Iterable[dict[str, Any]]) -> Feeds:
    """The feeds that `nft -j list ruleset` tells, and the marks set in other ways. Rules
    that iptables put there are left to iptables, and ours are no news."""
    found: list[Feed] = []
    obscure: set[int] = set()
    for one in ruleset:
        rule = one.get("rule")
        if not isinstance(rule, dict) or rule.get("table") in ("mangle", _OURS):
            continue
        expressions = [e for e in rule.get("expr", ()) if isinstance(e, dict)]
        for mark in _nft_marks(expressions):
            try:
                found.extend(_nft_feeds(mark, expressions))
            except (ValueError, KeyError, TypeError, AttributeError):
                obscure.add(mark)
    return tuple(found), frozenset(obscure)


def _nft_marks(expressions: list[dict[str, Any]]) -> Iterator[int]:
    for one in expressions:
        mangle = one.get("mangle")
        if isinstance(mangle, dict) and mangle.get("key") == {"meta": {"key": "mark"}}:
            value = mangle.get("value")
            if isinstance(value, int) and value:
                yield value


def _nft_feeds(mark: int, expressions: list[dict[str, Any]]) -> Iterator[Feed]:
    protocols: list[str] = []
    networks: list[str] = []
    ports = [_ALL_PORTS]
    for one in expressions:
        if "match" in one:
            match = one["match"]
            if match.get("op") not in ("==", "in"):
                raise ValueError("not a plain comparison")
            left, right = match["left"], match["right"]
            payload = left.get("payload", {})
            if left.get("meta", {}).get("key") == "l4proto":
                protocols = [str(value) for value in _members(right)]
            elif payload.get("field") == "daddr":
                networks = [_nft_network(value) for value in _members(right)]
            elif payload.get("field") == "dport":
                if payload["protocol"] in _PROTOCOLS:
                    protocols = [payload["protocol"]]
                ports = [_nft_ports(value) for value in _members(right)]
            else:
                raise ValueError("another condition")
        elif not one.keys() <= {"mangle", "counter", "accept"}:
            raise ValueError("another statement")
    if not protocols or not networks or not set(protocols) <= _PROTOCOLS:
        raise ValueError("every protocol or every address")
    for protocol in protocols:
        for network in networks:
            for first, last in ports:
                yield Feed(mark, protocol, network, first, last)


def _members(right: Any) -> list[Any]:
    return list(right["set"]) if isinstance(right, dict) and "set" in right else [right]


def _nft_network(value: Any) -> str:
    if isinstance(value, dict):
        prefix = value["prefix"]
        return str(ip_network(f"{prefix['addr']}/{prefix['len']}"))
    return str(ip_network(value))


def _nft_ports(value: Any) -> tuple[int, int]:
    if isinstance(value, dict):
        first, last = value["range"]
        return int(first), int(last)
    return int(value), int(value)
