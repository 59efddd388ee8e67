"""Joins partial readings of one table into the whole of it.

No single reading is complete and cheap (see director-facts: `-S` loses thresholds,
`--thresholds` has neither weight nor method, /proc/net/ip_vs costs a tenth and lacks
flags). `--thresholds` with /proc/net/ip_vs is complete, except that tunnels and a few
firewall marks need `-S -n` too; `needs_save` says when.

The readings are taken one after another, so the table may change between them. They
are believed only where they agree about every service and real server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from .errors import InconsistentSample, SaveRequired
from .listing import Listed, Section, Thresholds, parse_thresholds
from .proc import ProcSection, mask_text, parse_proc
from .rules import parse_save
from .types import (
    Destination,
    DestinationKey,
    ForwardingMethod,
    Service,
    ServiceKey,
    Table,
    Tunnel,
    VirtualEntry,
    canonical_netmask,
)

#: What `parse_thresholds` returns.
Limits = Mapping[ServiceKey, Section[Service, Thresholds]]


class Sample(NamedTuple):
    """A complete reading.

    `rows` has method, weight and connection counts of every real server. `hz` is
    how many jiffies the director's kernel counts in a second, where a persistent
    service shows it, else None; the digest's Python twin wants it.
    """

    table: dict[ServiceKey, VirtualEntry]
    rows: dict[ServiceKey, dict[DestinationKey, Listed]]
    hz: int | None


def combine(
    thresholds_text: str, proc_text: str, save_text: str | None = None
) -> dict[ServiceKey, VirtualEntry]:
    """The complete table; see `combine_sample`."""
    return combine_sample(thresholds_text, proc_text, save_text).table


def combine_sample(thresholds_text: str, proc_text: str, save_text: str | None = None) -> Sample:
    """Join `ipvsadm -Ln --thresholds`, /proc/net/ip_vs and, where needed, `-S -n`.

    Raises ParseError for a line that is not understood, InconsistentSample when the
    readings disagree (read again), SaveRequired when `save_text` is needed and None.
    """
    saved = parse_save(save_text) if save_text is not None else None
    return join(parse_thresholds(thresholds_text), parse_proc(proc_text), saved)


def join(limits: Limits, proc: list[ProcSection], saved: Table | None) -> Sample:
    """Join readings that are already parsed; see `combine_sample`. `saved` has every
    service of `limits`, with methods, weights and tunnels; its thresholds are ignored."""
    sections, hz = _assign(limits, proc, saved)
    if saved is None and _has_tunnel(sections):
        raise SaveRequired("a real server is reached by tunnel: read ipvsadm -S -n too")
    if saved is not None:
        if saved.keys() != limits.keys():
            raise InconsistentSample("ipvsadm -S -n lists other services")
        _check_saved(limits, sections, saved)
    table = {
        key: VirtualEntry(head, _destinations(key, limits, sections[key].rows, saved))
        for key, (head, _) in limits.items()
    }
    return Sample(table, {key: section.rows for key, section in sections.items()}, hz)


def needs_save(thresholds_text: str, proc_text: str) -> bool:
    """Whether `combine` needs `ipvsadm -S -n` of this table as well.

    Raises ParseError and InconsistentSample as `combine` does.
    """
    try:
        sections, _ = _assign(parse_thresholds(thresholds_text), parse_proc(proc_text), None)
    except SaveRequired:
        return True
    return _has_tunnel(sections)


def _has_tunnel(sections: Mapping[ServiceKey, ProcSection]) -> bool:
    return any(
        row.forwarding is ForwardingMethod.TUNNEL
        for section in sections.values()
        for row in section.rows.values()
    )


def _destinations(
    service: ServiceKey,
    limits: Limits,
    rows: Mapping[DestinationKey, Listed],
    saved: Table | None,
) -> dict[DestinationKey, Destination]:
    """The real servers of one service, in the order of the thresholds listing."""
    found = {}
    for key, (upper, lower, _) in limits[service].rows.items():
        forwarding, weight, _ = rows[key]
        tunnel: Tunnel | None = None
        if forwarding is ForwardingMethod.TUNNEL and saved is not None:
            tunnel = saved[service].destinations[key].tunnel
        found[key] = Destination(key, forwarding, weight, upper, lower, tunnel)
    return found


def _assign(
    limits: Limits, sections: list[ProcSection], saved: Table | None
) -> tuple[dict[ServiceKey, ProcSection], int | None]:
    """Which section of /proc belongs to which service, and the kernel's HZ."""
    assigned: dict[ServiceKey, ProcSection] = {}
    by_mark: dict[int, list[ProcSection]] = {}
    for section in sections:
        if section.key is None:
            by_mark.setdefault(section.fwmark, []).append(section)
        elif section.key in assigned or section.key not in limits:
            raise InconsistentSample(f"{section.key} is not in both readings exactly once")
        else:
            assigned[section.key] = section
    hz = _check_all(limits, assigned, None)
    for mark, candidates in by_mark.items():
        keys = [ServiceKey.of_mark(mark, family) for family in (4, 6)]
        present = [key for key in keys if key in limits]
        chosen = _choose(present, candidates, limits, hz, saved)
        hz = _check_all(limits, chosen, hz)
        assigned.update(chosen)
    if len(assigned) != len(limits):
        missing = next(key for key in limits if key not in assigned)
        raise InconsistentSample(f"{missing} is not in /proc/net/ip_vs")
    return assigned, hz


def _choose(
    keys: list[ServiceKey],
    candidates: list[ProcSection],
    limits: Limits,
    hz: int | None,
    saved: Table | None,
) -> dict[ServiceKey, ProcSection]:
    """The sections of one mark, given to its IPv4 and IPv6 services.

    /proc does not tell the families apart, so whatever distinguishes the two is used:
    definition, real servers and, at last, what `-S` says about method and weight.
    """
    if len(keys) != len(candidates):
        raise InconsistentSample("a firewall mark is not in both readings equally often")
    orders = [candidates, candidates[::-1]] if len(candidates) == 2 else [candidates]
    ways = [dict(zip(keys, order, strict=True)) for order in orders]
    ways = [way for way in ways if _agrees(partial(_check_all, limits, way, hz))]
    if not ways:
        raise InconsistentSample(f"{keys[0]} differs between the readings")
    if len(ways) == 2 and _methods(ways[0]) != _methods(ways[1]):
        if saved is None:
            raise SaveRequired(
                f"the mark {keys[0].fwmark} serves both families and /proc does not tell which "
                "is which: read ipvsadm -S -n too"
            )
        ways = [way for way in ways if _agrees(partial(_check_saved, limits, way, saved))]
        if not ways:
            raise InconsistentSample(f"{keys[0]} differs between the readings")
    return ways[0]


def _agrees(check: Callable[[], object]) -> bool:
    try:
        check()
    except InconsistentSample:
        return False
    return True


def _methods(way: Mapping[ServiceKey, ProcSection]) -> object:
    return {
        key: {server: row[:2] for server, row in section.rows.items()}
        for key, section in way.items()
    }


def _check_all(
    limits: Limits, assigned: Mapping[ServiceKey, ProcSection], hz: int | None
) -> int | None:
    """Compare each service with its section. Returns HZ; raises InconsistentSample."""
    for key, section in assigned.items():
        service, rows = limits[key]
        if rows.keys() != section.rows.keys():
            raise InconsistentSample(f"{key} has other real servers in the other reading")
        if (
            service.scheduler != section.scheduler
            or section.one_packet not in (None, service.one_packet)
            or (service.persistence is None) is not (section.jiffies is None)
        ):
            raise InconsistentSample(f"{key} is defined otherwise in the other reading")
        if service.persistence is not None and section.jiffies is not None:
            mask = canonical_netmask(mask_text(section.mask, key.family), key.family)
            ratio, remainder = divmod(section.jiffies, service.persistence)
            if remainder or not ratio or mask != service.netmask or hz not in (None, ratio):
                raise InconsistentSample(f"{key} has another persistence in the other reading")
            hz = ratio
    return hz


def _check_saved(limits: Limits, assigned: Mapping[ServiceKey, ProcSection], saved: Table) -> None:
    """Compare with `-S -n`. Raises InconsistentSample."""
    for key, section in assigned.items():
        entry = saved.get(key)
        if entry is None or entry.service != limits[key].head:
            raise InconsistentSample(f"{key} is defined otherwise in ipvsadm -S -n")
        if entry.destinations.keys() != section.rows.keys():
            raise InconsistentSample(f"{key} has other real servers in ipvsadm -S -n")
        for server, row in section.rows.items():
            if entry.destinations[server][1:3] != row[:2]:
                raise InconsistentSample(f"{key} differs at {server} in ipvsadm -S -n")
