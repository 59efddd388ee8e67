"""What a preflight found on a machine: frozen values, nothing judged yet.

PURE. A field that could not be read is None (or an empty tuple where "none" and
"not readable" mean the same to every check); text is as the machine wrote it.
Sizes are bytes, times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import codec


class Presence(StrEnum):
    """How a kernel has a module."""

    LOADED = "loaded"
    BUILTIN = "builtin"
    #: On disk for the running kernel, and nothing keeps modprobe from loading it.
    LOADABLE = "loadable"
    #: On disk, and modprobe.d(5) or kernel.modules_disabled keeps it out.
    BLOCKED = "blocked"
    ABSENT = "absent"
    #: Neither the module tree nor the kernel's configuration could be read.
    UNKNOWN = "unknown"

    @property
    def is_usable(self) -> bool:
        return self in (Presence.LOADED, Presence.BUILTIN, Presence.LOADABLE)


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module that matters to a role; names are written with underscores."""

    name: str
    presence: Presence


@dataclass(frozen=True, slots=True)
class Kernel:
    """`modules` holds what was found; what is missing from it is absent, or
    unknown when `is_listing_complete` is False."""

    sysname: str
    hostname: str
    release: str
    machine: str
    modules: tuple[Module, ...]
    is_listing_complete: bool

    def presence(self, name: str) -> Presence:
        """How this kernel has the module of that name."""
        for module in self.modules:
            if module.name == name:
                return module.presence
        return Presence.ABSENT if self.is_listing_complete else Presence.UNKNOWN


@dataclass(frozen=True, slots=True)
class Distribution:
    """os-release(5): `id` and `like` are lower-case words."""

    id: str
    like: tuple[str, ...]
    version: str
    name: str

    @property
    def family(self) -> str:
        """ "debian", "rhel" or "other"."""
        words = {self.id, *self.like}
        if words & {"debian", "ubuntu"}:
            return "debian"
        return "rhel" if words & {"rhel", "fedora", "centos"} else "other"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the probe ran as. `sudo_user` is who called sudo, empty without it."""

    uid: int | None
    user: str
    sudo_user: str


@dataclass(frozen=True, slots=True)
class Clock:
    """The machine's clock when the probe began and ended. `resolution` is 1 when it tells whole
    seconds only, else 0."""

    started: float | None
    ended: float | None
    resolution: float


@dataclass(frozen=True, slots=True)
class Tool:
    """A program. `is_on_path` is False when it lies in an sbin directory that the
    console's commands do not search. `version` is empty where it was not asked."""

    name: str
    path: str
    is_on_path: bool
    version: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit, by the words of `systemctl show`."""

    name: str
    load: str
    active: str
    enabled: str


@dataclass(frozen=True, slots=True)
class Init:
    """`state` is what `systemctl is-system-running` says."""

    is_systemd: bool
    state: str
    units: tuple[Unit, ...]

    def unit(self, name: str) -> Unit | None:
        return next((unit for unit in self.units if unit.name == name), None)


@dataclass(frozen=True, slots=True)
class Writer:
    """A running program that writes an IPVS table."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class Ipvs:
    """`schedulers` are those that can be used, loaded or not, in alphabetical
    order; None when that could not be found out. `buckets` is the size of the
    connection table. The counts of rules are lines that a boot script would
    load, None where there is no file."""

    is_active: bool
    buckets: int | None
    tab_bits: int | None
    services: int | None
    schedulers: tuple[str, ...] | None
    writers: tuple[Writer, ...]
    auto: str
    debian_rules: int | None
    rhel_rules: int | None
    keepalived_services: int | None


@dataclass(frozen=True, slots=True)
class Address:
    """`scope` is iproute2's word: global, link, host, site."""

    ip: str
    prefix: int
    scope: str


@dataclass(frozen=True, slots=True)
class Interface:
    name: str
    is_up: bool
    mtu: int | None
    mac: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A default route; `gateway` is empty for one without."""

    family: int
    gateway: str
    device: str


@dataclass(frozen=True, slots=True)
class Bridge:
    name: str
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """`interfaces` is None when `ip -j addr` gave nothing that can be read.
    `sysctls` are named as sysctl(8) names them, from `net.` on."""

    interfaces: tuple[Interface, ...] | None
    routes: tuple[Route, ...]
    bridges: tuple[Bridge, ...]
    sysctls: dict[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A sysctl as a number, None when it is not there or none."""
        value = self.sysctls.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None

    def conf(self, interface: str, name: str) -> int | None:
        """`net.ipv4.conf.INTERFACE.NAME` as the kernel applies it: the larger of that and
        `all` (ip-sysctl of the kernel's documentation)."""
        values = [self.number(f"net.ipv4.conf.{where}.{name}") for where in ("all", interface)]
        known = [value for value in values if value is not None]
        return max(known) if known else None


@dataclass(frozen=True, slots=True)
class Driver:
    """A libvirt driver. `is_working` is None when it did not answer in time;
    `error` is what virsh said instead of an answer."""

    name: str
    is_working: bool | None
    library: str
    hypervisor: str
    error: str


@dataclass(frozen=True, slots=True)
class Pool:
    """A storage pool by the words of `virsh pool-list --details`."""

    name: str
    state: str
    autostart: str
    capacity: str
    available: str


@dataclass(frozen=True, slots=True)
class Libvirt:
    drivers: tuple[Driver, ...]
    pools: tuple[Pool, ...] | None

    def driver(self, name: str) -> Driver | None:
        return next((driver for driver in self.drivers if driver.name == name), None)


@dataclass(frozen=True, slots=True)
class Hardware:
    """`kvm` is absent, usable or refused (for opening /dev/kvm); `flag` is vmx, svm or
    empty; `is_nested` tells whether guests may run guests, None without a KVM module."""

    cpus: int | None
    model: str
    flag: str
    memory: int | None
    memory_available: int | None
    swap: int | None
    kvm: str
    is_nested: bool | None


@dataclass(frozen=True, slots=True)
class Cgroup:
    """`version` is 1, 2, hybrid or none, as cgroups(7) has them; the controllers are those
    of the hierarchy that limits guests."""

    version: str
    controllers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filesystem:
    """What holds a directory: `path` is the mount point. POSIX df(1)."""

    path: str
    device: str
    size: int
    free: int


@dataclass(frozen=True, slots=True)
class VolumeGroup:
    name: str
    size: int
    free: int


@dataclass(frozen=True, slots=True)
class ThinPool:
    """`data` and `metadata` are percent used."""

    group: str
    name: str
    size: int
    data: float
    metadata: float


@dataclass(frozen=True, slots=True)
class Storage:
    """`writable` maps a directory to yes, no or absent."""

    filesystems: tuple[Filesystem, ...]
    volume_groups: tuple[VolumeGroup, ...]
    thin_pools: tuple[ThinPool, ...]
    writable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Security:
    """`selinux` is enforcing, permissive or off."""

    selinux: str
    has_apparmor: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that one round trip tells about a machine."""

    virtualization: str
    kernel: Kernel
    distribution: Distribution
    identity: Identity
    clock: Clock
    tools: tuple[Tool, ...]
    init: Init
    ipvs: Ipvs
    network: Network
    libvirt: Libvirt
    hardware: Hardware
    cgroup: Cgroup
    storage: Storage
    security: Security

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values, for a database column."""
        data: dict[str, Any] = codec.to_json(self)
        return data

    @classmethod
    def from_json(cls, data: Any) -> Facts:
        """The inverse of `to_json`. Raises ParseError for anything else, for instance for
        what another version of the console has stored."""
        return codec.from_json(cls, data)
