"""What a keepalived.conf says about IPVS, as frozen values.

Equality leaves out where a thing stands in the file. What the console has no use for is kept
as the statements that they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from console.planning import Problem
from lvs.ipvsadm.types import ForwardingMethod, Tunnel
from lvs.keepalived.tree import Statement


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses from `first` to `last`, both included, at one port; 0 is every port."""

    first: str
    last: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A firewall mark; `family` is 0 where the file does not say."""

    number: int
    family: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """A real server, or the sorry server. None means as the virtual server says."""

    address: str
    port: int = 0
    weight: int | None = None
    method: ForwardingMethod | None = None
    tunnel: Tunnel | None = None
    upper_threshold: int = 0
    lower_threshold: int = 0
    inhibits: bool | None = None
    #: Checks and everything else, as they stand in the file.
    rest: tuple[Statement, ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Addresses and marks that share one virtual server."""

    name: str
    ranges: tuple[Range, ...] = ()
    marks: tuple[Mark, ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)
    comment: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """One virtual_server: of an address, a mark, or a group by name.

    `persistence` is in seconds; `granularity` a mask or a prefix length as it was written.
    """

    target: Range | Mark | str
    family: int = 0
    protocol: str = ""
    scheduler: str = ""
    flags: tuple[str, ...] = ()
    method: ForwardingMethod | None = None
    tunnel: Tunnel | None = None
    persistence: int | None = None
    granularity: str = ""
    engine: str = ""
    one_packet: bool = False
    weight: int = 1
    quorum: int = 1
    hysteresis: int = 0
    inhibits: bool = False
    virtualhost: str = ""
    servers: tuple[Server, ...] = ()
    sorry: Server | None = None
    rest: tuple[Statement, ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)
    comment: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Vrrp:
    """A vrrp_instance: its interface, and its addresses with their interfaces."""

    name: str
    interface: str
    addresses: tuple[tuple[str, str], ...] = ()
    rest: tuple[Statement, ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole file with what it includes.

    `timeouts` are those of TCP, TCP after FIN and UDP in seconds, 0 where none is given.
    `problems` are what was not understood; what is understood and cannot be expressed in the
    console is told by `lvs.keepalived.wording`.
    """

    timeouts: tuple[int, int, int] = (0, 0, 0)
    sync_daemon: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    servers: tuple[VirtualServer, ...] = ()
    vrrp: tuple[Vrrp, ...] = ()
    #: global_defs without the two above.
    settings: tuple[Statement, ...] = ()
    rest: tuple[Statement, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    def group(self, name: str) -> Group | None:
        """The group of a name."""
        return next((group for group in self.groups if group.name == name), None)
