"""Interfaces, default routes, bridges, sysctls."""

from __future__ import annotations

import re
from typing import Any

from ..frame import Sample, Section
from ..types import Address, Bridge, Interface, Network, Route
from .words import json_list, whole, word

_SYSCTL = re.compile(r"/proc/sys/(net/[^:]+):(.*)")


def network(sample: Sample) -> Network:
    return Network(
        interfaces=_interfaces(sample["addresses"]),
        routes=(*_routes(sample["routes"], 4), *_routes(sample["routes6"], 6)),
        bridges=tuple(
            Bridge(parts[0], tuple(parts[1:]))
            for line in sample["bridges"].lines
            if (parts := line.split())
        ),
        sysctls=_sysctls(sample["sysctls"]),
    )


def _interfaces(section: Section) -> tuple[Interface, ...] | None:
    """The answer of `ip -j addr` (iproute2 4.13 and later)."""
    entries = json_list(section.text)
    if entries is None:
        return None
    return tuple(_interface(entry) for entry in entries if word(entry.get("ifname")))


def _interface(entry: dict[str, Any]) -> Interface:
    flags, infos = entry.get("flags"), entry.get("addr_info")
    return Interface(
        name=word(entry["ifname"]),
        is_up=isinstance(flags, list) and "UP" in flags,
        mtu=whole(entry.get("mtu")),
        mac=word(entry.get("address")),
        addresses=tuple(
            Address(word(info["local"]), whole(info.get("prefixlen")) or 0, word(info.get("scope")))
            for info in (infos if isinstance(infos, list) else ())
            if isinstance(info, dict) and word(info.get("local"))
        ),
    )


def _routes(section: Section, family: int) -> tuple[Route, ...]:
    return tuple(
        Route(family, word(entry.get("gateway")), word(entry.get("dev")))
        for entry in json_list(section.text) or ()
        if entry.get("dst") == "default"
    )


def _sysctls(section: Section) -> dict[str, str]:
    """Names with dots for slashes. An interface's own dots become slashes, as in sysctl(8)."""
    found = (_SYSCTL.fullmatch(line) for line in section.lines)
    swap = str.maketrans("/.", "./")
    return {match[1].translate(swap): match[2].strip() for match in found if match}
