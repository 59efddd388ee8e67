"""How ipvsadm 1.31 understands its words: a small option reader of its own.

Written from ipvsadm(8) and from what the tool was seen to answer (tests/captures).
It shares no code with lvs/ipvsadm, so that the two can be held against each other.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

V4, V6 = socket.AF_INET, socket.AF_INET6
HELP = "Try `ipvsadm -h' or 'ipvsadm --help' for more information."


class Exit(Exception):
    """ipvsadm gives up at once: nothing after this line runs."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Refused(Exception):
    """This command failed; a restore goes on with the next line."""


#: long option -> short or tag; "=" marks one with a value, "?" an optional value.
LONG = {
    "add-service": "A", "edit-service": "E", "delete-service": "D", "clear": "C",
    "list": "L", "zero": "Z", "add-server": "a", "edit-server": "e", "delete-server": "d",
    "set": "set", "version": "v", "restore": "R", "save": "S", "start-daemon": "start=",
    "stop-daemon": "stop=", "tcp-service": "t=", "udp-service": "u=", "sctp-service": "sctp=",
    "fwmark-service": "f=", "scheduler": "s=", "persistent": "p?", "netmask": "M=",
    "real-server": "r=", "masquerading": "m", "ipip": "i", "gatewaying": "g", "weight": "w=",
    "u-threshold": "x=", "l-threshold": "y=", "numeric": "n", "connection": "c",
    "mcast-interface": "mcast=", "syncid": "syncid=", "timeout": "timeout", "daemon": "daemon",
    "stats": "stats", "rate": "rate", "thresholds": "thresholds",
    "persistent-conn": "persistent-conn", "nosort": "nosort", "sort": "sort", "exact": "exact",
    "ipv6": "6", "ops": "o", "pe": "pe=", "sched-flags": "b=", "tun-info": "tun-info",
    "tun-type": "tun-type=", "tun-port": "tun-port=", "tun-nocsum": "tun-nocsum",
    "tun-csum": "tun-csum", "tun-remcsum": "tun-remcsum",
}  # fmt: skip
SHORT = {name[0]: name for name in LONG.values() if len(name.rstrip("=?")) == 1} | {"l": "L"}
COMMANDS = {
    "A": "add-service", "E": "edit-service", "D": "delete-service", "C": "flush", "L": "list",
    "Z": "zero", "a": "add-server", "e": "edit-server", "d": "delete-server", "set": "set",
    "v": "version", "R": "restore", "S": "save", "start": "start-daemon", "stop": "stop-daemon",
}  # fmt: skip
SERVICE = {"t": socket.IPPROTO_TCP, "u": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
#: What ipvsadm calls an option when it complains; others by their own name.
CALLED = {
    "t": "service-address", "u": "service-address", "sctp": "service-address",
    "f": "service-address", "s": "scheduler", "p": "persistent", "M": "netmask",
    "r": "real-server", "g": "forwarding-method", "i": "forwarding-method",
    "m": "forwarding-method", "w": "weight", "x": "u-threshold", "y": "l-threshold",
    "n": "numeric", "c": "connection", "mcast": "mcast-interface", "o": "ops",
    "b": "sched-flags",
}  # fmt: skip
SUMS = ("tun-nocsum", "tun-csum", "tun-remcsum")
_DEFINE_SERVICE = ("service-address", "scheduler", "persistent", "netmask", "ops", "pe",
                   "sched-flags")  # fmt: skip
_DEFINE_SERVER = ("service-address", "real-server", "forwarding-method", "weight", "u-threshold",
                  "l-threshold", "tun-type", "tun-port", *SUMS)  # fmt: skip
_VIEWS = ("timeout", "daemon", "stats", "rate", "thresholds", "persistent-conn", "nosort", "exact",
          "tun-info")  # fmt: skip
#: command -> the options that it takes; those with a "+" it must have.
LEGAL = {
    "A": ("+service-address", *_DEFINE_SERVICE), "E": ("+service-address", *_DEFINE_SERVICE),
    "D": ("+service-address",), "a": ("+service-address", "+real-server", *_DEFINE_SERVER),
    "e": ("+service-address", "+real-server", *_DEFINE_SERVER),
    "d": ("+service-address", "+real-server"), "Z": ("service-address",), "S": ("numeric",),
    "L": ("numeric", "connection", "service-address", *_VIEWS),
    "start": ("mcast-interface", "syncid"), "stop": ("syncid",),
}  # fmt: skip


@dataclass
class Service:
    """The service that a line names, with the definition that it gives."""

    af: int = V4
    protocol: int = 0
    address: bytes = b""
    port: int = 0
    mark: int = 0
    scheduler: str = "wlc"
    flags: int = 0
    timeout: int | None = None
    mask: int = 0xFFFFFFFF
    pe: str = ""
    ops: bool = False

    @property
    def ident(self) -> tuple[object, ...]:
        if self.mark:
            return ("fwm", self.mark, self.af)
        return (self.af, self.protocol, self.address, self.port)


@dataclass
class Server:
    """The real server that a line names, with the definition that it gives."""

    af: int = V4
    address: bytes = b""
    port: int = 0
    method: str = "g"
    weight: int = 1
    upper: int = 0
    lower: int = 0
    tun_type: str = "ipip"
    tun_port: int = 0
    tun_flags: str = "nocsum"
    active: int = 0
    inactive: int = 0
    counters: list[int] = field(default_factory=lambda: [0] * 5)

    @property
    def ident(self) -> tuple[int, bytes, int]:
        return (self.af, self.address, self.port)


@dataclass
class Request:
    """One understood command line."""

    command: str
    role: str
    options: dict[str, str]
    service: Service | None
    server: Server | None
    arguments: list[str]


def options_of(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options in order, and the words that are none. Raises Refused as popt complains."""
    options: list[tuple[str, str]] = []
    arguments: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word.startswith("--"):
            known = LONG.get(word[2:])
            names = [known] if known else None
        elif word.startswith("-") and len(word) > 1:
            names = [SHORT[c] for c in word[1:]] if all(c in SHORT for c in word[1:]) else None
        else:
            arguments.append(word)
            continue
        if names is None:
            if not options:
                raise Exit(255, HELP)
            raise Refused(f"{word}: unknown option")
        for name in names:
            value = ""
            if name.endswith("=") or (name.endswith("?") and queue and queue[0][:1] != "-"):
                if not queue:
                    raise Refused(f"{word}: missing argument")
                value = queue.pop(0)
            options.append((name.rstrip("=?"), value))
    return options, arguments


def understand(words: list[str]) -> Request:
    """Read the words after "ipvsadm". Raises Exit or Refused as the tool would."""
    options, arguments = options_of(words)
    if not options or options[0][0] not in COMMANDS:
        raise Exit(255, HELP)
    command, value = options[0]
    if command in ("start", "stop") and value not in ("master", "backup"):
        raise Exit(2, "illegal start-daemon parameter specified")
    given: dict[str, str] = {}
    service: Service | None = None
    server: Server | None = None
    for name, text in options[1:]:
        if name in COMMANDS:
            raise Exit(2, f"invalid option `{name}'")
        called = CALLED.get(name, name)
        if called in given and name not in ("6", "sort"):
            raise Exit(2, f"multiple '{called}' options specified")
        given[called] = text or name
        if called == "service-address":
            service = _name(name, text)
        elif name == "6":
            if service is None or not service.mark:
                raise Exit(2, "-6 used before -f\n")
            service.af, service.mask = V6, 128
        elif name == "r":
            server = _server(text, service or Service())
    for name, text in options[1:]:
        if service is not None and name in ("s", "p", "M", "o", "pe"):
            _define(service, name, text)
        if server is not None:
            _set_server(server, name, text)
    if arguments and command != "set":
        raise Exit(2, f"unexpected argument {arguments[0]}")
    if service is not None and "sched-flags" in given:
        service.flags = _sched_flags(service.scheduler, given["sched-flags"])
    _check_legal(command, [name for name in given if name not in ("6", "sort")])
    request = Request(command, value, given, service, server, arguments)
    _check(request)
    return request


def _check_legal(command: str, names: list[str]) -> None:
    legal = LEGAL.get(command, ())
    for name in (one[1:] for one in legal if one.startswith("+")):
        if name not in names:
            raise Exit(
                2,
                f"You need to supply the '{name}' option for the '{COMMANDS[command]}' command",
            )
    for name in names:
        if name not in legal and f"+{name}" not in legal:
            raise Exit(2, f"Illegal '{name}' option with the '{COMMANDS[command]}' command")


def _number(text: str, low: int, high: int, message: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise Exit(2, message)
    return number


def _name(option: str, text: str) -> Service:
    if option == "f":
        mark = _number(text, 1, 2**32 - 1, f"invalid fwmark value `{text}' specified")
        return Service(V4, socket.IPPROTO_TCP, mark=mark)
    parsed = address_port(text)
    if parsed is None:
        raise Exit(2, "illegal virtual server address[:port] specified")
    af, address, port = parsed
    mask = 128 if af == V6 else 0xFFFFFFFF
    return Service(af, SERVICE[option], address, port or 0, mask=mask)


def _server(text: str, service: Service) -> Server:
    parsed = address_port(text)
    if parsed is None:
        raise Exit(2, "illegal real server address[:port] specified")
    af, address, port = parsed
    return Server(af, address, service.port if port is None else port)


def address_port(text: str) -> tuple[int, bytes, int | None] | None:
    """(family, packed address, port or None), or None where ipvsadm says "illegal"."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]:")
        if not bracket or not _is(V6, host):
            return None
        return _with_port(V6, host, port)
    if _is(V6, text):
        return V6, socket.inet_pton(V6, text), None
    host, colon, port = text.rpartition(":")
    if not colon:
        host = text
    if not _is(V4, host):
        return None
    return _with_port(V4, host, port) if colon else (V4, socket.inet_pton(V4, host), None)


def _with_port(af: int, host: str, port: str) -> tuple[int, bytes, int] | None:
    if not port.isdigit() or int(port) > 65535:
        return None
    return af, socket.inet_pton(af, host), int(port)


def _is(af: int, text: str) -> bool:
    try:
        socket.inet_pton(af, text)
    except OSError:
        return False
    return True


def _define(service: Service, name: str, text: str) -> None:
    if name == "s":
        service.scheduler = text
    elif name == "p":
        message = f"invalid timeout value `{text}' specified"
        service.timeout = _number(text, 1, 31 * 86400, message) if text else 360
    elif name == "o":
        service.ops = True
    elif name == "pe":
        service.pe = text
    elif service.af == V6:
        service.mask = _number(text, 1, 128, "illegal ipv6 netmask specified")
    elif _is(V4, text):
        service.mask = int.from_bytes(socket.inet_pton(V4, text), "big")
    else:
        raise Exit(2, "illegal virtual server persistent mask specified")


def _sched_flags(scheduler: str, text: str) -> int:
    bits = {"flag-1": 1, "flag-2": 2, "flag-3": 4}
    if scheduler in ("sh", "mh"):
        bits |= {f"{scheduler}-fallback": 1, f"{scheduler}-port": 2}
    total = 0
    for flag in text.split(","):
        if flag not in bits:
            known = flag in ("sh-fallback", "sh-port", "mh-fallback", "mh-port")
            raise Exit(2, f"{'incompatible' if known else 'invalid'} scheduler flag `{flag}'")
        total |= bits[flag]
    return total


def _set_server(server: Server, name: str, text: str) -> None:
    if name in ("g", "i", "m"):
        server.method = name
    elif name == "w":
        server.weight = _number(text, 0, 2**31 - 1, "illegal weight specified")
    elif name == "x":
        server.upper = _number(text, 0, 2**31 - 1, "illegal u_threshold specified")
    elif name == "y":
        server.lower = _number(text, 0, 2**31 - 1, "illegal l_threshold specified")
    elif name == "tun-type":
        if text not in ("ipip", "gue", "gre"):
            raise Exit(2, "illegal tunnel type specified")
        server.tun_type = text
    elif name == "tun-port":
        server.tun_port = _number(text, 1, 65535, "illegal tunnel port specified")
    elif name.startswith("tun-"):
        server.tun_flags = name[4:]


def _check(request: Request) -> None:
    """What ipvsadm itself refuses before it asks the kernel."""
    service, server, given = request.service, request.server, request.options
    if request.command in "AE" and service is not None:
        if not service.mark and not service.port and service.timeout is None:
            raise Exit(2, "Zero port specified for non-persistent service")
        if service.ops and not service.mark and service.protocol != socket.IPPROTO_UDP:
            raise Exit(2, "One-Packet Scheduling is only for UDP virtual services")
    if request.command not in "ae" or service is None or server is None:
        return
    if not service.mark and server.method in "gi":
        server.port = service.port
    if server.af != service.af and server.method != "i":
        raise Exit(2, "Different address family is allowed only for tunneling servers")
    if any(name.startswith("tun-") for name in given) and server.method != "i":
        raise Exit(2, "Tunnel options conflict with forward method")
    _check_tunnel(server.tun_type, given)


def _check_tunnel(kind: str, given: dict[str, str]) -> None:
    legal = {"ipip": (), "gue": ("tun-port", *SUMS), "gre": SUMS[:2]}[kind]
    sums = []
    for name in ("tun-port", *SUMS):
        if name == "tun-port" and kind == "gue" and name not in given:
            raise Exit(2, f"You need to supply the '{name}' option for the '{kind}' tunnel type")
        if name in given and name not in legal:
            raise Exit(2, f"Illegal '{name}' option with the '{kind}' tunnel type")
        if name in given and name in SUMS:
            sums.append(name)
    if len(sums) > 1:
        raise Exit(
            2,
            f"The option '{sums[1]}' conflicts with the '{sums[0]}' option "
            f"in the '{kind}' tunnel type",
        )
