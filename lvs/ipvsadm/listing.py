"""Reads the listings of `ipvsadm -Ln`, each with its own columns.

Every reader takes the whole table (`-Ln`) or one service (`-Ln -t …`, which has no
version line), sorted or not, and raises ParseError for anything else. All want `-n`;
the counters want `--exact` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from .errors import ParseError, reason_of
from .lexer import PROTOCOL_NAMES, lines_of, mark_key, read_endpoint, service_key
from .types import (
    Connections,
    DestinationKey,
    ForwardingMethod,
    Rates,
    Service,
    ServiceKey,
    Stats,
    Tunnel,
    TunnelChecksum,
    TunnelType,
)

Row = TypeVar("Row")
Head = TypeVar("Head")


class Section(NamedTuple, Generic[Head, Row]):
    """One service of a listing: what its own line says, and its destinations' rows."""

    head: Head
    rows: dict[DestinationKey, Row]


class Thresholds(NamedTuple):
    """A row of `--thresholds`. 0 is no limit."""

    upper: int
    lower: int
    connections: Connections


class Listed(NamedTuple):
    """A row of plain `-Ln`."""

    forwarding: ForwardingMethod
    weight: int
    connections: Connections


class Tunnelled(NamedTuple):
    """A row of `--tun-info`; `tunnel` is None for route and masq."""

    forwarding: ForwardingMethod
    tunnel: Tunnel | None
    weight: int
    connections: Connections


METHODS = {
    "Route": ForwardingMethod.ROUTE,
    "Local": ForwardingMethod.ROUTE,
    "Tunnel": ForwardingMethod.TUNNEL,
    "Masq": ForwardingMethod.MASQ,
}
_BANNER = re.compile(r"IP Virtual Server version (\d+)\.(\d+)\.(\d+) \(size=(\d+)\)")
_CHECKSUMS = {
    "-c": TunnelChecksum.NONE,
    "+c": TunnelChecksum.FULL,
    "r+c": TunnelChecksum.REMOTE,
}
_PLAIN = ("Prot LocalAddress:Port Scheduler Flags",)


def parse_listing(text: str) -> dict[ServiceKey, Section[Service, Listed]]:
    """`ipvsadm -Ln`."""
    columns = "-> RemoteAddress:Port Forward Weight ActiveConn InActConn"
    return _sections(text, (*_PLAIN, columns), _service, _listed)


def parse_tunnels(text: str) -> dict[ServiceKey, Section[Service, Tunnelled]]:
    """`ipvsadm -Ln --tun-info`."""
    columns = "-> RemoteAddress:Port Forward TunnelInfo Weight ActiveConn InActConn"
    return _sections(text, (*_PLAIN, columns), _service, _tunnelled)


def parse_thresholds(text: str) -> dict[ServiceKey, Section[Service, Thresholds]]:
    """`ipvsadm -Ln --thresholds`."""
    heading = (
        "Prot LocalAddress:Port Uthreshold Lthreshold ActiveConn InActConn",
        "-> RemoteAddress:Port",
    )
    return _sections(text, heading, _service, _thresholds)


def parse_stats(text: str) -> dict[ServiceKey, Section[Stats, Stats]]:
    """`ipvsadm -Ln --stats --exact`."""
    heading = (
        "Prot LocalAddress:Port Conns InPkts OutPkts InBytes OutBytes",
        "-> RemoteAddress:Port",
    )
    return _sections(text, heading, _counted(Stats), _counter_row(Stats))


def parse_rate(text: str) -> dict[ServiceKey, Section[Rates, Rates]]:
    """`ipvsadm -Ln --rate --exact`."""
    heading = (
        "Prot LocalAddress:Port CPS InPPS OutPPS InBPS OutBPS",
        "-> RemoteAddress:Port",
    )
    return _sections(text, heading, _counted(Rates), _counter_row(Rates))


def check_heading(lines: list[str], heading: tuple[str, ...], *, needs_banner: bool) -> int:
    """How many lines the heading takes. Raises ParseError when it is not this one."""
    start = 0
    if lines and _BANNER.fullmatch(lines[0]):
        start = 1
    elif needs_banner or not lines:
        raise ParseError("the heading is missing", lines[0] if lines else "", 1 if lines else 0)
    for offset, expected in enumerate(heading, start):
        if offset >= len(lines):
            raise ParseError("the output was cut in its heading")
        if " ".join(lines[offset].split()) != expected:
            raise ParseError("this is not the heading of this listing", lines[offset], offset + 1)
    return start + len(heading)


def _sections(
    text: str,
    heading: tuple[str, ...],
    read_head: Callable[[list[str]], tuple[ServiceKey, Head]],
    read_row: Callable[[list[str]], Row],
) -> dict[ServiceKey, Section[Head, Row]]:
    """Split a listing into services. Raises ParseError."""
    lines = lines_of(text)
    first = check_heading(lines, heading, needs_banner=False)
    found: dict[ServiceKey, Section[Head, Row]] = {}
    rows: dict[DestinationKey, Row] | None = None
    for index in range(first, len(lines)):
        line = lines[index]
        words = line.split()
        try:
            if line.startswith("  -> "):
                key = read_endpoint(words[1])
                if rows is None or key in rows:
                    raise ValueError("a real server twice, or under no service")
                rows[key] = read_row(words)
            else:
                service, head = read_head(words)
                if service in found:
                    raise ValueError("the service is listed twice")
                rows = {}
                found[service] = Section(head, rows)
        except (ValueError, LookupError, TypeError) as error:
            raise ParseError(reason_of(error), line, index + 1) from None
    return found


def head_key(words: list[str]) -> tuple[ServiceKey, int]:
    """The service that a line starts with, and how many words it takes."""
    if words[0] == "FWM":
        is_ipv6 = len(words) > 2 and words[2] == "IPv6"
        return mark_key(words[1], is_ipv6), 3 if is_ipv6 else 2
    return service_key(PROTOCOL_NAMES[words[0]], words[1]), 2


def _service(words: list[str]) -> tuple[ServiceKey, Service]:
    """The line of a service: "TCP  10.0.0.1:80 sh (sh-port) persistent 60 mask … pe sip ops"."""
    key, taken = head_key(words)
    scheduler = words[taken]
    rest = words[taken + 1 :]
    if not rest:
        return key, Service(key, scheduler)
    flags: list[str] = []
    if rest[0].startswith("("):
        flags = [flag for flag in rest.pop(0).strip("()").split(",") if flag]
    one_packet = bool(rest) and rest[-1] == "ops"
    if one_packet:
        rest.pop()
    pairs = dict(zip(rest[::2], rest[1::2], strict=True))
    persistence = int(pairs.pop("persistent")) if "persistent" in pairs else None
    netmask, pe = pairs.pop("mask", ""), pairs.pop("pe", "")
    if pairs:
        raise ValueError(f"the word {next(iter(pairs))!r} is not understood")
    service = Service.of(
        key,
        scheduler,
        sched_flags=flags,
        persistence=persistence,
        netmask=netmask,
        pe=pe,
        one_packet=one_packet,
    )
    return key, service


def _thresholds(words: list[str]) -> Thresholds:
    _, _, upper, lower, active, inactive = words
    return Thresholds(int(upper), int(lower), Connections(int(active), int(inactive)))


def _listed(words: list[str]) -> Listed:
    _, _, method, weight, active, inactive = words
    return Listed(METHODS[method], int(weight), Connections(int(active), int(inactive)))


def _tunnelled(words: list[str]) -> Tunnelled:
    _, _, method, info, weight, active, inactive = words
    connections = Connections(int(active), int(inactive))
    return Tunnelled(METHODS[method], _tunnel(METHODS[method], info), int(weight), connections)


def _tunnel(method: ForwardingMethod, info: str) -> Tunnel | None:
    """ "n/a", "ipip", "gue:6080:-c", "gre:+c"."""
    if method is not ForwardingMethod.TUNNEL:
        return None
    kind, *rest = info.split(":")
    if kind == TunnelType.GUE:
        port, checksum = rest
        return Tunnel(TunnelType.GUE, int(port), _CHECKSUMS[checksum])
    if kind == TunnelType.GRE:
        (checksum,) = rest
        return Tunnel(TunnelType.GRE, 0, _CHECKSUMS[checksum])
    if kind != TunnelType.IPIP or rest:
        raise ValueError(f"the tunnel {info!r} is not understood")
    return Tunnel()


Counters = TypeVar("Counters", Stats, Rates)


def _counted(kind: type[Counters]) -> Callable[[list[str]], tuple[ServiceKey, Counters]]:
    def read(words: list[str]) -> tuple[ServiceKey, Counters]:
        key, taken = head_key(words)
        return key, _counters(kind, words[taken:])

    return read


def _counter_row(kind: type[Counters]) -> Callable[[list[str]], Counters]:
    def read(words: list[str]) -> Counters:
        return _counters(kind, words[2:])

    return read


def _counters(kind: type[Counters], words: list[str]) -> Counters:
    if len(words) != 5:
        raise ValueError("there are not five counters")
    if not all(word.isdecimal() for word in words):
        raise ValueError("the counters are rounded: read with --exact")
    return kind(*(int(word) for word in words))
