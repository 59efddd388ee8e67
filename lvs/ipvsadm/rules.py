"""Reads the lines of `ipvsadm -S -n` and of saved rules, and replays them.

Nothing is guessed: a line that is not understood raises `ParseError` with the line
and its number.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import ParseError, reason_of
from .lexer import lines_of, mark_key, read_endpoint, service_key
from .types import (
    DEFAULT_PERSISTENCE,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Protocol,
    Service,
    ServiceKey,
    Table,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualEntry,
    canonical_address,
    stored_port,
)

#: Long and short options to one name. "p" may stand without its value.
_VALUED = {
    "-t": "tcp", "--tcp-service": "tcp", "-u": "udp", "--udp-service": "udp",
    "--sctp-service": "sctp", "-f": "mark", "--fwmark-service": "mark",
    "-s": "s", "--scheduler": "s", "-p": "p", "--persistent": "p",
    "-M": "M", "--netmask": "M", "--pe": "pe", "-b": "b", "--sched-flags": "b",
    "-r": "r", "--real-server": "r", "-w": "w", "--weight": "w",
    "-x": "x", "--u-threshold": "x", "-y": "y", "--l-threshold": "y",
    "--tun-type": "type", "--tun-port": "port",
}  # fmt: skip
_FLAGS = {
    "-o": ("o", "o"), "--ops": ("o", "o"), "-6": ("6", "6"), "--ipv6": ("6", "6"),
    "-g": ("method", ForwardingMethod.ROUTE), "--gatewaying": ("method", ForwardingMethod.ROUTE),
    "-i": ("method", ForwardingMethod.TUNNEL), "--ipip": ("method", ForwardingMethod.TUNNEL),
    "-m": ("method", ForwardingMethod.MASQ), "--masquerading": ("method", ForwardingMethod.MASQ),
    "--tun-nocsum": ("csum", TunnelChecksum.NONE), "--tun-csum": ("csum", TunnelChecksum.FULL),
    "--tun-remcsum": ("csum", TunnelChecksum.REMOTE),
}  # fmt: skip
_COMMANDS = {
    "-A": "A", "--add-service": "A", "-E": "E", "--edit-service": "E",
    "-D": "D", "--delete-service": "D", "-a": "a", "--add-server": "a",
    "-e": "e", "--edit-server": "e", "-d": "d", "--delete-server": "d",
}  # fmt: skip
_SERVICE_OPTIONS = frozenset({"s", "p", "M", "pe", "o", "b"})
_SERVER_OPTIONS = frozenset({"r", "method", "w", "x", "y", "type", "port", "csum"})
_ALLOWED = {
    "A": _SERVICE_OPTIONS,
    "E": _SERVICE_OPTIONS,
    "D": frozenset[str](),
    "a": _SERVER_OPTIONS,
    "e": _SERVER_OPTIONS,
    "d": frozenset({"r"}),
}
_NAMES = frozenset({"tcp", "udp", "sctp", "mark", "6"})

_Building = dict[ServiceKey, tuple[Service, dict[DestinationKey, Destination]]]


def parse_save(text: str) -> dict[ServiceKey, VirtualEntry]:
    """The table that `ipvsadm -S -n` printed, or that a saved rules file describes.

    `-S` does not print thresholds: they are 0 here, unless the text (ours) has
    `-x` and `-y`. See `combine` for the complete table.
    """
    return replay(lines_of(text))


def replay(lines: Iterable[str], table: Table | None = None) -> dict[ServiceKey, VirtualEntry]:
    """The table after the `ipvsadm -R` lines are applied in order to `table`.

    Understands -A -E -D -a -e -d with short and long options, and the defaults of
    ipvsadm: what an edit does not say is reset. Raises ParseError for any other
    line, and for one that the kernel would refuse because of what is (not) there.
    """
    building: _Building = {
        key: (entry.service, dict(entry.destinations)) for key, entry in (table or {}).items()
    }
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            _apply(words, building)
        except (ValueError, StopIteration) as error:
            raise ParseError(reason_of(error), line, number) from None
    return {key: VirtualEntry(service, servers) for key, (service, servers) in building.items()}


def _apply(words: list[str], building: _Building) -> None:
    """Apply one line. Raises ValueError."""
    command = _COMMANDS.get(words[0])
    if command is None:
        raise ValueError("this is not a line that describes a table")
    options = _options(words)
    allowed = _ALLOWED[command]
    for name in options:
        if name not in allowed and name not in _NAMES:
            raise ValueError(f"an option does not belong to {words[0]}")
    key = _key(options)
    if command == "A":
        if key in building:
            raise ValueError("the service already exists")
        building[key] = (_service(key, options), {})
        return
    if key not in building:
        raise ValueError("there is no such service")
    _, servers = building[key]
    if command == "E":
        building[key] = (_service(key, options), servers)
    elif command == "D":
        del building[key]
    else:
        _apply_server(command, key, options, servers)


def _apply_server(
    command: str,
    key: ServiceKey,
    options: dict[str, str],
    servers: dict[DestinationKey, Destination],
) -> None:
    destination = _destination(key, options)
    if command == "d":
        server = _server(options, key)
        if servers.pop(server, None) is None:
            raise ValueError("there is no such real server")
        return
    if command == "a" and destination.key in servers:
        raise ValueError("the real server already exists")
    if command == "e" and destination.key not in servers:
        raise ValueError("there is no such real server")
    servers[destination.key] = destination


def _options(words: list[str]) -> dict[str, str]:
    """The options behind the command. Raises ValueError or StopIteration."""
    found: dict[str, str] = {}
    rest = iter(words)
    next(rest)
    count = 0
    position = 1
    for word in rest:
        position += 1
        name = _VALUED.get(word)
        count += 1
        if name is None:
            if word not in _FLAGS:
                raise ValueError(f"the word {word!r} is not understood")
            name, value = _FLAGS[word]
        elif name in "pb" and (position >= len(words) or words[position].startswith("-")):
            # `-p` alone is the default timeout; `-b` alone is printed for a bit without a name.
            value = str(DEFAULT_PERSISTENCE) if name == "p" else ""
        else:
            value = next(rest)
            position += 1
        found[name] = value
    if len(found) != count:
        raise ValueError("an option is given twice")
    return found


def _key(options: dict[str, str]) -> ServiceKey:
    for name, protocol in (
        ("tcp", Protocol.TCP),
        ("udp", Protocol.UDP),
        ("sctp", Protocol.SCTP),
    ):
        if name in options:
            return service_key(protocol, options[name])
    if "mark" in options:
        return mark_key(options["mark"], "6" in options)
    raise ValueError("the line names no service")


def _service(key: ServiceKey, options: dict[str, str]) -> Service:
    scheduler = options.get("s", "wlc")
    return Service.of(
        key,
        scheduler,
        sched_flags=[flag for flag in options.get("b", "").split(",") if flag],
        persistence=int(options["p"]) if "p" in options else None,
        netmask=options.get("M", ""),
        pe=options.get("pe", ""),
        one_packet="o" in options,
    )


def _server(options: dict[str, str], service: ServiceKey) -> DestinationKey:
    """The real server as typed. Without a port it has the service's."""
    text = options.get("r")
    if text is None:
        raise ValueError("the line names no real server")
    is_bare = ":" not in text or (not text.startswith("[") and text.count(":") > 1)
    if is_bare:
        return DestinationKey(canonical_address(text), service.port)
    return read_endpoint(text)


def _destination(service: ServiceKey, options: dict[str, str]) -> Destination:
    typed = _server(options, service)
    method = options.get("method", ForwardingMethod.ROUTE)
    port = stored_port(service, ForwardingMethod(method), typed.port)
    tunnel = None
    if method == ForwardingMethod.TUNNEL:
        tunnel = Tunnel(
            TunnelType(options.get("type", TunnelType.IPIP)),
            int(options.get("port", "0")),
            TunnelChecksum(options.get("csum", TunnelChecksum.NONE)),
        )
    elif "type" in options or "port" in options or "csum" in options:
        raise ValueError("tunnel options need -i")
    return Destination(
        typed if port == typed.port else DestinationKey(typed.address, port),
        ForwardingMethod(method),
        int(options.get("w", "1")),
        int(options.get("x", "0")),
        int(options.get("y", "0")),
        tunnel,
    )
