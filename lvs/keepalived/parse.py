"""Reads keepalived.conf into values; what is not understood becomes a problem with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeVar

from console.planning import Problem
from console.planning import mark as _
from lvs.ipvsadm.types import (
    DEFAULT_PERSISTENCE,
    MAX_FWMARK,
    ForwardingMethod,
    Tunnel,
    TunnelChecksum,
    TunnelType,
)
from lvs.keepalived.expand import Reader
from lvs.keepalived.tree import Statement, build
from lvs.keepalived.types import (
    Configuration,
    Group,
    Mark,
    Range,
    Server,
    VirtualServer,
    Vrrp,
)

METHODS = {
    "NAT": ForwardingMethod.MASQ,
    "DR": ForwardingMethod.ROUTE,
    "TUN": ForwardingMethod.TUNNEL,
}
FLAGS = frozenset({"flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port",
                   "mh-fallback"})  # fmt: skip
_TIMEOUTS = ("tcp", "tcpfin", "udp")

T = TypeVar("T")
S = TypeVar("S", VirtualServer, Server)


def parse(
    text: str,
    file: str = "",
    *,
    files: Mapping[str, str] | None = None,
    config_id: str | None = None,
) -> Configuration:
    """A configuration from its text. `files` are those that it may include, by path;
    `config_id` is the name that lines beginning with @ ask for.

    Raises ConfigurationError for what cannot be read at all.
    """
    reader = Reader(files or {}, config_id)
    statements = build(reader.lines(text, file))
    problems: list[Problem] = [
        Problem(
            "keepalived-not-included",
            f"{name}:{line}",
            _("Line %(line)s includes %(pattern)s, which was not read."),
            _("Where it holds virtual servers, give its text too."),
            {"pattern": pattern, "line": line},
            is_blocking=False,
        )
        for pattern, name, line in reader.not_read
    ]
    if reader.undecided:
        problems.append(
            Problem(
                "keepalived-condition",
                f"{reader.undecided[0][0]}:{reader.undecided[0][1]}",
                _(
                    "%(count)s lines are for machines of certain names only (@name), and the name"
                    " of this one is not known."
                ),
                _("They were left out. Import from the machine itself to have them decided."),
                {"count": len(reader.undecided)},
            )
        )
    return _Builder(problems).configuration(statements)


class _Builder:
    """Makes values of statements, and keeps the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def configuration(self, statements: tuple[Statement, ...]) -> Configuration:
        made = Configuration()
        groups: list[Group] = []
        servers: list[VirtualServer] = []
        vrrp: list[Vrrp] = []
        rest: list[Statement] = []
        for one in statements:
            if one.keyword == "global_defs":
                made = self._globals(made, one)
            elif one.keyword == "virtual_server_group":
                groups.append(self._group(one))
            elif one.keyword == "virtual_server":
                found = self._guard(one, self._virtual_server, one)
                servers.extend([found] if found else [])
            elif one.keyword == "vrrp_instance":
                vrrp.append(self._vrrp(one))
            else:
                rest.append(one)
        return replace(
            made,
            groups=tuple(groups),
            servers=tuple(servers),
            vrrp=tuple(vrrp),
            rest=tuple(rest),
            problems=tuple(self.problems),
        )

    def _guard(self, one: Statement, make: Callable[..., T], *values: Any) -> T | None:
        """What `make` returns; None and a problem where a value is none that it can be."""
        try:
            return make(*values)
        except (ValueError, KeyError) as error:
            self._not_understood(one, str(error))
            return None

    def _not_understood(self, one: Statement, why: str = "") -> None:
        self.problems.append(
            Problem(
                "keepalived-not-understood",
                f"{one.file}:{one.line}",
                _("Line %(line)s is not understood: %(text)s"),
                _("Compare it with keepalived.conf(5); `keepalived -t` may say more."),
                {"line": one.line, "text": " ".join(one.words)[:120], "why": why[:200]},
            )
        )

    def _globals(self, made: Configuration, block: Statement) -> Configuration:
        settings = list(made.settings)
        for one in block.children:
            if one.keyword == "lvs_sync_daemon":
                made = replace(made, sync_daemon=one.words[1:])
            elif one.keyword == "lvs_timeouts":
                given = self._guard(one, _timeouts, one)
                made = replace(made, timeouts=given) if given else made
            else:
                settings.append(one)
        return replace(made, settings=tuple(settings))

    def _group(self, block: Statement) -> Group:
        ranges: list[Range] = []
        marks: list[Mark] = []
        for one in block.children:
            if one.keyword == "fwmark":
                mark = self._guard(one, _mark, one.word(1), one.word(2))
                marks.extend([mark] if mark else [])
            else:
                found = self._guard(one, read_range, one.word(0), one.word(1))
                ranges.extend([found] if found else [])
        return Group(
            block.word(1), tuple(ranges), tuple(marks), block.line, block.file, block.comment
        )

    def _virtual_server(self, block: Statement) -> VirtualServer:
        made = VirtualServer(
            _target(block), line=block.line, file=block.file, comment=block.comment
        )
        servers: list[Server] = []
        rest: list[Statement] = []
        for one in block.children:
            if one.keyword == "real_server":
                found = self._guard(one, self._server, one)
                servers.extend([found] if found else [])
            elif one.keyword == "sorry_server":
                sorry = self._guard(one, self._server, one)
                made = replace(made, sorry=sorry)
            elif one.keyword in _SERVICE:
                changed = self._guard(one, _SERVICE[one.keyword], made, one)
                made = changed or made
            else:
                rest.append(one)
        return replace(made, servers=tuple(servers), rest=tuple(rest))

    def _server(self, block: Statement) -> Server:
        made = Server(
            str(_address(block.word(1))), _port(block.word(2)), line=block.line, file=block.file
        )
        rest: list[Statement] = []
        for one in block.children:
            if one.keyword in _SERVER:
                changed = self._guard(one, _SERVER[one.keyword], made, one)
                made = changed or made
            else:
                rest.append(one)
        return replace(made, rest=tuple(rest))

    def _vrrp(self, block: Statement) -> Vrrp:
        interface = next((one.word(1) for one in block.find("interface")), "")
        addresses = []
        for inner in block.find("virtual_ipaddress", "virtual_ipaddress_excluded"):
            for one in inner.children:
                device = one.words[one.words.index("dev") + 1 :][:1] if "dev" in one.words else ()
                addresses.append((one.word(0), device[0] if device else interface))
        rest = tuple(
            one
            for one in block.children
            if one.keyword not in {"interface", "virtual_ipaddress", "virtual_ipaddress_excluded"}
        )
        return Vrrp(block.word(1), interface, tuple(addresses), rest, block.line, block.file)


def read_range(text: str, port: str = "") -> Range:
    """An address, 10.0.0.51-53, 10.0.0.250-10.0.1.10 or 10.0.0.8/29. Raises ValueError."""
    if "/" in text:
        network = ip_network(text)
        return Range(str(network[0]), str(network[-1]), _port(port))
    first, dash, last = text.partition("-")
    begin = _address(first)
    if not dash:
        return Range(str(begin), str(begin), _port(port))
    if ":" in last or "." in last:
        end = _address(last)
    else:
        bits, base = (8, 10) if begin.version == 4 else (16, 16)
        tail = int(last, base)
        if not 0 <= tail < 1 << bits:
            raise ValueError(f"{last!r} ends no range")
        end = type(begin)(int(begin) >> bits << bits | tail)
    if end.version != begin.version or int(end) < int(begin):
        raise ValueError(f"{text!r} is no range")
    return Range(str(begin), str(end), _port(port))


def _address(text: str) -> IPv4Address | IPv6Address:
    return ip_address(text)


def _port(text: str) -> int:
    port = int(text or 0)
    if not 0 <= port <= 65535:
        raise ValueError(f"{text!r} is no port")
    return port


def _number(text: str, low: int = 0, high: int = 2**31 - 1) -> int:
    number = int(text)
    if not low <= number <= high:
        raise ValueError(f"{text!r} is not in {low}..{high}")
    return number


def _mark(number: str, family: str = "") -> Mark:
    return Mark(_number(number, 1, MAX_FWMARK), {"": 0, "inet": 4, "inet6": 6}[family or ""])


def _target(block: Statement) -> Range | Mark | str:
    if block.word(1) == "fwmark":
        return _mark(block.word(2))
    if block.word(1) == "group":
        return block.word(2)
    found = read_range(block.word(1), block.word(2))
    if found.first != found.last:
        raise ValueError("a virtual server has one address")
    return found


def _timeouts(one: Statement) -> tuple[int, int, int]:
    given = dict(zip(one.words[1::2], one.words[2::2], strict=True))
    if set(given) - set(_TIMEOUTS):
        raise ValueError("unknown timeout")
    tcp, fin, udp = (_number(given.get(name, "0")) for name in _TIMEOUTS)
    return tcp, fin, udp


def _method(words: tuple[str, ...]) -> tuple[ForwardingMethod, Tunnel | None]:
    """NAT, DR, or TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]."""
    name = words[0] if words else ""
    if name not in METHODS:
        raise ValueError(f"{name!r} is no forwarding method")
    method = METHODS[name]
    if method is not ForwardingMethod.TUNNEL:
        return method, None
    kind, port, checksum = TunnelType.IPIP, 0, TunnelChecksum.NONE
    rest = iter(words[1:])
    for word in rest:
        if word == "type":
            kind = TunnelType(next(rest, ""))
        elif word == "port":
            port = _port(next(rest, ""))
        else:
            checksum = TunnelChecksum(word)
    return method, Tunnel(kind, port, checksum)


def _is_on(one: Statement) -> bool:
    """A switch without a word is on."""
    word = one.word(1).lower()
    if word not in {"", "on", "true", "yes", "off", "false", "no"}:
        raise ValueError(f"{word!r} is neither on nor off")
    return word not in {"off", "false", "no"}


def _with_method(made: S, one: Statement) -> S:
    method, tunnel = _method(one.words[1:])
    return replace(made, method=method, tunnel=tunnel)


def _with_flag(made: VirtualServer, one: Statement) -> VirtualServer:
    return replace(made, flags=(*made.flags, one.keyword))


def _protocol(one: Statement) -> str:
    name = one.word(1).lower()
    if name not in {"tcp", "udp", "sctp"}:
        raise ValueError(f"{name!r} is no protocol")
    return name


def _persistence(one: Statement) -> int | None:
    """0 turns it off, as it did in files of old."""
    return _number(one.word(1)) or None if one.word(1) else DEFAULT_PERSISTENCE


_SERVICE: dict[str, Callable[[VirtualServer, Statement], VirtualServer]] = {
    "lvs_sched": lambda made, one: replace(made, scheduler=one.word(1)),
    "lb_algo": lambda made, one: replace(made, scheduler=one.word(1)),
    "lvs_method": _with_method,
    "lb_kind": _with_method,
    "protocol": lambda made, one: replace(made, protocol=_protocol(one)),
    "ops": lambda made, one: replace(made, one_packet=True),
    "persistence_timeout": lambda made, one: replace(made, persistence=_persistence(one)),
    "persistence_granularity": lambda made, one: replace(made, granularity=one.word(1)),
    "persistence_engine": lambda made, one: replace(made, engine=one.word(1)),
    "ip_family": lambda made, one: replace(made, family={"inet": 4, "inet6": 6}[one.word(1)]),
    "weight": lambda made, one: replace(made, weight=_number(one.word(1))),
    "quorum": lambda made, one: replace(made, quorum=_number(one.word(1), 1)),
    "hysteresis": lambda made, one: replace(made, hysteresis=_number(one.word(1))),
    "virtualhost": lambda made, one: replace(made, virtualhost=one.word(1)),
    "inhibit_on_failure": lambda made, one: replace(made, inhibits=_is_on(one)),
    **dict.fromkeys(FLAGS, _with_flag),
}
_SERVER: dict[str, Callable[[Server, Statement], Server]] = {
    "weight": lambda made, one: replace(made, weight=_number(one.word(1))),
    "lvs_method": _with_method,
    "lb_kind": _with_method,
    "uthreshold": lambda made, one: replace(made, upper_threshold=_number(one.word(1))),
    "lthreshold": lambda made, one: replace(made, lower_threshold=_number(one.word(1))),
    "inhibit_on_failure": lambda made, one: replace(made, inhibits=_is_on(one)),
}
