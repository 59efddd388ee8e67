"""The real servers of a service, each asked alone through the forwarding path: values.

What runs on the director is `director.py`; here is what it is given and what it answered.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lvs.ipvsadm.render import destination_options
from lvs.ipvsadm.types import Destination, ForwardingMethod, endpoint
from lvs.probe.reading import IncompleteProof

_SCRIPT = Path(__file__).with_name("director.py")
#: Firewall marks of the probes; services have theirs in 0x0E000001 to 0x0EFFFFFF.
FIRST_MARK, LAST_MARK = 0x0F000001, 0x0F00FFFF
#: Real servers of one probe, at most.
MAX_SERVERS = 256
#: Seconds for one question, and bytes of the upload that finds an MTU hole.
TIMEOUT = 3.0
UPLOAD = 60_000
#: Where a client is taken to be that is not known: outside everywhere (RFC 5737, RFC 3849).
SOMEWHERE = ("198.51.100.254", "2001:db8::fffe")

_NO_MAC = "00:00:00:00:00:00"


class ProbeBusy(Exception):
    """Another probe of this director has not ended."""


class ProbeFailed(Exception):
    """A command of the probe failed on the director: in its own words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One real server to be asked. `forwarding` is the declared word (masq, route, tunnel,
    fullnat), `port` the one that it listens on."""

    destination: Destination
    forwarding: str
    port: int

    @property
    def name(self) -> str:
        return str(self.destination.key)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question, in how many seconds, and what was said."""

    outcome: str = ""
    seconds: float = 0.0
    said: str = ""

    @property
    def is_fine(self) -> bool:
        return self.outcome in ("answered", "connected")


@dataclass(frozen=True, slots=True)
class Reached:
    """One real server: asked plainly at its own address, through the path, and with an
    upload, which is taken, closed, hung, or "" where none was tried. `mss` is the largest
    segment that it offers; `interface` the director's towards it, "" for the director itself,
    `mtu` that of the interface."""

    name: str
    direct: Answer
    path: Answer
    upload: Answer
    mss: int = 0
    interface: str = ""
    mtu: int = 0


@dataclass(frozen=True, slots=True)
class Paths:
    """What one probe found. `settings` are kernel settings by their path below net/,
    `neighbours` and `macs` link-layer addresses of real servers and of the director."""

    servers: tuple[Reached, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    neighbours: Mapping[str, str] = field(default_factory=dict)
    macs: frozenset[str] = frozenset()

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.servers]


def is_probe_mark(fwmark: int) -> bool:
    """Whether a firewall mark is one of the probes'."""
    return FIRST_MARK <= fwmark <= LAST_MARK


def director_script(
    protocol: str, vip: str, port: int, asked: Iterable[Asked], client: str = ""
) -> bytes:
    """What is fed to `python3 -` on the director.

    `client` is the address whose answers have to come back through the director where the
    method is NAT or Full NAT; without one, an address outside everywhere.
    """
    servers = [
        _server(one, FIRST_MARK + number, vip, port)
        for number, one in enumerate(list(asked)[:MAX_SERVERS])
    ]
    is_ipv6 = ":" in vip
    if not client or (":" in client) != is_ipv6:
        client = SOMEWHERE[is_ipv6]
    parameters = {
        "servers": servers,
        "protocol": protocol,
        "client": client,
        "timeout": TIMEOUT,
        "size": UPLOAD,
    }
    return f"PARAMETERS = {parameters!r}\n{_SCRIPT.read_text()}".encode()


def sweep_script() -> bytes:
    """Takes back what a probe left that was killed together with its guard."""
    parameters = {"servers": [], "protocol": "", "client": "", "timeout": 0, "size": 0}
    return f"PARAMETERS = {parameters!r}\n{_SCRIPT.read_text()}".encode()


def seconds_for(servers: int) -> float:
    """Seconds that a probe may take."""
    return 60.0 + (1 + servers // 16) * 4 * TIMEOUT


def _server(one: Asked, mark: int, vip: str, port: int) -> dict[str, Any]:
    """By NAT the answer must find the way back to a client through the director; by DR and
    TUN it does not pass the director, so the director itself has to be the client."""
    destination = one.destination._replace(weight=1, upper_threshold=0, lower_threshold=0)
    is_masq = destination.forwarding is ForwardingMethod.MASQ
    return {
        "name": one.name,
        "mark": mark,
        "server": endpoint(*destination.key),
        "address": destination.key.address,
        "port": one.port or port,
        "vip": vip,
        "vport": port or one.port,
        "options": destination_options(destination, with_thresholds=False),
        "source": "client" if is_masq else "own",
        "full_nat": one.forwarding == "fullnat",
    }


def read_paths(text: str, said: str = "") -> Paths:
    """What the director printed. Raises IncompleteProof without the end line, ProbeBusy,
    ProbeFailed."""
    lines = list(_lines(text))
    kinds = {line[0] for line in lines}
    if "busy" in kinds:
        raise ProbeBusy
    if "end" not in kinds:
        raise IncompleteProof(said.strip() or "the director's answer stops in the middle")
    for line in lines:
        if line[0] == "failed":
            raise ProbeFailed(f"{line[1]}: {line[2]}")
    interfaces = {line[1]: (line[2], int(line[3] or 0)) for line in lines if line[0] == "interface"}
    devices = {line[1]: line[2] for line in lines if line[0] == "route"}
    return Paths(
        tuple(
            _reached(line, devices, {name: mtu for name, (_mac, mtu) in interfaces.items()})
            for line in lines
            if line[0] == "server"
        ),
        {line[1]: line[2] for line in lines if line[0] == "setting"},
        {line[1]: line[2] for line in lines if line[0] == "neighbour"},
        frozenset(mac for mac, _mtu in interfaces.values() if len(mac) == 17 and mac != _NO_MAC),
    )


def _lines(text: str) -> Iterable[tuple[Any, ...]]:
    for line in text.splitlines():
        try:
            words = ast.literal_eval(line)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise IncompleteProof(f"not understood: {line[:200]!r}") from error
        if not isinstance(words, tuple) or not words:
            raise IncompleteProof(f"not understood: {line[:200]!r}")
        yield words


def _reached(line: tuple[Any, ...], devices: Mapping[str, str], mtus: Mapping[str, int]) -> Reached:
    try:
        _kind, name, direct, path, upload, mss = line
        found = Reached(str(name), Answer(*direct), Answer(*path), Answer(*upload), int(mss))
    except (ValueError, TypeError) as error:
        raise IncompleteProof(f"not understood: {str(line)[:200]!r}") from error
    address = name.rpartition(":")[0].strip("[]")
    device = devices.get(address, "")
    return replace(found, interface=device, mtu=mtus.get(device, 0))
